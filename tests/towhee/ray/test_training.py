"""Workers of Ray train one model, as one process with batches of all of them."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import cloudpickle
import pytest
from trainees import CLASSES, Small, points

from towhee.data import Samples
from towhee.executors import InvalidEngineOptions, UnknownEngine
from towhee.executors.ray.crossing import portable
from towhee.executors.ray.stages import InvalidResources
from towhee.trainer.callbacks import Callback, Printing
from towhee.trainer.errors import CannotTrain
from towhee.trainer.on_ray.crew import crew
from towhee.trainer.on_ray.driver import WorkerFailed, WorkersLost, as_told
from towhee.trainer.on_ray.mailbox import Problem
from towhee.trainer.training import train
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from pathlib import Path

    from ray.cluster_utils import Cluster

    from towhee.trainer.run import Run
    from towhee.trainer.training_result import TrainingResult

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
]


def configure(folder: Path, **fields: object) -> TrainingConfig:
    usual: dict[str, Any] = {
        "output_dir": str(folder),
        "batch_size": 4,
        "epoch_num": 2,
        "lr": 0.01,
        "device_str": "cpu",
        "early_stopping": None,
        "tensorboard": None,
        # Statistics of half a batch are not those of a whole one.
        "freeze_bn": True,
    }
    return TrainingConfig(**{**usual, **fields})


def on_ray(
    config: TrainingConfig,
    *callbacks: Callback,
    samples: Samples | None = None,
    resume: bool = False,
    **options: object,
) -> tuple[Small, TrainingResult]:
    operator = Small(dropout=0.0)
    result = train(
        operator,
        config,
        samples or points(24),
        points(9, seed=1),
        callbacks=callbacks,
        resume=resume,
        crew=crew("ray", {"num_workers": 2, **options}),
    )
    return operator, result


def alone(config: TrainingConfig) -> tuple[Small, TrainingResult]:
    operator = Small(dropout=0.0)
    return operator, train(operator, config, points(24), points(9, seed=1))


class Dying(Callback):
    """Ends the second worker at a step, once, by a signal or an exception."""

    def __init__(self, step: int, marker: Path, *, kill: bool) -> None:
        self._step, self._marker, self._kill = step, marker, kill

    def on_step_end(self, run: Run) -> None:
        if run.step != self._step or os.environ["RANK"] != "1":
            return
        if self._marker.exists():
            return
        self._marker.touch()
        if self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        message = "the second has had enough"
        raise ArithmeticError(message)


class Begins(Printing):
    """Notes at which steps workers began; seen where the training was started."""

    def __init__(self, begun: list[int]) -> None:
        super().__init__()
        self._begun = begun

    def on_train_begin(self, run: Run) -> None:
        self._begun.append(run.step)


class Interrupting(Printing):
    """Ctrl-C in the process that waits, at the first step; notes when."""

    at = 0.0

    def on_step_end(self, run: Run) -> None:
        if run.step == 1:
            self.at = time.monotonic()
            signal.raise_signal(signal.SIGINT)


def test_two_workers_learn_what_one_process_learns(
    cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wanted = {"load_best_model_at_end": True, "tensorboard": {}, "print_steps": 2}
    ours, result = on_ray(configure(tmp_path / "two", **wanted))
    lines = capfd.readouterr().err.splitlines()
    # Libraries write there, too.
    shown = [line for line in lines if line.startswith(("step ", "epoch "))]
    assert shown[0] == "step 2 of 6"
    assert [line.split(":")[0] for line in shown].count("epoch 1 of 2") == 1

    theirs, expected = alone(configure(tmp_path / "one", **{**wanted, "batch_size": 8}))
    assert ours.weights.tolist() == pytest.approx(theirs.weights.tolist(), abs=1e-5)
    assert ours.classes == theirs.classes
    for row, other in zip(result.history, expected.history, strict=True):
        assert row == pytest.approx(other, abs=1e-5)

    def names(folder: str) -> set[str]:
        found = (tmp_path / folder).rglob("*")
        return {
            str(each.relative_to(tmp_path / folder))
            for each in found
            # A file of TensorBoard's is named after its process.
            if "events." not in each.name and "random_states" not in each.name
        }

    assert names("two") == names("one")
    assert len(list((tmp_path / "two" / "tensorboard").glob("events.*"))) == 1


def test_a_training_that_lost_workers_is_resumed_by_hand_and_goes_on_by_itself(
    cluster: Cluster, tmp_path: Path
) -> None:
    config = configure(tmp_path / "out", model_checkpoint={"every_n_step": 1})
    with pytest.raises(WorkersLost, match=r"by rank: 1; ") as caught:
        on_ray(config, Dying(4, tmp_path / "killed", kill=True))
    assert "resume=True" in str(caught.value.hint)
    left = sorted(each.name for each in (tmp_path / "out" / "checkpoints").iterdir())
    assert left == ["step-00000002", "step-00000003"]
    again = Dying(5, tmp_path / "killed-again", kill=True)
    begun: list[int] = []
    trained, _ = on_ray(config, again, Begins(begun), resume=True, max_failures=1)
    assert begun == [3, 4]
    undisturbed, _ = alone(configure(tmp_path / "one", batch_size=8))
    expected = pytest.approx(undisturbed.weights.tolist(), abs=1e-5)
    assert trained.weights.tolist() == expected


def test_an_exception_names_the_worker_and_is_not_tried_again(
    cluster: Cluster, tmp_path: Path
) -> None:
    raising = Dying(2, tmp_path / "raised", kill=False)
    with pytest.raises(
        WorkerFailed,
        match=r"Worker 1 of 2 failed on node [\d.]+: ArithmeticError: the second has",
    ) as caught:
        on_ray(configure(tmp_path / "out"), raising, max_failures=3)
    assert "In a worker:\nTraceback" in caught.value.__cause__.__notes__[0]


def test_what_training_refuses_in_a_worker_is_refused_as_in_this_process() -> None:
    refusal = CannotTrain("there is nothing to learn", hint="Show it something")
    problem = Problem(1, "10.0.0.2", cloudpickle.dumps(portable(refusal)))
    refused = as_told(problem, 2)
    assert type(refused) is CannotTrain
    assert (str(refused), refused.hint) == (str(refusal), refusal.hint)


def test_an_interrupt_ends_the_workers_and_leaves_the_handler(
    cluster: Cluster, tmp_path: Path
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    config = configure(tmp_path / "out", epoch_num=2000, model_checkpoint=None)
    interrupting = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        on_ray(config, interrupting)
    assert time.monotonic() - interrupting.at < 15
    assert signal.getsignal(signal.SIGINT) is handler
    wait_for_processors(2)


@pytest.mark.parametrize("busy", [False, True], ids=["starting", "waiting for room"])
def test_an_interrupt_while_workers_start_ends_them_at_once(
    cluster: Cluster, tmp_path: Path, busy: bool
) -> None:
    import ray  # noqa: PLC0415  (once the cluster's variables are set)
    from ray.util import placement_group_table  # noqa: PLC0415

    def groups() -> list[str]:
        return [each["state"] for each in placement_group_table().values()]

    def interrupt() -> None:
        while wanted not in groups():
            time.sleep(0.01)
        interrupted.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    # Room for both workers there is, but one processor is taken by now.
    held = _hold_a_processor() if busy else None
    wanted = "PENDING" if busy else "CREATED"
    interrupted: list[float] = []
    handler = signal.getsignal(signal.SIGINT)
    config = configure(tmp_path / "out", epoch_num=2000, model_checkpoint=None)
    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        on_ray(config)
    thread.join()
    assert time.monotonic() - interrupted[0] < 15
    assert signal.getsignal(signal.SIGINT) is handler
    assert set(groups()) == {"REMOVED"}
    if held is not None:
        ray.kill(held)
    wait_for_processors(2)


def wait_for_processors(count: int) -> None:
    """Until so many of the cluster are free."""
    import ray  # noqa: PLC0415  (as above)

    until = time.monotonic() + 20
    while ray.available_resources().get("CPU") != count:
        assert time.monotonic() < until
        time.sleep(0.1)


def _hold_a_processor() -> Any:  # noqa: ANN401  (Ray's handle)
    import ray  # noqa: PLC0415  (as above)

    holder: Any = ray.remote(num_cpus=1)(threading.Event).remote()
    ray.get(holder.is_set.remote())
    return holder


def test_what_cannot_be_done_is_told_before_a_worker_starts(
    cluster: Cluster, tmp_path: Path
) -> None:
    stuck = Samples("stuck", [([0.0] * 8, 0)] * 24, CLASSES, transform=_Locked())
    with pytest.raises(CannotTrain, match="`train_dataset` cannot be sent to workers"):
        on_ray(configure(tmp_path / "out"), samples=stuck)
    with pytest.raises(InvalidResources, match="has room for 2 workers with"):
        on_ray(configure(tmp_path / "out"), num_workers=3)
    with pytest.raises(InvalidResources, match="num_workers: expected a whole number"):
        crew("ray", {"num_workers": 0})
    with pytest.raises(InvalidEngineOptions, match="`workers`"):
        crew("ray", {"workers": 2})
    with pytest.raises(InvalidEngineOptions, match="`num_workers`"):
        crew("local", {"num_workers": 2})
    with pytest.raises(UnknownEngine, match="No engine that trains is named `dask`"):
        crew("dask", {})


class _Locked:
    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, image: object) -> object:
        return image
