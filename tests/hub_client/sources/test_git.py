from __future__ import annotations

import base64
import hashlib
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from servers.git_repository import GitRepository
from servers.git_servers import serve_http
from servers.operator_files import operator_files

from hub_client import git_commands
from hub_client.candidate import Candidate, Release
from hub_client.git_commands import GitFailed, GitMissing, open_objects, run_git
from hub_client.sources.git import (
    CommitGone,
    GitSource,
    OfflineMiss,
    PointersOnly,
    RepositoryUnreachable,
    TagMoved,
)
from hub_client.sources.git_copy import NoCommit
from hub_client.sources.git_mirror import GitMirror
from hub_client.store import CacheUnwritable
from plugin_spec.errors import InvalidManifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

    from servers.git_servers import GitHttpServer

NAME = OperatorName.parse("acme/embed")
OLD, NEW = operator_files(str(NAME), "1.0.0"), operator_files(str(NAME), "1.1.0")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def open_git(url: str, cache: Path, *, offline: bool = False) -> GitSource:
    return GitSource(url, cache_dir=cache, offline=offline, trusted=True)


def mirror_of(source: GitSource) -> GitRepository:
    return GitRepository(source._mirror(NAME).path)


def read(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def fetch(source: GitSource, release: Release, into: Path) -> dict[str, bytes]:
    into.mkdir()
    manifest = source.manifest(NAME, release)
    source.fetch(Candidate(NAME, release, "git+test", manifest), into)
    return read(into)


def test_an_operator_comes_over_every_protocol(
    url: str, embed: GitRepository, cache: Path, tmp_path: Path
) -> None:
    first = embed.release("1.0.0", OLD, annotated=True)
    second = embed.release("1.1.0", NEW)
    embed.commit({**NEW, "later.txt": b"not released"})
    source = open_git(url + "/{name}.git", cache)
    releases = source.versions(NAME)
    assert releases == (
        Release(Version("1.0.0"), first, "refs/tags/v1.0.0"),
        Release(Version("1.1.0"), second, "refs/tags/v1.1.0"),
    )
    assert fetch(source, releases[0], tmp_path / "old") == OLD
    assert fetch(source, releases[1], tmp_path / "new") == NEW


def test_a_repository_may_hash_with_sha256(
    repositories: Path, cache: Path, tmp_path: Path
) -> None:
    embed = GitRepository.create(repositories / "new.git", hashes="sha256")
    commit = embed.release("1.0.0", OLD)
    embed.release("1.1.0", NEW)
    embed.tag("yanked-v1.1.0", commit, annotated=True)
    source = open_git(embed.url, cache)
    release, yanked = source.versions(NAME)
    assert (release.revision, yanked.yanked) == (commit, "yanked-v1.1.0")
    assert fetch(source, release, tmp_path / "tree") == OLD


def test_a_branch_with_a_tags_name_is_never_taken(
    url: str, embed: GitRepository, cache: Path, tmp_path: Path
) -> None:
    tagged = embed.release("1.0.0", OLD)
    branch = embed.commit({**OLD, "evil.txt": b""})
    embed.branch("v1.0.0", branch)
    embed.branch("refs/tags/v1.0.0", branch)
    embed.branch("v2.0.0", branch)
    embed.branch("refs/tags/v3.0.0", branch)
    # Of all that a short name can mean, git takes this one first.
    embed.git("update-ref", "refs/v1.0.0", branch)
    source = open_git(url + "/embed.git", cache)
    (release,) = source.versions(NAME)
    assert release.revision == tagged
    assert fetch(source, release, tmp_path / "tree") == OLD
    # Also where a server gives nothing but what its refs name.
    mirror = GitMirror(source._mirror(NAME).url, tmp_path / "other")
    assert mirror.fetch(str(release.ref), str(release.ref)) == tagged


def test_tags_that_are_no_versions_do_not_count(
    embed: GitRepository, cache: Path
) -> None:
    commit = embed.commit(OLD)
    for tag in ("v1.0.0", "1.2.0", "version", "vNext", "v1.x", "nightly/v3.0.0"):
        embed.tag(tag, commit)
    (release,) = open_git(embed.url, cache).versions(NAME)
    assert release.ref == "refs/tags/v1.0.0"


def test_a_floating_major_tag_does_not_hide_the_full_version(
    embed: GitRepository, cache: Path
) -> None:
    embed.tag("v1", embed.commit(NEW))
    commit = embed.release("1.0.0", OLD)
    assert open_git(embed.url, cache).versions(NAME) == (
        Release(Version("1.0.0"), commit, "refs/tags/v1.0.0"),
    )


def test_ten_tags_are_listed_without_an_object_and_one_is_fetched_alone(
    http: GitHttpServer, embed: GitRepository, cache: Path
) -> None:
    for minor in range(10):
        version = f"1.{minor}.0"
        ballast = f"{minor}" * 100_000
        embed.release(version, operator_files(str(NAME), version, ballast=ballast))
    source = open_git(f"{http.url}/embed.git", cache)
    releases = source.versions(NAME)
    assert len(releases) == 10
    assert not mirror_of(source).path.exists()

    source.manifest(NAME, releases[4])
    # One commit, its two trees, its three files: no parent, no other version.
    assert mirror_of(source).object_count() == 6
    commits = mirror_of(source).git("rev-list", "--all").split()
    assert commits == [releases[4].revision]


def test_a_mirror_is_shared_and_asked_before_the_network(
    http: GitHttpServer, embed: GitRepository, cache: Path, tmp_path: Path
) -> None:
    embed.release("1.0.0", OLD)
    url = f"{http.url}/embed.git"
    (release,) = open_git(url, cache).versions(NAME)
    open_git(url, cache).manifest(NAME, release)
    asked = len(http.requests)
    assert fetch(open_git(url, cache), release, tmp_path / "tree") == OLD
    assert len(http.requests) == asked


def test_a_second_version_transfers_only_what_differs(
    http: GitHttpServer, embed: GitRepository, cache: Path
) -> None:
    ballast = base64.b85encode(bytes(range(256)) * 2000).decode()
    for version in ("1.0.0", "1.1.0"):
        embed.release(version, operator_files(str(NAME), version, ballast=ballast))
    source = open_git(f"{http.url}/embed.git", cache)
    first, second = source.versions(NAME)
    source.manifest(NAME, first)
    sent = http.bytes_sent
    source.manifest(NAME, second)
    assert http.bytes_sent - sent < 2000


def test_a_locked_commit_is_fetched_although_its_tag_moved(
    url: str, embed: GitRepository, cache: Path, tmp_path: Path
) -> None:
    locked = Release(Version("1.0.0"), embed.release("1.0.0", OLD), "refs/tags/v1.0.0")
    embed.branch("old", locked.revision)
    moved = embed.release("1.0.0", {**OLD, "evil.txt": b""})
    source = open_git(url + "/embed.git", cache)
    assert source.versions(NAME)[0].revision == moved
    assert fetch(source, locked, tmp_path / "tree") == OLD


def test_a_moved_tag_is_refused_with_both_commits(
    url: str, embed: GitRepository, cache: Path
) -> None:
    noted = embed.release("1.0.0", OLD)
    embed.git("update-ref", "-d", "refs/heads/main")
    moved = embed.release("1.0.0", {**OLD, "evil.txt": b""})
    embed.forget_unreachable()
    source = open_git(url + "/embed.git", cache)
    release = Release(Version("1.0.0"), noted, "refs/tags/v1.0.0")
    with pytest.raises(TagMoved) as refusal:
        source.manifest(NAME, release)
    assert str(refusal.value) == (
        f"`refs/tags/v1.0.0` of acme/embed 1.0.0 was moved at `{url}/embed.git`\n"
        f"  expected commit {noted}\n"
        f"  found    commit {moved}"
    )
    assert not source._mirror(NAME).known_tags()


def test_a_deleted_tag_is_told_apart_from_a_moved_one(
    url: str, embed: GitRepository, cache: Path
) -> None:
    noted = embed.release("1.0.0", OLD)
    embed.delete_tag("v1.0.0")
    embed.git("update-ref", "-d", "refs/heads/main")
    embed.commit(NEW)
    embed.forget_unreachable()
    release = Release(Version("1.0.0"), noted, "refs/tags/v1.0.0")
    with pytest.raises(CommitGone) as refusal:
        open_git(url + "/embed.git", cache).manifest(NAME, release)
    first, reason, last = str(refusal.value).splitlines()
    assert first == (
        f"Commit {noted} of acme/embed 1.0.0 is gone from `{url}/embed.git`"
    )
    assert reason.startswith("  the server says: ")
    assert last == "  and there is no `refs/tags/v1.0.0` any more"
    assert refusal.value.hint == (
        "Ask its publisher, or choose another version with `hub lock`"
    )


def test_a_locked_commit_outlives_its_deleted_tag(
    embed: GitRepository, cache: Path, tmp_path: Path
) -> None:
    locked = Release(Version("1.0.0"), embed.release("1.0.0", OLD), "refs/tags/v1.0.0")
    embed.delete_tag("v1.0.0")
    source = open_git(embed.url, cache)
    assert source.versions(NAME) == ()
    assert fetch(source, locked, tmp_path / "tree") == OLD


def test_a_repository_gone_after_locking_says_what_was_tried(
    url: str, embed: GitRepository, cache: Path
) -> None:
    commit = embed.release("1.0.0", OLD)
    shutil.rmtree(embed.path)
    source = open_git(url + "/embed.git", cache)
    with pytest.raises(RepositoryUnreachable) as refusal:
        source.manifest(NAME, Release(Version("1.0.0"), commit, "refs/tags/v1.0.0"))
    first, second, third = str(refusal.value).splitlines()
    assert first == f"Cannot fetch commit {commit} of acme/embed 1.0.0"
    assert second == f"  the copy in `{source._mirror(NAME).path}` does not have it"
    assert third.startswith(f"  `{url}/embed.git` says: ")
    with pytest.raises(RepositoryUnreachable, match="Cannot list the versions at"):
        source.versions(NAME)


def test_a_repository_gone_after_fetching_is_not_missed(
    url: str, embed: GitRepository, cache: Path, tmp_path: Path
) -> None:
    embed.release("1.0.0", OLD)
    source = open_git(url + "/embed.git", cache)
    (release,) = source.versions(NAME)
    source.manifest(NAME, release)
    shutil.rmtree(embed.path)
    assert fetch(source, release, tmp_path / "tree") == OLD


def test_a_server_that_does_not_answer_is_named(cache: Path) -> None:
    source = open_git("http://127.0.0.1:9/embed.git", cache)
    with pytest.raises(RepositoryUnreachable) as refusal:
        source.versions(NAME)
    assert str(refusal.value).startswith(
        "Cannot list the versions at `http://127.0.0.1:9/embed.git`: "
    )
    assert refusal.value.hint == (
        "Check the address, your network and that you may read it"
    )


@pytest.mark.parametrize("limit", ["TIMEOUT_SECONDS", "_LISTING_SECONDS"])
def test_a_server_that_stalls_is_left(
    limit: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_commands, limit, 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"git://127.0.0.1:{silent.getsockname()[1]}/embed.git"
        with pytest.raises(RepositoryUnreachable) as refusal:
            open_git(url, cache).versions(NAME)
    assert str(refusal.value) == (
        f"Cannot list the versions at `{url}`: no end after 0.5 seconds"
    )


def test_an_http_server_that_sends_next_to_nothing_is_left(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_client.git_commands.TIMEOUT_SECONDS", 20)
    settings = git_commands._SETTINGS
    monkeypatch.setitem(settings, "http.lowSpeedTime", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/embed.git"
        with pytest.raises(RepositoryUnreachable, match="too slow"):
            open_git(url, cache).versions(NAME)


def test_offline_only_the_mirror_answers(
    http: GitHttpServer, embed: GitRepository, cache: Path, tmp_path: Path
) -> None:
    first = embed.release("1.0.0", OLD, annotated=True)
    second = embed.release("1.1.0", NEW)
    url = f"{http.url}/embed.git"
    offline = open_git(url, cache, offline=True)
    with pytest.raises(OfflineMiss) as refusal:
        offline.versions(NAME)
    assert str(refusal.value) == f"Offline, and nothing of `{url}` was fetched before"

    release = Release(Version("1.0.0"), first, "refs/tags/v1.0.0")
    open_git(url, cache).manifest(NAME, release)
    asked = len(http.requests)
    assert offline.versions(NAME) == (release,)
    assert fetch(offline, release, tmp_path / "tree") == OLD
    with pytest.raises(OfflineMiss) as refusal:
        offline.manifest(NAME, Release(Version("1.1.0"), second, "refs/tags/v1.1.0"))
    assert str(refusal.value) == (
        f"Offline, and commit {second} of acme/embed 1.1.0 was not fetched before"
    )
    assert len(http.requests) == asked


def test_a_server_without_commit_ids_is_asked_for_the_tag(
    embed: GitRepository, cache: Path
) -> None:
    commit = embed.release("1.0.0", OLD, annotated=True)
    embed.commit(NEW)
    mirror = GitMirror(open_git(embed.url, cache)._mirror(NAME).url, cache)
    assert mirror.fetch("refs/tags/v1.0.0", "refs/tags/v1.0.0") == commit
    assert mirror.has(commit)
    assert mirror.known_tags()["refs/tags/v1.0.0"].commit == commit


def test_a_tag_that_names_no_commit_is_refused(
    embed: GitRepository, cache: Path
) -> None:
    embed.commit(OLD)
    embed.tag("v1.0.0", embed.git("rev-parse", "main:operator.yaml"))
    source = open_git(embed.url, cache)
    with pytest.raises(NoCommit, match=r"`refs/tags/v1\.0\.0` at "):
        source.manifest(NAME, source.versions(NAME)[0])


def test_a_killed_git_does_not_block_the_next_one(
    embed: GitRepository, cache: Path
) -> None:
    embed.release("1.0.0", OLD)
    source = open_git(embed.url, cache)
    (release,) = source.versions(NAME)
    mirror = mirror_of(source).path
    run_git("init", "-q", "--bare", "--template=", "--", str(mirror))
    (mirror / "refs/hub/commits").mkdir(parents=True)
    (mirror / "shallow.lock").touch()
    (mirror / "config.lock").touch()
    (mirror / f"refs/hub/commits/{release.revision}.lock").touch()
    assert source.manifest(NAME, release).version == release.version


@pytest.mark.parametrize("lost", ["objects", "HEAD"])
def test_a_mirror_that_is_no_repository_any_more_is_made_anew(
    embed: GitRepository, cache: Path, tmp_path: Path, lost: str
) -> None:
    embed.release("1.0.0", OLD)
    source = open_git(embed.url, cache)
    (release,) = source.versions(NAME)
    assert fetch(source, release, tmp_path / "before") == OLD
    mirror = mirror_of(source).path
    (mirror / lost).rename(tmp_path / lost)
    with pytest.raises(OfflineMiss):
        open_git(embed.url, cache, offline=True).versions(NAME)
    assert source.versions(NAME) == (release,)
    assert fetch(source, release, tmp_path / "after") == OLD


def test_the_users_credentials_go_on_working(
    embed: GitRepository,
    repositories: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    embed.release("1.0.0", OLD)
    config = tmp_path / "gitconfig"
    config.write_text(
        '[credential]\n\thelper = "!f() { echo username=me; echo password=pw; }; f"\n'
    )
    token = "Basic " + base64.b64encode(b"me:pw").decode()
    with serve_http(repositories, authorization=token) as server:
        source = open_git(f"{server.url}/embed.git", cache)
        with pytest.raises(RepositoryUnreachable, match="could not read Username"):
            source.versions(NAME)
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
        (release,) = source.versions(NAME)
        assert source.manifest(NAME, release).name == NAME


@pytest.mark.parametrize("place", ["file", "variables"])
def test_a_token_in_the_users_rewritten_address_works_as_for_git(  # noqa: PLR0913, PLR0917
    embed: GitRepository,
    repositories: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    embed.release("1.0.0", OLD)
    token = "Basic " + base64.b64encode(b"me:pw").decode()
    with serve_http(repositories, authorization=token) as server:
        key = f"url.{server.url.replace('//', '//me:pw@')}/"
        if place == "file":
            config = tmp_path / "gitconfig"
            section = key.removeprefix("url.")
            config.write_text(f'[url "{section}"]\n\tinsteadOf = {server.url}/\n')
            monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
        else:
            monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
            monkeypatch.setenv("GIT_CONFIG_KEY_0", f"{key}.insteadOf")
            monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"{server.url}/")
        (release,) = open_git(f"{server.url}/embed.git", cache).versions(NAME)
        assert release.version == Version("1.0.0")


def test_a_manifest_that_claims_another_version_than_its_tag_is_refused(
    embed: GitRepository, cache: Path
) -> None:
    embed.release("2.0.0", OLD)
    source = open_git(embed.url, cache)
    (release,) = source.versions(NAME)
    with pytest.raises(InvalidManifest, match=r"acme/embed 2\.0\.0"):
        source.manifest(NAME, release)


def test_what_git_lfs_keeps_is_refused_rather_than_its_pointers(
    embed: GitRepository, cache: Path, tmp_path: Path
) -> None:
    oid = hashlib.sha256(b"weights").hexdigest()
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 7\n"
    ).encode()
    files = operator_files("acme/embed", "1.0.0")
    embed.release("1.0.0", {**files, "model.bin": pointer})
    source = open_git(embed.url, cache)
    (release,) = source.versions(NAME)
    with pytest.raises(PointersOnly) as refusal:
        fetch(source, release, tmp_path / "tree")
    assert str(refusal.value) == (
        f"acme/embed 1.0.0 from `{embed.url}` is not complete: Git LFS keeps "
        "`model.bin`, which the hub does not fetch"
    )
    # What only mentions a pointer is a file like any other.
    files = operator_files("acme/embed", "1.1.0")
    embed.release("1.1.0", {**files, "model.md": b"It is:\n" + pointer})
    newest = max(source.versions(NAME), key=lambda each: each.version)
    assert fetch(source, newest, tmp_path / "newest")["model.md"].endswith(pointer)


def test_a_manifest_that_claims_another_name_is_refused(
    embed: GitRepository, cache: Path
) -> None:
    embed.release("1.0.0", operator_files("evil/embed", "1.0.0"))
    source = open_git(embed.url, cache)
    (release,) = source.versions(NAME)
    with pytest.raises(InvalidManifest, match="evil/embed"):
        source.manifest(NAME, release)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"README.md": b""}, "there is no `operator.yaml`"),
        ({"operator.yaml": b"#" * 2_000_000}, "2000000 bytes are too many"),
    ],
)
def test_a_manifest_that_is_missing_or_huge_is_refused_unread(
    embed: GitRepository, cache: Path, files: dict[str, bytes], problem: str
) -> None:
    commit = embed.release("1.0.0", files)
    source = open_git(embed.url, cache)
    (release,) = source.versions(NAME)
    with pytest.raises(InvalidManifest) as refusal:
        source.manifest(NAME, release)
    where = f"{embed.url}, operator.yaml at {commit}"
    assert str(refusal.value) == f"`{where}` is not a valid manifest\n  {problem}"


