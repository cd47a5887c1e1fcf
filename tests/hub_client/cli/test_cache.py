"""What is in the cache, and what of it may go."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files

from hub_client.bundle.arriving import Arriving
from hub_client.cache import Cache
from hub_client.git_url import parse_git_url
from hub_client.index.mirror import IndexMirror
from hub_client.sources.hugging_face_notes import RepositoryNotes
from hub_client.store import Store

if TYPE_CHECKING:
    from servers.git_repository import GitRepository
    from servers.operator_files import OperatorFolder

    from hub_client.environment import Environment
    from tests.hub_client.cli.conftest import Hub


@pytest.fixture
def store() -> Store:
    return Store(Path(os.environ["HUB_CACHE_DIR"], "store"))


@pytest.fixture
def publisher(shelf: OperatorFolder) -> OperatorFolder:
    """Three operators; ``acme/embed`` needs ``acme/blur``."""
    shelf.publish("acme/blur", "1.0.0")
    shelf.publish("acme/embed", "1.0.0", operators=["acme/blur"])
    shelf.publish("acme/rank", "1.0.0")
    return shelf


def trees(store: Store) -> int:
    return len(store.digests())


@pytest.mark.usefixtures("publisher")
def test_prune_removes_what_nothing_needs_and_no_more(
    hub: Hub, into: tuple[str, str], target: Environment, store: Store
) -> None:
    hub.said("install", "acme/embed", "acme/rank", *into)
    said = hub.said("cache", "prune")
    kept = "what 2 environments and 0 projects need stays\n"
    assert said == f"Nothing to remove; {kept}"
    hub.said("uninstall", "acme/rank", *into)
    size = sum(
        path.stat().st_size
        for digest in store.digests()
        for path in store.path(digest).rglob("*.*")
        if b"acme/rank" in (store.path(digest) / "operator.yaml").read_bytes()
    )
    dry = hub("cache", "prune", "--dry-run")
    assert dry.stdout == f"- acme/rank 1.0.0  {size} B\n"
    assert dry.stderr == f"Would remove 1 item, {size} B; {kept}"
    assert trees(store) == 3
    done = json.loads(hub.result("cache", "prune", "--json"))
    assert [each["subject"] for each in done["removed"]] == ["acme/rank 1.0.0"]
    assert (done["dry_run"], done["size"], done["gone"]) == (False, size, [])
    for receipt in target.receipts():
        store.verify(receipt.tree)
    assert trees(store) == 2
    assert list((store.root / "staging").iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("publisher")
def test_an_environment_that_is_gone_needs_nothing_and_is_forgotten(
    hub: Hub, into: tuple[str, str], target: Environment, store: Store
) -> None:
    hub.said("install", "acme/embed", *into)
    shutil.rmtree(target.prefix)
    done = json.loads(hub.result("cache", "prune", "--json"))
    assert done["gone"] == [{"kind": "environment", "path": str(target.prefix)}]
    assert trees(store) == 0
    assert json.loads(hub.result("cache", "prune", "--json"))["gone"] == []


def test_a_running_environment_that_is_gone_has_no_note_to_forget(
    store: Store, tmp_path: Path
) -> None:
    digest = store.add(lambda tree: (tree / "new").touch())
    cache = Cache(store.root.parent, current=tmp_path / "gone")
    # First what would be deleted: were it any file, this test must not do it.
    assert [each.note for each in cache.prune(dry_run=True).gone] == [None]
    removal = cache.prune()
    assert [each.path for each in removal.entries] == [store.path(digest)]
    assert not store.has(digest)


def test_wheels_of_a_failed_sync_are_counted_and_go(store: Store) -> None:
    cache = Cache(store.root.parent)
    arriving = Arriving.of(cache.folder)
    with suppress(KeyboardInterrupt), arriving.taken():
        (arriving.path / "a.whl").write_bytes(b"abc")
        # One that is at work needs what it has so far.
        assert cache.prune().entries == ()
        raise KeyboardInterrupt
    (left,) = cache.entries()
    assert (left.kind, left.subject, left.size) == ("unfinished", "a.whl", 3)
    assert cache.prune(dry_run=True).entries == cache.prune().entries == (left,)
    assert [*cache.entries()] == []


@pytest.mark.usefixtures("publisher")
def test_a_projects_lock_keeps_what_it_pins_even_with_an_unfinished_merge(
    hub: Hub, store: Store
) -> None:
    Path("hub.toml").write_text('operators = ["acme/embed"]\n')
    hub.said("lock")
    hub.said("cache", "prune")
    assert trees(store) == 2
    lock = Path("hub.lock").read_text()
    Path("hub.lock").write_text(f"<<<<<<< ours\n{lock}")
    hub.said("cache", "prune")
    assert trees(store) == 2
    Path("hub.lock").unlink()
    why = f"the project `{Path.cwd()}`, which has no `hub.lock` any more\n"
    assert f"Would forget {why}" in hub("cache", "prune", "--dry-run").stderr
    assert f"Forgot {why}" in hub.said("cache", "prune")
    assert trees(store) == 0


@pytest.mark.usefixtures("publisher")
def test_nothing_goes_if_nobody_can_tell_what_is_needed(
    hub: Hub, into: tuple[str, str], target: Environment, store: Store
) -> None:
    hub.said("install", "acme/embed", *into)
    (file,) = (each for each in target.receipt_files() if each.stem == "embed")
    file.unlink()
    file.symlink_to(file)  # nobody can read it, the superuser included
    assert hub.refused("cache", "prune") == (
        f"error: Cannot read `{file}`, and so not tell what `{target.prefix}` needs: "
        "Too many levels of symbolic links\n\n"
        "hint: Make it readable, or delete it, and run the command again\n"
    )
    assert trees(store) == 2
    folder = file.parents[1]
    shutil.rmtree(folder)
    folder.symlink_to(folder)
    assert hub.refused("cache", "prune").startswith(f"error: Cannot read `{folder}`, ")
    assert trees(store) == 2


@pytest.mark.usefixtures("publisher")
def test_an_environment_that_nobody_may_look_at_is_not_taken_as_gone(
    hub: Hub, store: Store, tmp_path: Path
) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    store.roots.note("environment", loop / "environment")
    (note,) = store.roots.folder.iterdir()
    for words in (["prune"], ["prune", "--dry-run"], ["clean", "--all", "--yes"]):
        assert hub.refused("cache", *words) == (
            f"error: Cannot see whether `{loop}/environment` is there: "
            "Too many levels of symbolic links\n\n"
            "hint: Run it as somebody who may look there; if nobody needs it any more, "
            f"delete `{note}`\n"
        )
    for damaged in ('{"kind": "project", "path": "/\\u0000"}', "[" * 100_000):
        note.write_text(damaged)
        assert hub.refused("cache", "prune").startswith(
            f"error: `{note}` does not read back, and it says who needs what is here\n"
        )


@pytest.mark.slow  # takes more than a second
@pytest.mark.usefixtures("publisher")
def test_nothing_goes_for_a_damaged_receipt_or_lock(
    hub: Hub, into: tuple[str, str], target: Environment, store: Store
) -> None:
    Path("hub.toml").write_text('operators = ["acme/rank"]\n')
    hub.said("lock")
    hub.said("install", "acme/embed", "--no-project", *into)
    (file,) = (each for each in target.receipt_files() if each.stem == "embed")
    whole = file.read_bytes()
    for damaged in (whole[:60], b"", whole.replace(b"sha256:", b"sha512:")):
        file.write_bytes(damaged)
        assert hub.refused("cache", "prune") == (
            f"error: Cannot tell what `{target.prefix}` needs: the receipt `{file}` "
            "does not read back\n\n"
            "hint: Remove that file and install the operator again\n"
        )
    file.write_bytes(whole)
    lock = Path("hub.lock").absolute()
    os.truncate(lock, 300)
    said = hub.refused("cache", "clean")
    assert said.startswith(
        f"error: Cannot tell what `{lock.parent}` needs: `hub.lock` does not read\n"
    )
    assert said.endswith("\n\nhint: Write it anew with `hub lock`\n")
    assert trees(store) == 3
    hub.said("lock")
    hub.said("cache", "prune")
    assert trees(store) == 3


@pytest.mark.slow
@pytest.mark.usefixtures("publisher")
def test_prune_waits_for_who_uses_the_store_and_others_wait_for_it(
    hub: Hub, into: tuple[str, str], store: Store
) -> None:
    hub.said("install", "acme/embed", *into)
    hub.said("uninstall", "acme/embed", *into)
    words = hub.words("cache", "prune")
    with ExitStack() as stack:
        prune = stack.enter_context(
            subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        )
        using = stack.enter_context(ExitStack())
        using.enter_context(store.in_use())
        assert prune.stderr is not None
        assert prune.stderr.readline() == "Waiting for other commands of hub\n"
        time.sleep(0.2)
        assert (prune.poll(), trees(store)) == (None, 2)
        # Who uses the store may still add to it.
        store.add(lambda tree: (tree / "new").touch())
        assert trees(store) == 3
        using.close()
        said = prune.stderr.read()
    assert (prune.returncode, trees(store)) == (0, 1), said


@pytest.mark.slow
def test_clean_keeps_what_is_run_and_all_asks_before_it_takes_that_too(
    hub: Hub,
    repository: GitRepository,
    into: tuple[str, str],
    target: Environment,
    store: Store,
) -> None:
    repository.release("1.0.0", operator_files("other/sharpen", "1.0.0"))
    source = f"git+{repository.url}"
    hub("install", "other/sharpen", *into, "--source", source, "--trust-once")
    mirrors = store.root.parent / "git"
    assert len(list(mirrors.glob("*/HEAD"))) == 1
    parts = json.loads(hub.result("cache", "size", "--json"))["parts"]
    assert {kind: part["count"] for kind, part in parts.items()} == {
        "operators": 1,
        "repositories": 1,
        "indexes": 0,
        "unfinished": 0,
    }
    planned = hub("cache", "clean", "--dry-run").stdout
    assert planned.startswith(f"- {repository.url}  ")
    hub.said("cache", "clean")
    assert (list(mirrors.glob("*/HEAD")), trees(store)) == ([], 1)
    refused = hub.refused("cache", "clean", "--all")
    assert f"\n  {target.prefix}\n" in refused
    assert re.match(r"error: Operators go that (1 .* runs|\d+ .*s run)\n", refused)
    assert refused.endswith("\n\nhint: Pass `--yes`, or leave `--all` away\n")
    planned = hub("cache", "clean", "--all", "--yes", "--dry-run").stderr
    assert planned.endswith("; what 2 environments and 0 projects need goes, too\n")
    hub.said("cache", "clean", "--all", "--yes")
    assert trees(store) == 0
    hub("install", "other/sharpen", *into, "--source", source, "--trust-once")
    assert trees(store) == 1


@pytest.mark.usefixtures("publisher")
def test_verify_names_each_tree_and_file_that_differs(
    hub: Hub, into: tuple[str, str], target: Environment, store: Store
) -> None:
    hub.said("install", "acme/embed", *into)
    assert hub.said("cache", "verify") == "Verifying\nVerified 2 operators\n"
    (receipt,) = (each for each in target.receipts() if each.name.name == "embed")
    folder = store.path(receipt.tree)
    (folder / "echo" / "__init__.py").chmod(0o644)
    (folder / "echo" / "__init__.py").write_text("raise SystemExit\n")
    # An environment that may not be read tells nothing of them, and the other does.
    unreadable = target.prefix / "unreadable" / "share" / "towhee-hub"
    unreadable.mkdir(parents=True)
    (unreadable / "receipts").symlink_to("receipts")
    store.roots.note("environment", target.prefix / "unreadable")
    done = hub("cache", "verify", "--no-progress")
    assert done.returncode == 1
    assert done.stdout == (
        f"acme/embed 1.0.0: the files in `{folder}` are not those that were fetched\n"
        "  `echo/__init__.py` was changed\n"
    )
    assert done.stderr == (
        "1 difference in 2 operators\n\n"
        "hint: Delete a folder that was changed; `hub sync` fetches it again\n"
    )


def test_copies_are_named_by_where_they_are_from_without_credentials(
    repository: GitRepository, tmp_path: Path
) -> None:
    repository.commit({"README.md": b"An index\n"})
    cache = tmp_path / "cache"
    IndexMirror(parse_git_url(repository.url), cache).fetch_tip()
    url = "https://hf_0123456789abcdef@hub.acme.example/acme/embed"
    RepositoryNotes.open(cache, url).note_tags({})
    assert sorted(each.subject for each in Cache(cache).entries()) == [
        repository.url,
        f"{repository.url} (when it was asked)",
        "https://***@hub.acme.example/acme/embed",
    ]


@pytest.mark.slow
def test_an_empty_cache_is_no_error(hub: Hub) -> None:
    assert hub.result("cache", "size") == "total    0 B\n"
    assert hub.said("cache", "prune") == (
        "Nothing to remove; what 0 environments and 0 projects need stays\n"
    )
