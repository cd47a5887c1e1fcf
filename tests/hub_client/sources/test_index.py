from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from servers.git_repository import GitRepository, Special
from servers.index_files import IndexRepository
from servers.operator_files import operator_files

from hub_client import git_commands
from hub_client.candidate import Candidate, Release
from hub_client.index.entry import InvalidEntry
from hub_client.sources.git import GitSource
from hub_client.sources.index import (
    IndexDisagrees,
    IndexSource,
    IndexUnreachable,
    check_indexed,
)
from hub_client.steps import told
from hub_client.store import CacheUnwritable
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

    from servers.git_servers import GitHttpServer

EMBED = OperatorName.parse("acme/embed")
FILES = operator_files("acme/embed", "1.0.0")


@pytest.fixture
def index(repositories: Path) -> IndexRepository:
    """The index, still empty."""
    return IndexRepository(GitRepository.create(repositories / "index.git"))


def publish(
    embed: GitRepository, index: IndexRepository, version: str, **changes: object
) -> str:
    """Release a version, and list it; gives its commit."""
    files = operator_files("acme/embed", version)
    commit = embed.release(version, files)
    index.list(f"git+{embed.url}", commit, files, **changes)
    index.commit()
    return commit


def source(
    index: IndexRepository, tmp_path: Path, *, offline: bool = False
) -> IndexSource:
    url = index.repository.url
    return IndexSource(url, cache_dir=tmp_path / "cache", offline=offline)


def candidate(source: IndexSource, release: Release) -> Candidate:
    manifest = source.manifest(EMBED, release)
    return Candidate(EMBED, release, release.source or "", manifest)


def test_an_index_answers_with_versions_and_manifests(
    embed: GitRepository, index: IndexRepository, tmp_path: Path
) -> None:
    commit = publish(embed, index, "1.0.0")
    publish(embed, index, "1.1.0", yanked="it crashes")
    found = source(index, tmp_path)

    first, second = found.versions(EMBED)
    assert (first.version, first.revision) == (Version("1.0.0"), commit)
    assert (first.source, second.yanked) == (f"git+{embed.url}", "it crashes")
    assert found.manifest(EMBED, second).version == Version("1.1.0")
    assert found.names() == (EMBED,)
    assert found.versions(OperatorName.parse("acme/other")) == ()


def test_files_come_from_the_operators_own_source(
    embed: GitRepository, index: IndexRepository, tmp_path: Path
) -> None:
    publish(embed, index, "1.0.0")
    found = source(index, tmp_path)
    wanted = candidate(found, found.versions(EMBED)[0])
    into = tmp_path / "tree"
    into.mkdir()

    found.fetch(wanted, into)

    assert {
        str(path.relative_to(into)): path.read_bytes()
        for path in into.rglob("*")
        if path.is_file()
    } == FILES
    found.confirm(wanted, into)


def test_an_index_is_fetched_once_for_all_operators(
    repositories: Path, index: IndexRepository, http: GitHttpServer, tmp_path: Path
) -> None:
    for number in range(20):
        files = operator_files(f"acme/embed-{number}", "1.0.0")
        index.list("git+https://git.example.org/embed.git", "a" * 40, files)
    index.commit()
    url, cache = f"{http.url}/index.git", tmp_path / "cache"

    first = IndexSource(url, cache_dir=cache)
    for name in first.names():
        first.manifest(name, first.versions(name)[0])
    fetches = [each for each in http.requests if each.startswith("POST")]
    assert len(fetches) == 3  # refs for the tip; refs and objects for the fetch

    http.requests.clear()
    second = IndexSource(url, cache_dir=cache)
    assert second.names() == first.names()
    assert len([each for each in http.requests if each.startswith("POST")]) == 1


def test_a_later_fetch_brings_only_what_changed(
    index: IndexRepository, http: GitHttpServer, tmp_path: Path
) -> None:
    for number in range(40):
        files = operator_files(f"acme/embed-{number}", "1.0.0")
        index.list("git+https://git.example.org/e.git", f"{number:040x}", files)
    index.commit()
    url, cache = f"{http.url}/index.git", tmp_path / "cache"
    assert len(IndexSource(url, cache_dir=cache).names()) == 40
    all_of_it, http.bytes_sent = http.bytes_sent, 0

    files = operator_files("acme/embed-7", "1.1.0")
    index.list("git+https://git.example.org/e.git", "b" * 40, files)
    index.commit()
    name = OperatorName.parse("acme/embed-7")

    assert len(IndexSource(url, cache_dir=cache).versions(name)) == 2
    assert http.bytes_sent < all_of_it / 4


