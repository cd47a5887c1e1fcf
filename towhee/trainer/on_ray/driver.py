"""The process that starts a training on Ray, shows it and keeps what comes of it."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_client.atomic_file import write_atomically
from plugin_spec.errors import HubError
from plugin_spec.pool import start
from towhee.executors.ray.cluster import ensure_started
from towhee.executors.ray.stages import InvalidResources
from towhee.trainer.checkpoints import read_progress
from towhee.trainer.errors import CannotTrain
from towhee.trainer.on_ray.mailbox import Files, Mailbox, Moment, Problem, Trained
from towhee.trainer.on_ray.worker import Task, work
from towhee.trainer.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from plugin_spec import TrainableOperator
    from towhee.trainer.on_ray.crew import Crew
    from towhee.trainer.training import Training

_CHECKPOINTS = "checkpoints"
_SECONDS = 10


class WorkerFailed(HubError):
    """A worker raised; the exception is the cause."""


class WorkersLost(HubError):
    """Workers died, or could not be started, more often than was allowed."""


class OnRay:
    """One training, in the workers of a crew.

    :param operator: gives workers the operator, on their nodes.
    """

    def __init__(
        self, training: Training, crew: Crew, operator: Callable[[], TrainableOperator]
    ) -> None:
        self._training, self._crew, self._operator = training, crew, operator
        self._problems: list[Problem] = []
        self._trained: Trained | None = None
        self._run: Run | None = None
        self._showing = training.shown_callbacks
        self._is_shown = False

    def fit(self, *, resume: bool | Path = False) -> tuple[Run, bool]:
        """Train, and let the operator of this process embed with what came out.

        :raises CannotTrain: if data or callbacks cannot be pickled; or as elsewhere.
        :raises InvalidResources: if the cluster has no room for the workers.
        :raises WorkerFailed: with the first worker that raised, and what.
        :raises WorkersLost: if some died.
        """
        training = self._training
        self._check_pickles()
        training.prepare_folder(resume=bool(resume))
        ensure_started()
        self._check_room()
        found = resume if isinstance(resume, Path) else None
        if resume:
            found = found or training.keeping.checkpoints.latest()
        for left in range(self._crew.max_failures, -1, -1):
            if self._attempt(found, last=not left):
                break
            found = training.keeping.checkpoints.latest()
        return self._adopted(), True

    def _check_pickles(self) -> None:
        """Tell of what cannot travel before any worker starts."""
        from ray import cloudpickle

        training = self._training
        parts = {
            "train_dataset": training.samples,
            "eval_dataset": training.evaluation,
            **{f"callback {type(e).__name__}": e for e in training.worker_callbacks},
        }
        for name, part in parts.items():
            try:
                cloudpickle.dumps(part)  # type: ignore[no-untyped-call]  # Ray's
            except Exception as error:
                raise CannotTrain(
                    f"`{name}` cannot be sent to workers: {error}",
                    hint="Give what can be pickled: open files and connections as they "
                    "are used, or train in this process",
                ) from error

    def _check_room(self) -> None:
        import ray

        workers, size = self._crew.workers, self._crew.size
        every = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's
        room = workers.room(node["Resources"] for node in every if node["Alive"])
        if room < size:
            raise InvalidResources(
                f"This Ray cluster has room for {room} workers with {workers}, "
                f"and {size} were asked for",
                hint="Ask for fewer `num_workers`, or less for each: `num_cpus`",
            )

    def _attempt(self, checkpoint: Path | None, *, last: bool) -> bool:
        """Train to the end; False if workers were lost, and that is not the last."""
        import ray
        from ray.train import TrainingFailedError

        actor: Any = ray.remote(Mailbox)
        mailbox: Any = actor.options(num_cpus=0, max_concurrency=8).remote()
        started = _Started(self._crew.size)
        trainer = self._trainer(self._shipped(mailbox, checkpoint), started)
        reader = _Reader(mailbox, self._read)
        lost: Exception | None = None
        try:
            with _own_signals(), reader, started:
                trainer.fit()
        except TrainingFailedError as error:
            lost = error
        except SystemExit:
            # Ray's own answer to Ctrl-C, if it was asked after all.
            raise KeyboardInterrupt from None
        finally:
            ray.kill(mailbox)
            self._end_showing()
        if reader.problem is not None:
            raise reader.problem
        if lost is None:
            return True
        told = {problem.rank for problem in self._problems}
        failures: Mapping[int, Exception] = getattr(lost, "worker_failures", {})
        dead = sorted(set(failures) - told)
        if self._problems and not dead:
            raise as_told(self._problems[0], self._crew.size)
        self._problems.clear()
        if last:
            who = ", ".join(map(str, dead)) or "unknown"
            reason = failures[dead[0]] if dead else lost
            raise WorkersLost(
                f"Workers of the training were lost, by rank: {who}; {reason}",
                hint="Go on from the last checkpoint with `resume=True`; "
                "`max_failures=1` does so by itself",
            ) from lost
        return False

    def _shipped(self, mailbox: Any, checkpoint: Path | None) -> dict[str, bytes]:  # noqa: ANN401  (Ray's handle)
        from ray import cloudpickle

        training = self._training
        files, name = _read_checkpoint(checkpoint)
        task = Task(
            self._operator,
            training.config,
            training.samples,
            training.evaluation,
            training.worker_callbacks,
            mailbox,
            files,
            name,
        )
        dumps: Callable[[object], bytes] = cloudpickle.dumps
        return {"task": dumps(task), "mailbox": dumps(mailbox)}

    def _trainer(self, shipped: dict[str, bytes], started: _Started) -> Any:  # noqa: ANN401  (Ray's)
        from fsspec.implementations.memory import (  # type: ignore[import-untyped]  # noqa: PLC0415  (only with Ray)
            MemoryFileSystem,
        )
        from pyarrow.fs import FSSpecHandler, PyFileSystem
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        class Trainer(TorchTrainer):
            def _register_sigint_handler(self, controller: Any) -> None:  # noqa: ANN401  (Ray's handle)
                started.controller = controller

        # All that is kept comes by the mailbox: nodes need no storage of one another.
        nowhere = PyFileSystem(FSSpecHandler(MemoryFileSystem()))
        return Trainer(
            work,
            train_loop_config=shipped,
            scaling_config=ScalingConfig(
                num_workers=self._crew.size,
                use_gpu=bool(self._crew.workers.num_gpus),
                resources_per_worker=self._crew.resources,
            ),
            run_config=RunConfig(storage_path="towhee", storage_filesystem=nowhere),
        )

    def _read(self, letter: object) -> None:
        """Do what a worker asks for."""
        if isinstance(letter, Moment):
            self._show(letter)
        elif isinstance(letter, Files):
            _keep(self._training.folder, letter)
        elif isinstance(letter, Problem):
            self._problems.append(letter)
        elif isinstance(letter, Trained):
            self._trained = letter

    def _show(self, moment: Moment) -> None:
        training = self._training
        if self._run is None:
            # Nobody who shows a run asks for what is trained, which is elsewhere.
            trainee: Any = None
            self._run = Run(training.config, trainee, moment.steps_per_epoch)
        self._run.restore({**self._run.state(), **moment.state})
        self._is_shown = moment.name != "on_train_end"
        for callback in self._showing:
            getattr(callback, moment.name)(self._run)

    def _end_showing(self) -> None:
        """Take away what is still shown of workers that are gone."""
        if self._run is not None and self._is_shown:
            for callback in self._showing:
                callback.on_train_end(self._run)
        self._is_shown = False

    def _adopted(self) -> Run:
        from ray import cloudpickle

        from towhee.trainer.training import adopt  # noqa: PLC0415  (a circle)

        assert self._trained is not None
        state, per_epoch, classes, found = cloudpickle.loads(self._trained.packed)
        trainee = adopt(self._training.operator, classes, found)
        run = Run(self._training.config, trainee, per_epoch)
        run.restore(state)
        return run


def as_told(problem: Problem, workers: int) -> HubError:
    """What a worker raised, as the process that waits for it raises that."""
    from ray import cloudpickle

    error: Exception = cloudpickle.loads(problem.error)
    if isinstance(error, HubError):
        return error
    failed = WorkerFailed(
        f"Worker {problem.rank} of {workers} failed on node {problem.node}: "
        f"{type(error).__name__}: {error}",
        hint="Its traceback is a note of the cause",
    )
    failed.__cause__ = error
    return failed


class _Reader:
    """Reads a mailbox while the training goes on, and to its end after it."""

    def __init__(self, mailbox: Any, read: Callable[[object], None]) -> None:  # noqa: ANN401  (Ray's handle)
        self._mailbox, self._read = mailbox, read
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self.problem: Exception | None = None

    def __enter__(self) -> None:
        start(self._thread)

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._thread.join()

    def _follow(self) -> None:
        import ray

        try:
            while True:
                over = self._over.is_set()
                letters = ray.get(self._mailbox.take.remote(0.0 if over else 0.2))
                for letter in letters:
                    self._read(letter)
                if over and not letters:
                    return
        except Exception as error:  # noqa: BLE001  (raised where it is waited for)
            self.problem = error


class _Started:
    """What Ray started for a training; an interrupt ends it all at once.

    Ray's own answer to Ctrl-C comes once every worker has started: after seconds, or
    never where the cluster is busy with something else.
    """

    controller: Any = None
    """Ray's actor that starts and watches the workers; they end with it."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._before: set[str] = set()

    def __enter__(self) -> None:
        self._before = set(self._groups())

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if kind is None or not issubclass(kind, KeyboardInterrupt):
            return
        import ray
        from ray import PlacementGroupID
        from ray.exceptions import GetTimeoutError, RayActorError
        from ray.util.placement_group import PlacementGroup, remove_placement_group

        if self.controller is None:
            return
        ray.kill(self.controller)
        with suppress(RayActorError, GetTimeoutError):
            # It makes nothing any more once it does not answer.
            ray.get(self.controller.__ray_ready__.remote(), timeout=_SECONDS)
        for name in set(self._groups()) - self._before:
            remove_placement_group(PlacementGroup(PlacementGroupID.from_hex(name)))

    def _groups(self) -> list[str]:
        """Room that this process holds for so many workers, of whatever training."""
        import ray
        from ray.util import placement_group_table

        job = ray.get_runtime_context().get_job_id()
        return [
            name
            for name, group in placement_group_table().items()
            if name.endswith(job)
            and group["state"] != "REMOVED"
            and len(group["bundles"]) == self._workers
        ]


