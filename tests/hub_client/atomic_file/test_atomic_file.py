from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hub_client.atomic_file import write_atomically


def test_what_a_killed_writer_left_goes_and_that_of_a_living_one_stays(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    hour = 3600
    for name, age in {"dead": hour, "future": -hour, "alive": 0}.items():
        left = folder / f".hub.lock.{name}.tmp"
        left.touch()
        os.utime(left, (time.time() - age,) * 2)
    other = folder / ".hub.toml.dead.tmp"
    other.touch()
    os.utime(other, (0, 0))
    write_atomically(folder / "hub.lock", b"new")
    assert {path.name for path in folder.iterdir()} == {
        "hub.lock",
        ".hub.lock.alive.tmp",
        ".hub.toml.dead.tmp",
    }


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "link").symlink_to(pipe)
    write_atomically(tmp_path / "link", b"new")
    assert (os.read(reading, 9), pipe.is_fifo()) == (b"new", True)
    os.close(reading)


def test_a_failure_names_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (folder, root) = (tmp_path / "folder", Path("/"))
    for path in (tmp_path / "gone" / "a", tmp_path / "file" / "a", folder, root):
        with pytest.raises(OSError, match=r"\[Errno \d+\] ") as refusal:
            write_atomically(path, b"new")
        assert refusal.value.filename == str(path)
        assert refusal.value.filename2 is None
    assert list(tmp_path.rglob("*.tmp")) == []