def test_entries_without_end_are_not_all_read(
    index: IndexRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"acme/n{number}" for number in range(9)]
    for name, needed in zip(names, (*names[1:], "acme/none"), strict=True):
        files = operator_files(name, "1.0.0", operators=[needed])
        index.list("git+https://git.example.org/e.git", "a" * 40, files)
    index.commit()
    monkeypatch.setattr("hub_client.sources.index.READ_LIMIT", 4000)
    with pytest.raises(IndexUnreachable, match="more than 4,000 bytes"):
        source(index, tmp_path).versions(OperatorName.parse(names[0]))
    assert source(index, tmp_path).versions(OperatorName.parse(names[-1]))


def test_a_host_that_does_not_answer_in_time_is_asked_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_commands, "_LISTING_SECONDS", 0.5)
    monkeypatch.setattr("hub_client.sources.silent_hosts.PATIENCE", 0.2)
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent, told(said.append):
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        release = Release(Version("1.0.0"), "a" * 40, source=f"git+git://{host}/embed")
        manifest = Manifest.from_yaml(FILES["operator.yaml"])
        wanted = Candidate(EMBED, release, f"git+git://{host}/embed", manifest)

        def open_own(spec: str) -> GitSource:
            return GitSource(spec.removeprefix("git+"), cache_dir=tmp_path / "cache")

        assert check_indexed([wanted] * 20, open_own) == []
    assert len([each for each in said if each.startswith("git ls-remote ")]) == 8
    failed = [each for each in said if "no end after 0.5 seconds" in each]
    taken = f"acme/embed is taken as it is indexed: `{host}` did not answer before: "
    assert (len(failed), sum(each.startswith(taken) for each in failed)) == (20, 12)


def test_offline_the_last_fetch_answers(
    embed: GitRepository, index: IndexRepository, tmp_path: Path
) -> None:
    publish(embed, index, "1.0.0")
    offline = source(index, tmp_path, offline=True)
    with pytest.raises(IndexUnreachable) as error:
        offline.versions(EMBED)
    assert str(error.value) == (f"Offline, and `{index.spec}` was not fetched before")

    online = source(index, tmp_path)
    wanted = candidate(online, online.versions(EMBED)[0])
    (tmp_path / "first").mkdir()
    online.fetch(wanted, tmp_path / "first")
    publish(embed, index, "1.1.0")
    for repository in (embed, index.repository):
        repository.path.rename(repository.path.with_suffix(".away"))

    offline = source(index, tmp_path, offline=True)
    assert offline.versions(EMBED) == (wanted.release,)
    (tmp_path / "second").mkdir()
    offline.fetch(wanted, tmp_path / "second")