@contextmanager
def _own_signals() -> Iterator[None]:
    """Leave signals and folders as they were: Ray would take them over."""
    folder = "RAY_CHDIR_TO_TRIAL_DIR"
    kept = os.environ.get(folder)
    os.environ[folder] = "0"
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)
        if kept is None:
            del os.environ[folder]
        else:
            os.environ[folder] = kept


def _read_checkpoint(checkpoint: Path | None) -> tuple[dict[str, bytes], str]:
    """Files of a checkpoint, by the paths that workers are to have them at."""
    if checkpoint is None:
        return {}, ""
    best = (read_progress(checkpoint)["run"]["best"] or {}).get("weights")
    paths = [path for path in checkpoint.rglob("*") if path.is_file()]
    if best is not None and (checkpoint.parent / best).is_file():
        paths.append(checkpoint.parent / best)
    files = {
        f"{_CHECKPOINTS}/{path.relative_to(checkpoint.parent).as_posix()}": (
            path.read_bytes()
        )
        for path in paths
    }
    return files, f"{_CHECKPOINTS}/{checkpoint.name}"


def _keep(folder: Path, files: Files) -> None:
    """Write files; a checkpoint is there whole or not at all."""
    kept = folder / _CHECKPOINTS
    staged: set[Path] = set()
    for name, content in files.contents.items():
        path = folder / name
        if path.parent.parent == kept:
            whole = path.parent
            path = whole.with_name(f"{whole.name}.partial") / path.name
            if whole not in staged:
                shutil.rmtree(path.parent, ignore_errors=True)
                staged.add(whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    for whole in staged:
        shutil.rmtree(whole, ignore_errors=True)
        whole.with_name(f"{whole.name}.partial").rename(whole)
    for path in kept.glob("*"):
        name = path.relative_to(folder).as_posix()
        if name not in files.kept and not any(
            each.startswith(f"{name}/") for each in files.kept
        ):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