def test_a_machine_without_git_is_told_what_to_install(
    embed: GitRepository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(GitMissing) as refusal:
        open_git(embed.url, cache).versions(NAME)
    assert str(refusal.value) == ("This source needs `git`, which is not installed")
    assert refusal.value.hint == "Install git 2.32 or newer"


def test_two_threads_that_fetch_one_commit_at_once_both_succeed(
    embed: GitRepository, cache: Path
) -> None:
    embed.release("1.0.0", OLD)
    (release,) = open_git(embed.url, cache).versions(NAME)
    with ThreadPoolExecutor(4) as pool:
        read = [
            pool.submit(open_git(embed.url, cache).manifest, NAME, release)
            for _ in range(4)
        ]
        assert {answer.result().version for answer in read} == {release.version}


def test_an_unwritable_cache_is_named(embed: GitRepository, cache: Path) -> None:
    embed.release("1.0.0", OLD)
    cache.write_text("not a folder")
    source = open_git(embed.url, cache)
    (release,) = source.versions(NAME)
    with pytest.raises(Exception, match="Cannot write to") as refusal:
        source.manifest(NAME, release)
    assert str(refusal.value) == (
        f"Cannot write to `{source._mirror(NAME).path}`: Not a directory"
    )


@pytest.mark.parametrize("size", ["8k", "16k", "24k"])
def test_a_disk_on_which_git_finds_no_room_is_named(
    embed: GitRepository, cache: Path, size: str
) -> None:
    embed.release("1.0.0", OLD)
    cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", cache]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs more rights")
    try:
        source = open_git(embed.url, cache)
        (release,) = source.versions(NAME)
        with pytest.raises(CacheUnwritable, match="No space left on device"):
            source.manifest(NAME, release)
        assert not [*cache.rglob("tmp_*"), *cache.rglob("*.new")]
    finally:
        subprocess.run(["umount", cache], check=True)


def test_a_git_that_ends_early_is_told_apart_from_a_missing_object(
    tmp_path: Path,
) -> None:
    with (
        pytest.raises(GitFailed, match="it ended before its answer"),
        open_objects(tmp_path / "no-repository") as copy,
    ):
        copy("0" * 40, BytesIO())
