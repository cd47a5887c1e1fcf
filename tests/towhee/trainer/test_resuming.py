"""A killed training ends with the weights of one that nobody disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from trainees import Small, points

from towhee.trainer.callbacks import Callback
from towhee.trainer.checkpoints import Checkpoints
from towhee.trainer.errors import CannotTrain, CannotWrite
from towhee.trainer.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from towhee.trainer.run import Run
    from towhee.trainer.training_config import TrainingConfig

    Configure = Callable[..., TrainingConfig]

EVERYTHING = {
    "augmentation": {"noise": 0.1},
    "gradient_accumulation_steps": 2,
    "early_stopping": {"monitor": "eval_epoch_metric", "patience": 9, "mode": "max"},
    "lr_scheduler_type": "cosine",
    "load_best_model_at_end": True,
    "dataloader_drop_last": False,
}


class Killed(Exception):
    pass


class KillAt(Callback):
    def __init__(self, step: int) -> None:
        self._step = step

    def on_step_end(self, run: Run) -> None:
        if run.step == self._step:
            raise Killed


def fit(
    config: TrainingConfig, *callbacks: Callback, resume: bool | Path = False
) -> tuple[Small, Run]:
    operator = Small()
    training = Training(operator, config, points(26), points(9, seed=1), callbacks)
    run, _ = training.fit(resume=resume)
    return operator, run


@pytest.mark.parametrize("step", [1, 4, 5, 8, 12])
def test_a_resumed_training_ends_as_an_undisturbed_one(
    step: int, configure: Configure, tmp_path: Path
) -> None:
    checkpoints = {"every_n_step": 3, "every_n_epoch": 1}
    config = configure(**EVERYTHING, model_checkpoint=checkpoints)
    undisturbed, expected = fit(config)
    config.output_dir = str(tmp_path / "killed")
    with pytest.raises(Killed):
        fit(config, KillAt(step))
    resumed, run = fit(config, resume=True)
    assert torch.equal(resumed.weights, undisturbed.weights)
    assert run.history == expected.history
    assert run.best == expected.best


class FillDisk(Callback):
    def __init__(self, folder: Path, free: int) -> None:
        self._file, self._free = folder / "filler", free

    def on_epoch_begin(self, run: Run) -> None:
        if run.epoch == 2:
            free = shutil.disk_usage(self._file.parent).free - self._free
            self._file.write_bytes(bytes(free))


@pytest.mark.slow
@pytest.mark.parametrize("free", [0, 4096])
def test_a_training_goes_on_once_a_full_disk_has_room(
    configure: Configure, tmp_path: Path, free: int
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs more rights")
    config = configure(model_checkpoint={"every_n_epoch": 1})
    undisturbed, _ = fit(config)
    config.output_dir = str(disk / "out")
    try:
        with pytest.raises(CannotWrite, match="`: No space left on device") as refusal:
            fit(config, FillDisk(disk, free))
        assert refusal.value.path.is_relative_to(disk)
        assert not list(disk.rglob("*.partial"))
        (disk / "filler").unlink()
        resumed, _ = fit(config, resume=True)
        assert torch.equal(resumed.weights, undisturbed.weights)
    finally:
        # Lazily: what failed may hold a file of it open yet.
        subprocess.run(["umount", "-l", disk], check=True)


def test_patience_goes_on_where_it_was_whatever_else_watches(
    configure: Configure, tmp_path: Path
) -> None:
    stopping = {"monitor": "eval_epoch_metric", "patience": 2, "mode": "max"}
    config = configure(
        early_stopping=stopping,
        epoch_num=9,
        freeze_bn=True,
        lr=0.0,
        model_checkpoint={"every_n_epoch": 1},
    )
    _, expected = fit(config)
    config.output_dir = str(tmp_path / "killed")
    with pytest.raises(Killed):
        fit(config, KillAt(13))
    _, run = fit(config, resume=True)
    assert run.history == expected.history
    assert (run.epoch, run.stop_reason) == (3, expected.stop_reason)


def test_a_whole_training_resumed_is_what_it_was(configure: Configure) -> None:
    config = configure(model_checkpoint={"every_n_epoch": 1})
    whole, expected = fit(config)
    again, run = fit(config, resume=True)
    assert torch.equal(whole.weights, again.weights)
    assert run.history == expected.history


def test_one_may_go_on_from_an_older_checkpoint(
    configure: Configure, tmp_path: Path
) -> None:
    config = configure(model_checkpoint={"every_n_epoch": 1, "keep": 9})
    whole, _ = fit(config)
    first = tmp_path / "out" / "checkpoints" / "step-00000006"
    again, _ = fit(config, resume=first)
    assert torch.equal(whole.weights, again.weights)


def test_a_training_that_was_set_otherwise_is_not_resumed(
    configure: Configure, tmp_path: Path
) -> None:
    config = configure(model_checkpoint={"every_n_epoch": 1})
    fit(config)
    config.lr = 0.5
    config.batch_size = 13
    with pytest.raises(CannotTrain) as caught:
        fit(config, resume=True)
    assert str(caught.value) == (
        f"`{tmp_path}/out/checkpoints/step-00000018` is of a training that was set "
        "otherwise\n"
        "  batch_size: 4 when it began, 13 now\n"
        "  lr: 0.01 when it began, 0.5 now"
    )


def test_a_folder_that_is_no_checkpoint_is_told(
    configure: Configure, tmp_path: Path
) -> None:
    with pytest.raises(CannotTrain, match="is no checkpoint"):
        fit(configure(), resume=tmp_path)


def test_the_last_checkpoints_are_kept_and_the_best_weights(
    configure: Configure, tmp_path: Path
) -> None:
    wanted = {"every_n_step": 1, "keep": 3}
    _, run = fit(configure(**{**EVERYTHING, "model_checkpoint": wanted}))
    folder = tmp_path / "out" / "checkpoints"
    names = sorted(path.name for path in folder.glob("step-*"))
    assert names == ["step-00000010", "step-00000011", "step-00000012"]
    assert not list(folder.glob("*.partial"))
    assert Checkpoints(folder).latest() == folder / names[-1]
    assert run.best is not None
    assert f"{run.best.weights}" in {path.name for path in folder.glob("best-*")}


def test_a_kill_while_a_checkpoint_is_replaced_leaves_a_whole_one(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(path: Path, *, ignore_errors: bool = False) -> None:
        del ignore_errors
        if path.is_dir():
            (path / "progress.json").unlink(missing_ok=True)
            raise Killed

    # The epoch ends with its fourth step, and both write that one.
    config = configure(
        **EVERYTHING, model_checkpoint={"every_n_step": 4, "every_n_epoch": 1}
    )
    undisturbed, _ = fit(config)
    config.output_dir = str(tmp_path / "killed")
    with monkeypatch.context() as killing:
        killing.setattr("towhee.trainer.checkpoints.shutil.rmtree", kill)
        with pytest.raises(Killed):
            fit(config)
    resumed, _ = fit(config, resume=True)
    assert torch.equal(resumed.weights, undisturbed.weights)


def test_a_folder_in_use_is_kept_if_that_is_asked_for(configure: Configure) -> None:
    fit(configure(model_checkpoint={"every_n_epoch": 1}))
    with pytest.raises(CannotTrain, match="holds a training already"):
        fit(configure(overwrite_output_dir=False))


PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from trainees import Small, points
from towhee.trainer.callbacks import Callback
from towhee.trainer.training import Training
from towhee.trainer.training_config import TrainingConfig

class Tell(Callback):
    def on_step_end(self, run):
        print(run.step, flush=True)

config = TrainingConfig().load_from_yaml(sys.argv[1])
operator = Small()
training = Training(operator, config, points(26), points(9, seed=1), [Tell()])
training.fit(resume=True)
print(operator.weights.tolist())
"""


@pytest.mark.slow
def test_a_training_killed_at_random_steps_ends_as_an_undisturbed_one(
    configure: Configure, tmp_path: Path
) -> None:
    config = configure(**EVERYTHING, epoch_num=20, model_checkpoint={"every_n_step": 2})
    undisturbed, _ = fit(config)
    config.output_dir = str(tmp_path / "killed")
    config.save_to_yaml(tmp_path / "train.yaml")
    tests = str(Path(__file__).parents[2])
    program = [sys.executable, "-c", PROGRAM.format(tests=tests)]
    command = [*program, str(tmp_path / "train.yaml")]
    chance = random.Random(7)  # noqa: S311  (no secret)
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 20)):
                process.stdout.readline()
            # In the middle of whatever comes next, a checkpoint among it.
            time.sleep(chance.random() * 0.02)
            os.kill(process.pid, signal.SIGKILL)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = torch.tensor(eval(done.stdout.splitlines()[-1]), dtype=torch.float64)  # noqa: S307  (numbers of ours)
    assert torch.equal(found, undisturbed.weights)
