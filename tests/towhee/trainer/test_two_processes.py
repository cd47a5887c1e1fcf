"""Two processes train one model, as one process with batches of twice the size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("two_processes.py")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
ACCELERATE = "accelerate"


def configured(folder: Path, **fields: object) -> Path:
    """A folder to train in."""
    folder.mkdir()
    usual = {
        "epoch_num": 2,
        "lr": 0.01,
        "device_str": "cpu",
        "early_stopping": None,
        "tensorboard": None,
        "dropout": 0.0,
    }
    (folder / "config.json").write_text(json.dumps({**usual, **fields}))
    return folder


def train(
    folder: Path, *launcher: str, kill_at: int = 0, started_by: str = ""
) -> tuple[int, list[dict[str, Any]]]:
    """The launcher's exit status, and what each process came to, in order."""
    arguments = [str(folder), str(kill_at), *filter(None, [started_by])]
    paths = [str(SCRIPT.parents[2]), str(SCRIPT.parents[3])]
    done = subprocess.run(
        [sys.executable, *launcher, str(SCRIPT), *arguments],
        check=False,
        timeout=200,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
        },
    )
    files = sorted(folder.glob("rank-*.json"))
    found = [json.loads(each.read_text(encoding="utf-8")) for each in files]
    return done.returncode, found


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher", [TORCHRUN, ACCELERATE], ids=["torchrun", ACCELERATE]
)
def test_two_processes_learn_what_one_learns(
    launcher: tuple[str, ...] | str, tmp_path: Path
) -> None:
    # Statistics of half a batch are not those of a whole one.
    two = configured(tmp_path / "two", batch_size=4, freeze_bn=True)
    if launcher == ACCELERATE:
        status, (one, other) = train(two, started_by=ACCELERATE)
    else:
        status, (one, other) = train(two, *launcher)
    assert status == 0
    # A launcher that ran one process, and said nothing, would pass all else.
    assert one["world"] == other["world"] == 2
    whole = configured(tmp_path / "one", batch_size=8, freeze_bn=True)
    _, (alone,) = train(whole)
    assert alone["world"] == 1
    # Who joined them parts them; accelerate's launcher joins them itself.
    is_theirs = launcher == ACCELERATE
    assert [one["still_joined"], other["still_joined"]] == [is_theirs, is_theirs]

    assert one["weights"] == other["weights"]
    assert one["weights"] == pytest.approx(alone["weights"], abs=1e-5)
    assert one["history"] == other["history"]
    for row, expected in zip(one["history"], alone["history"], strict=True):
        # Nine images are judged, each once, whatever fills the last batch.
        assert row == pytest.approx(expected, abs=1e-5)
    assert (tmp_path / "two" / "out" / "model.safetensors").is_file()


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_end_as_undisturbed_ones(
    tmp_path: Path,
) -> None:
    fields = {
        "batch_size": 4,
        "epoch_num": 3,
        "dropout": 0.2,
        "augmentation": {"noise": 0.1},
        "lr_scheduler_type": "cosine",
        "model_checkpoint": {"every_n_step": 2},
    }
    status, undisturbed = train(configured(tmp_path / "calm", **fields), *TORCHRUN)
    assert (status, len(undisturbed)) == (0, 2)
    # One that ends while joined, or while torch's threads run that spoke to the other,
    # may abort, and torchrun then ends the other.
    for each in undisturbed:
        assert (each["still_joined"], each["threads_of_gloo"]) == (False, 0)
    folder = configured(tmp_path / "killed", **fields)
    status, found = train(folder, *TORCHRUN, kill_at=5)
    assert (status, found) == (1, [])
    # In the middle of the second epoch, three steps each.
    kept = [path.name for path in (folder / "out" / "checkpoints").glob("step-*")]
    assert sorted(kept) == ["step-00000002", "step-00000004"]
    status, resumed = train(folder, *TORCHRUN)
    assert status == 0
    assert resumed == undisturbed
    assert resumed[0]["world"] == 2