def test_an_index_that_does_not_answer_is_named(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/none.git"

    with pytest.raises(IndexUnreachable) as error:
        IndexSource(url, cache_dir=tmp_path / "cache").versions(EMBED)

    assert str(error.value) == (
        f"Cannot fetch `index+{url}`: '{tmp_path}/none.git' does not appear to be a "
        "git repository"
    )


def test_an_index_without_a_commit_is_named(
    index: IndexRepository, tmp_path: Path
) -> None:
    with pytest.raises(IndexUnreachable, match="its default branch has no commit"):
        source(index, tmp_path).names()


def test_a_tag_that_is_gone_does_not_take_back_what_is_indexed(
    embed: GitRepository, index: IndexRepository, tmp_path: Path
) -> None:
    publish(embed, index, "1.0.0")
    embed.delete_tag("v1.0.0")
    found = source(index, tmp_path)
    (tmp_path / "tree").mkdir()

    found.fetch(candidate(found, found.versions(EMBED)[0]), tmp_path / "tree")

    assert (tmp_path / "tree" / "operator.yaml").is_file()


def test_an_index_may_not_add_to_a_manifest(
    embed: GitRepository, index: IndexRepository, tmp_path: Path
) -> None:
    commit = embed.release("1.0.0", FILES)
    forged = operator_files("acme/embed", "1.0.0", packages=["evil"])
    index.list(f"git+{embed.url}", commit, forged)
    index.commit()
    found = source(index, tmp_path)
    wanted = candidate(found, found.versions(EMBED)[0])
    (tmp_path / "tree").mkdir()
    found.fetch(wanted, tmp_path / "tree")

    with pytest.raises(IndexDisagrees) as error:
        found.confirm(wanted, tmp_path / "tree")

    assert str(error.value) == (
        f"`{index.spec}` says of acme/embed 1.0.0 what its `operator.yaml` does not"
    )


def test_an_index_of_the_network_names_no_local_path(
    index: IndexRepository, http: GitHttpServer, tmp_path: Path
) -> None:
    index.list("git+file:///srv/embed.git", "a" * 40, FILES)
    index.commit()
    url = f"{http.url}/index.git"

    with pytest.raises(InvalidEntry, match=r"`git\+file:///srv/embed\.git` is a local"):
        IndexSource(url, cache_dir=tmp_path / "cache").versions(EMBED)


def test_what_is_no_entry_is_passed_over(
    index: IndexRepository, tmp_path: Path
) -> None:
    index.repository.commit(
        {
            "README.md": b"An index",
            "operators/README.md": b"Entries",
            "operators/acme/Embed.jsonl": b"{}",
            "operators/acme/deep/embed.jsonl": b"{}",
            "operators/acme/link.jsonl": Special.link("../../../etc/passwd"),
            "operators/acme/embed.jsonl": b"{}",
            "operators/acme/run.jsonl": Special("100755", "{}"),
        }
    )
    found = source(index, tmp_path)

    assert found.names() == (EMBED, OperatorName.parse("acme/run"))
    with pytest.raises(InvalidEntry, match=re.escape("line 1: version: missing")):
        found.versions(EMBED)


def test_an_entry_without_end_is_refused(
    index: IndexRepository, tmp_path: Path
) -> None:
    index.repository.commit({"operators/acme/embed.jsonl": b" " * (5 << 20)})

    with pytest.raises(InvalidEntry, match="4,194,304 bytes are too many"):
        source(index, tmp_path).versions(EMBED)
    index.repository.commit({"operators/acme/embed.jsonl": b" " * (70 << 20)})
    with pytest.raises(IndexUnreachable, match="an entry has more than 67,108,864 b"):
        source(index, tmp_path).versions(EMBED)


def test_what_an_entry_names_is_read_with_it(
    index: IndexRepository, tmp_path: Path
) -> None:
    for name, needs in (("a", ["acme/b>=1"]), ("b", ["acme/c"]), ("c", ["acme/none"])):
        files = operator_files(f"acme/{name}", "1.0.0", operators=needs)
        index.list("git+https://git.example.org/e.git", "a" * 40, files)
    index.commit()
    found = source(index, tmp_path)
    assert len(found.versions(OperatorName.parse("acme/a"))) == 1

    # What was not read yet cannot be read any more.
    found.mirror.path.rename(tmp_path / "away")

    assert len(found.versions(OperatorName.parse("acme/c"))) == 1


def test_an_index_that_is_here_is_read_where_nothing_may_be_written(
    embed: GitRepository, index: IndexRepository, tmp_path: Path
) -> None:
    publish(embed, index, "1.0.0")
    found = source(index, tmp_path)
    assert found.names() == (EMBED,)
    mirror = found.mirror.path
    for path in (mirror.with_suffix(".asked"), mirror.with_name(f"{mirror.name}.lock")):
        path.unlink()
        path.symlink_to("gone/for-good")  # the superuser, too, writes nothing there
    assert source(index, tmp_path).names() == (EMBED,)
    publish(embed, index, "1.1.0")
    with pytest.raises(CacheUnwritable) as refusal:
        source(index, tmp_path).names()
    assert str(refusal.value).startswith(f"Cannot write to `{mirror}`: ")
    assert refusal.value.hint == (
        "Set `HUB_CACHE_DIR` to a folder you may write to; "
        "`--offline` takes what was fetched last"
    )
    assert len(source(index, tmp_path, offline=True).versions(EMBED)) == 1
