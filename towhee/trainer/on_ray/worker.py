"""What each of Ray's workers does: a training as torchrun's processes have it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from towhee.trainer.callbacks.base import Callback
from towhee.trainer.checkpoints import Checkpoints
from towhee.trainer.on_ray.mailbox import Files, Moment, Problem, Trained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from accelerate import Accelerator

    from plugin_spec import TrainableOperator
    from towhee.data.samples import Samples
    from towhee.trainer.run import Run
    from towhee.trainer.training_config import TrainingConfig


@dataclass(frozen=True, slots=True)
class Task:
    """What every worker is given.

    :param operator: gives it, loaded on the worker's node.
    :param mailbox: Ray's handle of a ``Mailbox``.
    :param checkpoint: files to go on from, by their paths in the output folder.
    :param resume_from: the checkpoint among them, by its path; empty to begin.
    """

    operator: Callable[[], TrainableOperator]
    config: TrainingConfig
    samples: Samples
    evaluation: Samples | None
    callbacks: Sequence[Callback]
    mailbox: Any
    checkpoint: Mapping[str, bytes]
    resume_from: str


def work(shipped: Mapping[str, bytes]) -> None:
    """Train; tell of what ends it otherwise.

    :param shipped: a ``Task``, pickled, and the mailbox alone.
    """
    import ray
    from ray import cloudpickle

    mailbox = cloudpickle.loads(shipped["mailbox"])
    try:
        with tempfile.TemporaryDirectory(prefix="towhee-train-") as folder:
            _train(cloudpickle.loads(shipped["task"]), Path(folder))
    except Exception as error:
        from towhee.executors.ray.crossing import portable  # noqa: PLC0415  (rare)

        packed: bytes = cloudpickle.dumps(portable(error))  # type: ignore[no-untyped-call]  # Ray's
        node: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]  # Ray's
        ray.get(mailbox.put.remote(Problem(_rank(), node, packed)))
        raise


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def _train(task: Task, folder: Path) -> None:
    import ray
    from ray import cloudpickle

    from towhee.trainer.training import Training, weights  # noqa: PLC0415  (a circle)

    for name, content in task.checkpoint.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    operator = task.operator()
    post = _Post(task.mailbox, folder)
    training = Training(
        operator,
        replace(task.config, output_dir=str(folder)),
        task.samples,
        task.evaluation,
        [_Telling(post), *task.callbacks],
        shown=False,
    )
    keeping = training.keeping
    keeping.checkpoints = _Posted(keeping.checkpoints, post)
    run, is_main = training.fit(
        resume=folder / task.resume_from if task.resume_from else False
    )
    if not is_main:
        return
    post.files()
    classes = run.trainee.classes
    came_to = (run.state(), run.steps_per_epoch, classes, weights(run.trainee))
    packed: bytes = cloudpickle.dumps(came_to)  # type: ignore[no-untyped-call]  # Ray's
    ray.get(task.mailbox.put.remote(Trained(packed)))


class _Post:
    """The way to the process that started the training."""

    def __init__(self, mailbox: Any, folder: Path) -> None:  # noqa: ANN401  (Ray's handle)
        self._mailbox, self._folder = mailbox, folder
        self._sent: dict[str, tuple[int, int]] = {}

    def moment(self, name: str, run: Run, state: Mapping[str, Any]) -> None:
        """Tell where the run is; nobody waits for that."""
        self._mailbox.put.remote(Moment(name, run.steps_per_epoch, state))

    def files(self) -> None:
        """Send what is new in the folder, and wait until it is there."""
        import ray

        contents, kept = {}, set()
        for path in sorted(self._folder.rglob("*")):
            name = path.relative_to(self._folder).as_posix()
            if ".partial" in name or not path.is_file():
                continue
            kept.add(name)
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if self._sent.get(name) != stamp:
                self._sent[name] = stamp
                contents[name] = path.read_bytes()
        ray.get(self._mailbox.put.remote(Files(contents, frozenset(kept))))


class _Telling(Callback):
    """Tells of every moment; the first worker alone."""

    main_only = True

    def __init__(self, post: _Post) -> None:
        self._post = post

    def on_train_begin(self, run: Run) -> None:
        self._post.moment("on_train_begin", run, run.state())

    def on_step_end(self, run: Run) -> None:
        place = {"epoch": run.epoch, "step": run.step, "batch": run.batch}
        self._post.moment("on_step_end", run, place)

    def on_evaluation_end(self, run: Run) -> None:
        self._post.moment("on_evaluation_end", run, run.state())

    def on_epoch_end(self, run: Run) -> None:
        self._post.moment("on_epoch_end", run, run.state())

    def on_train_end(self, run: Run) -> None:
        self._post.moment("on_train_end", run, run.state())


class _Posted(Checkpoints):
    """Checkpoints that are sent as soon as they are whole."""

    def __init__(self, written: Checkpoints, post: _Post) -> None:
        super().__init__(written.folder, keep=written.keep)
        self._post = post

    def save(self, accelerator: Accelerator, progress: dict[str, Any]) -> Path:
        """Write one, and send it; all processes have to call it."""
        path = super().save(accelerator, progress)
        if accelerator.is_main_process:
            self._post.files()
        return path
