"""Full, read-only, forbidden, and a clock set back: one clear error, and nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from forking import open_parent
from robustness.world import World, make_world
from servers.python_packages import PackageFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
NOBODY = 65534
YEAR = 365 * 24 * 3600


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    # Beside pytest's own folders, which it closes for other users again and again.
    beside = tmp_path.parents[2]
    with open_parent() as parent, TemporaryDirectory(dir=beside) as folder:
        world = make_world(Path(folder, "world"), parent)
        assert world.hub("lock").status == 0
        yield world


def install(world: World) -> list[str]:
    return ["install", "acme/embed", "--no-project", *world.into]


def refused(world: World, *words: str) -> str:
    """What one command says that fails: an error, a hint, and no traceback."""
    ended = world.hub(*words, "--no-progress")
    assert ended.status == 1, ended.said
    lines = ended.said.splitlines()
    assert sum(line.startswith("error: ") for line in lines) == 1, ended.said
    assert "Traceback" not in ended.said
    assert "has a bug" not in ended.said
    return ended.said[ended.said.index("error: ") :]


@contextmanager
def full_disk(folder: Path, *, free: int = 0) -> Iterator[None]:
    """A small disk in place of a folder, with next to nothing free on it.

    :param free: bytes; none of 4,096 is enough for a file.
    """
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    aside = folder.with_name(f"{folder.name}-aside")
    shutil.copytree(folder, aside, symlinks=True)
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs more rights")
    try:
        shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
        block = bytes(4096)
        with (folder / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(block)
            except OSError:
                filler.truncate(filler.tell() - free)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
def test_a_full_cache_disk_is_one_clear_error_and_loses_nothing(world: World) -> None:
    assert world.hub(*install(world)).status == 0
    before = (world.project / "hub.lock").read_bytes()
    with full_disk(world.cache, free=4096):  # it is git that has too little room
        world.release()
        digests = world.store.digests()
        for words in (["lock", "--upgrade"], [*install(world), "--yes"]):
            if words[0] == "install":
                words[1] = "acme/embed>=1.1"
            said = refused(world, *words)
            assert said.startswith(f"error: Cannot write to `{world.cache}/git/")
            assert "`: No space left on device\n\nhint: Make room on that disk" in said
        assert not list(world.cache.rglob("tmp_*"))
        assert world.store.digests() == digests
        world.check()
        (world.cache / "filler").unlink()
        assert world.hub(*words).status == 0
        world.check()
        # Room can be made by the command that is for it.
        assert world.hub("cache", "prune").status == 0
    assert (world.project / "hub.lock").read_bytes() == before


@pytest.mark.slow
def test_a_full_disk_under_a_project_leaves_its_lock_as_it_was(world: World) -> None:
    before = (world.project / "hub.lock").read_bytes()
    with full_disk(world.project):
        world.release()
        said = refused(world, "lock", "--upgrade")
        assert "No space left on device" in said
        assert (world.project / "hub.lock").read_bytes() == before
        assert world.left_behind() == []
        (world.project / "filler").unlink()
        assert world.hub("lock", "--upgrade").status == 0
        assert (world.project / "hub.lock").read_bytes() != before


@pytest.mark.slow
def test_a_full_disk_under_an_environment_is_one_clear_error(world: World) -> None:
    target = world.target.prefix / "share"
    target.mkdir()
    with full_disk(target):
        said = refused(world, *install(world))
        assert "No space left on device" in said
        world.check()
        (target / "filler").unlink()
        assert world.hub(*install(world)).status == 0
        world.check()
        assert len(world.target.receipts()) == 2


@contextmanager
def read_only_disk(folder: Path) -> Iterator[None]:
    """The folder, as from a disk that nobody may write to."""
    words = ["mount", "--bind", folder, folder]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("mounting a disk needs more rights")
    try:
        again = ["mount", "-o", "remount,bind,ro", folder]
        subprocess.run(again, check=True, capture_output=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


# As another user: the superuser may write anywhere.
AS_NOBODY = """
import os, sys
from forking.parent import import_all
from hub_client.interpreter_facts import interpreter_facts
import_all()
interpreter_facts()  # now: who we become may not read the standard library everywhere
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid({nobody}, {nobody}, {nobody})
    os.setresuid({nobody}, {nobody}, {nobody})
