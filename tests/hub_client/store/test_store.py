from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import hub_client
from hub_client.store import (
    CacheUnwritable,
    DigestMismatch,
    FilesUnreadable,
    InvalidDigest,
    Store,
)
from hub_client.tree_digest import UnsafeTree, tree_digest

CHILD = os.environ | {"PYTHONPATH": str(Path(hub_client.__file__).parent.parent)}


def fill(folder: Path) -> None:
    (folder / "package").mkdir()
    (folder / "operator.yaml").write_bytes(b"spec: 1\n")
    (folder / "package" / "__init__.py").write_bytes(b"VALUE = 1\n")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def digest(tmp_path: Path) -> str:
    """What ``fill`` writes, hashed elsewhere."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    fill(folder)
    return tree_digest(folder)


def visible_trees(store: Store) -> list[str]:
    trees = store.root / "sha256"
    return sorted(path.name for path in trees.iterdir()) if trees.exists() else []


def staged_folders(store: Store) -> list[Path]:
    staging = store.root / "staging"
    return list(staging.iterdir()) if staging.exists() else []


def test_a_tree_is_found_by_its_digest(store: Store, digest: str) -> None:
    assert not store.has(digest)
    assert store.add(fill) == digest
    assert store.has(digest)
    assert (store.path(digest) / "package/__init__.py").read_bytes() == b"VALUE = 1\n"
    store.verify(digest)
    assert staged_folders(store) == []


def test_store_hides_a_tree_until_it_is_complete(store: Store, digest: str) -> None:
    seen: list[object] = []

    def look(folder: Path) -> None:
        fill(folder)
        seen.append((store.has(digest), visible_trees(store)))

    store.add(look)
    assert seen == [(False, [])]


def test_files_are_read_only_and_have_one_mode(store: Store) -> None:
    def executable(folder: Path) -> None:
        fill(folder)
        (folder / "operator.yaml").chmod(0o755)

    tree = store.path(store.add(executable))
    modes = {p.stat().st_mode & 0o777 for p in tree.rglob("*") if p.is_file()}
    assert modes == {0o444}


@pytest.mark.parametrize("end", ["\n", "\r", "\x1c", "\x85", "\u2028"])
def test_no_folders_name_makes_two_notes_of_where_a_tree_came_from(
    store: Store, digest: str, end: str
) -> None:
    folder = f"dir:/srv/a{end}hf:acme/embed"
    store.add(fill, source=folder)
    store.add(fill, source="dir:/srv/b")
    assert store.has(digest, source="dir:/srv/b")
    assert not store.has(digest, source="hf:acme/embed")
    assert not store.has(digest, source=folder)


def test_an_unexpected_tree_is_refused_and_not_stored(
    store: Store, digest: str
) -> None:
    expected = "sha256:" + "0" * 64
    with pytest.raises(DigestMismatch) as refusal:
        store.add(fill, expected=expected, what="acme/blur 1.0.0 from `here`")
    assert str(refusal.value) == (
        "The files of acme/blur 1.0.0 from `here` are not the expected ones\n"
        f"  expected {expected}\n"
        f"  found    {digest}"
    )
    assert visible_trees(store) == staged_folders(store) == []


def test_a_tree_with_a_link_is_refused_and_not_stored(store: Store) -> None:
    def hostile(folder: Path) -> None:
        fill(folder)
        (folder / "link").symlink_to("/etc/passwd")

    with pytest.raises(UnsafeTree):
        store.add(hostile)
    assert visible_trees(store) == staged_folders(store) == []
    assert Path("/etc/passwd").stat().st_mode & 0o600 == 0o600


def test_one_flipped_byte_of_the_same_size_is_found(store: Store) -> None:
    digest = store.add(fill)
    file = store.path(digest) / "package/__init__.py"
    file.chmod(0o644)
    file.write_bytes(b"VALUE = 2\n")
    with pytest.raises(DigestMismatch) as refusal:
        store.verify(digest)
    assert str(refusal.value) == (
        f"The files of `{store.path(digest)}` are not the expected ones\n"
        f"  expected {digest}\n"
        f"  found    {tree_digest(store.path(digest))}"
    )
    assert refusal.value.hint == "Delete that folder and install again"
    with pytest.raises(DigestMismatch, match=re.escape(f"`{store.path(digest)}`")):
        store.add(fill)
    assert staged_folders(store) == []


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:../../etc", "md5:" + "0" * 64, "0" * 64]
)
def test_what_is_no_digest_is_no_path(store: Store, digest: str) -> None:
    with pytest.raises(InvalidDigest) as refusal:
        store.path(digest)
    assert str(refusal.value) == f"expected `sha256:` and 64 digits, got {digest!r}"


def test_a_failed_fetch_leaves_nothing(store: Store) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.add(fail)
    assert visible_trees(store) == staged_folders(store) == []


# A child that is killed when it reaches one step of `add`.
KILLED_AT = """
import os, pathlib, signal, sys
import hub_client.store as module
from hub_client.staging import Staging

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

