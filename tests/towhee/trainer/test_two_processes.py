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


def train(folder: Path, *launcher: str, **fields: object) -> list[dict[str, Any]]:
    """What each process came to, in order."""
    folder.mkdir()
    usual = {
        "epoch_num": 2,
        "lr": 0.01,
        "device_str": "cpu",
        "early_stopping": None,
        "tensorboard": None,
        # Statistics of half a batch are not those of a whole one.
        "freeze_bn": True,
    }
    (folder / "config.json").write_text(json.dumps({**usual, **fields}))
    paths = [str(SCRIPT.parents[2]), str(SCRIPT.parents[3])]
    subprocess.run(
        [sys.executable, *launcher, str(SCRIPT), str(folder)],
        check=True,
        timeout=200,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "lo",
        },
    )
    files = sorted(folder.glob("rank-*.json"))
    return [json.loads(each.read_text(encoding="utf-8")) for each in files]


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    one, other = train(tmp_path / "two", *TORCHRUN, batch_size=4)
    # A launcher that ran one process, and said nothing, would pass all else.
    assert one["world"] == other["world"] == 2
    (alone,) = train(tmp_path / "one", batch_size=8)
    assert alone["world"] == 1

    assert one["weights"] == other["weights"]
    assert one["weights"] == pytest.approx(alone["weights"], abs=1e-5)
    assert one["history"] == other["history"]
    for row, expected in zip(one["history"], alone["history"], strict=True):
        # Nine images are judged, each once, whatever fills the last batch.
        assert row == pytest.approx(expected, abs=1e-5)
    assert (tmp_path / "two" / "out" / "model.safetensors").is_file()