from hub_client.cli import main
sys.exit(main(sys.argv[1:]))
"""


def as_nobody(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY.format(nobody=NOBODY), *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=world.project,
        env={**world.variables, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
    )


@contextmanager
def forbidden(*folders: Path) -> Iterator[None]:
    """Folders that may be read and not written, where everybody may enter."""
    for parent in [*folders[0].parents][:-2]:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o555)
    modes = {
        path: path.stat().st_mode
        for folder in folders
        for path in (folder, *folder.rglob("*"))
        if not path.is_symlink()
    }
    for path, mode in modes.items():
        path.chmod(mode & ~0o222 | 0o555)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.mark.slow
def test_who_may_not_write_can_verify_and_is_told_what_he_may_not(world: World) -> None:
    assert world.hub(*install(world)).status == 0
    with forbidden(world.cache, world.project):
        done = as_nobody(world, "cache", "verify")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert done.stderr == "Verifying\nVerified 2 operators\n"
        for word in ("prune", "clean"):
            done = as_nobody(world, "cache", word)
            assert done.returncode == 1
            assert done.stderr.startswith("error: Cannot write to `")
            assert done.stderr.endswith(
                "`: Permission denied\n\n"
                "hint: Whoever may write there can remove from it\n"
            )
    world.check()


@pytest.mark.slow
def test_a_read_only_disk_serves_what_is_there_and_refuses_the_rest(
    world: World,
) -> None:
    # Operators from a repository, and one that ships with the hub.
    PackageFolder(world.folder / "packages").add("numpy", "2.0")
    operators = '["acme/embed", "towhee/search-vectors"]'
    (world.project / "hub.toml").write_text(f"operators = {operators}\n")
    assert world.hub("sync", *world.into).status == 0
    world.release()
    wanted = ["install", "acme/embed>=1.1", "--no-project", *world.into]
    with read_only_disk(world.folder / "home"), read_only_disk(world.target.prefix):
        for words in (
            install(world),
            ["sync", "--locked", *world.into],
            ["cache", "verify"],
            ["verify", *world.into],
        ):
            ended = world.hub(*words)
            assert ended.status == 0, ended.said
        for words in (wanted, ["lock", "--upgrade"], ["cache", "prune"]):
            said = refused(world, *words)
            assert said.startswith("error: Cannot write to `")
            assert "`: Read-only file system\n\nhint: " in said
    world.check()
    # A new environment can be made from a store that is read-only.
    shutil.rmtree(world.target.prefix / "share")
    shutil.rmtree(world.store.root / "roots")
    with read_only_disk(world.store.root):
        ended = world.hub("sync", "--locked", *world.into)
        assert ended.status == 0, ended.said
    for kind, path in {
        "environment": world.target.prefix,
        "project": world.project,
    }.items():
        unknown = f"whoever prunes that cache cannot know of the {kind} `{path}`\n"
        assert ended.said.count(unknown) == 1
    world.check()
    assert world.hub(*wanted).status == 0


@pytest.mark.slow
def test_files_of_the_future_and_of_long_ago_change_nothing(world: World) -> None:
    assert world.hub(*install(world)).status == 0
    for shift in (YEAR, -20 * YEAR):
        moment = time.time() + shift
        for folder in (world.cache, world.target.prefix / "share", world.project):
            for path in (folder, *folder.rglob("*")):
                os.utime(path, (moment, moment), follow_symlinks=False)
        for words in (
            install(world),
            ["sync", "--locked", *world.into],
            ["cache", "verify"],
            ["cache", "prune"],
            ["lock", "--check"],
        ):
            ended = world.hub(*words)
            assert ended.status == 0, ended.said
        world.check()
        assert len(world.target.receipts()) == 2
        world.release()
        assert world.hub("lock", "--upgrade").status == 0
        newest = world.published[-1]
        assert f'version = "{newest}"' in (world.project / "hub.lock").read_text()
        assert world.hub("sync", *world.into).status == 0
        world.check()