root, step, after = sys.argv[1:]
owner, _, name = step.rpartition(".")
owners = {"": module, "Store": module.Store, "Path": pathlib.Path, "Staging": Staging}
target = owners[owner]
original = getattr(target, name)

def last_step(*words, **more):
    original(*words, **more)
    killed()

setattr(target, name, last_step if after == "after" else killed)

def fill(folder):
    (folder / "package").mkdir()
    (folder / "operator.yaml").write_bytes(b"spec: 1\\n")
    (folder / "package" / "__init__.py").write_bytes(b"VALUE = 1\\n")

module.Store(pathlib.Path(root)).add(fill)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "step",
    ["Staging._sweep", "Path.write_bytes", "tree_digest", "_seal", "Store._publish"],
)
def test_a_kill_at_any_step_leaves_all_or_nothing_and_the_next_add_cleans(
    store: Store, digest: str, step: str, moment: str
) -> None:
    command = [sys.executable, "-c", KILLED_AT, store.root, step, moment]
    child = subprocess.run(command, check=False, capture_output=True, env=CHILD)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()

    if (step, moment) == ("Store._publish", "after"):
        store.verify(digest)
    else:
        assert visible_trees(store) == []
    assert store.add(fill) == digest
    store.verify(digest)
    assert staged_folders(store) == []


def test_a_staging_folder_that_goes_as_it_is_looked_at_hinders_nobody(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = store.root / "staging" / "others"
    others.mkdir(parents=True)
    (others / "lock").touch()
    make = os.mkdir

    def mkdir(path: str | Path, *mode: int) -> None:
        try:
            make(path, *mode)
        except FileExistsError:
            # Its process ends just now.
            if Path(path) == others:
                shutil.rmtree(others)
            raise

    monkeypatch.setattr("os.mkdir", mkdir)
    digest = store.add(fill)
    monkeypatch.undo()
    store.verify(digest)
    assert not others.exists()


def test_the_staging_folder_of_a_living_process_is_left_alone(
    store: Store, digest: str
) -> None:
    filling, finish = threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        filling.set()
        assert finish.wait(20)
        fill(folder)

    thread = threading.Thread(target=store.add, args=(slow,))
    thread.start()
    assert filling.wait(20)
    assert Store(store.root).add(fill) == digest
    assert len(staged_folders(store)) == 1
    finish.set()
    thread.join()
    store.verify(digest)
    assert staged_folders(store) == []


ADD = """
import pathlib, sys, time
from hub_client.store import Store
def fill(folder):
    (folder / "operator.yaml").write_bytes(b"spec: 1\\n" * 1000)
    print("filled", flush=True)
    sys.stdin.readline()
print(Store(pathlib.Path(sys.argv[1])).add(fill))
"""


def test_two_processes_that_add_one_tree_at_once_both_succeed(store: Store) -> None:
    command = [sys.executable, "-c", ADD, store.root]
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=CHILD,
                )
            )
            for _ in range(2)
        ]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "filled\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        answers = {child.communicate()[0].strip() for child in children}
        assert [child.returncode for child in children] == [0, 0]
    (digest,) = answers
    store.verify(digest)
    assert staged_folders(store) == []


# Limits and users are a process's own, so these run in a child, in the store's folder.
LIMITED = """
import os, pathlib, sys
from hub_client.store import CacheUnwritable, Store
import filelock  # now: whoever the limit makes us may not read the libraries
{limit}
def fill(folder):
    (folder / "weights").write_bytes(bytes(2_000_000))
try:
    Store(pathlib.Path("store")).add(fill)
except CacheUnwritable as error:
    print(error)
    print(error.hint)
"""
HINT = "Set `HUB_CACHE_DIR` to a folder you may write to\n"
FULL = (
    "Make room on that disk: `hub cache prune` removes what nothing needs any more; "
    "or set `HUB_CACHE_DIR` to a folder on another disk\n"
)


def run_limited(limit: str, folder: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", LIMITED.format(limit=limit)],
        cwd=folder,
        env=CHILD,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_a_file_that_is_too_large_for_the_disk_is_a_clear_error(
    tmp_path: Path,
) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6,) * 2)"
    message = run_limited(limit, tmp_path)
    assert message == f"Cannot write to `store`: File too large\n{HINT}"
    store = Store(tmp_path / "store")
    assert visible_trees(store) == staged_folders(store) == []


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=99", "tmpfs", disk]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs more rights")
    try:
        message = run_limited("", disk)
        store = Store(disk / "store")
        assert message == f"Cannot write to `store`: No space left on device\n{FULL}"
        assert visible_trees(store) == staged_folders(store) == []
        digest = store.add(fill)
        (disk / "catalogue").touch()
        with contextlib.suppress(OSError):
            for number in range(99):
                (disk / f"{number}").touch()
        (disk / "0").unlink()  # there is room for a folder, and for no lock in it
        with pytest.raises(CacheUnwritable), store.in_use():
            pass
        # Whoever is killed between the two leaves the folder.
        (store.root / "staging" / "left").mkdir()
        # What removes makes room also where there is not even any for a folder.
        with store.removing() as remove:
            remove(store.path(digest))
            remove(disk / "catalogue")
        assert visible_trees(store) == staged_folders(store) == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_what_lies_on_another_disk_than_the_store_goes_too(tmp_path: Path) -> None:
    memory = Path("/dev/shm")  # noqa: S108  (another disk on any Linux)
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second disk")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        mirrors = Path(folder) / "git"
        (mirrors / "one" / "objects").mkdir(parents=True)
        with Store(tmp_path / "store").removing() as remove:
            remove(mirrors / "one")
            remove(mirrors / "one")
        assert list(mirrors.iterdir()) == []


def test_a_read_only_cache_is_a_clear_error_and_can_still_be_read(
    store: Store, tmp_path: Path
) -> None:
    digest = store.add(fill)
    folders = (store.root, *(p for p in store.root.rglob("*") if p.is_dir()))
    for folder in folders:
        folder.chmod(0o555)
    try:
        # The superuser may write anywhere; nobody may not.
        limit = "os.geteuid() or os.seteuid(65534)"
        message = run_limited(limit, tmp_path)
        assert message == f"Cannot write to `store`: Permission denied\n{HINT}"
        store.verify(digest)
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_file_where_the_cache_should_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(CacheUnwritable) as refusal:
        Store(tmp_path / "cache" / "store").add(fill)
    assert str(refusal.value) == (
        f"Cannot write to `{tmp_path}/cache/store`: Not a directory"
    )
    assert (tmp_path / "cache").read_bytes() == b""
    store = Store(tmp_path / "cache" / "store")
    with pytest.raises(CacheUnwritable) as refusal, store.removing():
        pass
    assert f"{refusal.value.hint}\n" == HINT


def test_what_cannot_be_read_is_not_said_to_be_a_cache_that_cannot_be_written(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to("loop")  # nobody can read it, the superuser included
    for name, reason in {
        "loop": "Too many levels of symbolic links",
        "gone": "No such file or directory",
    }.items():
        source = tmp_path / name
        with pytest.raises(FilesUnreadable) as refusal:
            store.add(lambda tree: shutil.copyfile(source, tree / "a") and None)  # noqa: B023  (at once)
        assert str(refusal.value) == f"Cannot read `{source}`: {reason}"
        assert refusal.value.hint == "See that it is there, and that you may read it"

    def stop(tree: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", "from", None, f"{tree}/a")

    with pytest.raises(FilesUnreadable, match=r"Cannot copy `from` to `.*/tree/a`: In"):
        store.add(stop)
    assert visible_trees(store) == staged_folders(store) == []


KEPT = """
import os, pathlib
from hub_client.store import Store
store = Store(pathlib.Path("store"))
os.geteuid() or os.seteuid(65534)  # the superuser may write anywhere; nobody may not
for _ in range(2):
    store.keep_for(
        environment=pathlib.Path("/env"), project=pathlib.Path("/work"), warn=print
    )
"""


def test_who_cannot_be_remembered_is_told_once(store: Store, tmp_path: Path) -> None:
    words = [sys.executable, "-c", KEPT]
    store.keep_for(project=Path("/work"), warn=pytest.fail)
    tmp_path.chmod(0o755)
    folders = (store.root, store.root / "roots")
    for folder in folders:
        folder.chmod(0o555)
    try:
        said = subprocess.run(
            words, cwd=tmp_path, env=CHILD, check=True, capture_output=True, text=True
        ).stdout
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert said == (
        "`.` is not yours to write to: whoever prunes that cache cannot know of the "
        "environment `/env`\n"
    )
    assert [str(each.path) for each in store.roots] == ["/work"]


def test_a_note_that_a_prune_takes_meanwhile_is_passed_over(store: Store) -> None:
    store.roots.note("project", Path("/a"))
    store.roots.note("project", Path("/b"))
    notes = sorted(store.roots.folder.iterdir())
    reading = iter(store.roots)
    assert next(reading).note == notes[0]
    notes[1].unlink()
    assert list(reading) == []
