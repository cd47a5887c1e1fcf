"""What comes of a git repository before its publisher is trusted, and what does not."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from servers.git_repository import GitRepository
from servers.git_servers import serve_http
from servers.operator_files import operator_files

from hub_client.candidate import Candidate
from hub_client.git_url import parse_git_url
from hub_client.listed_file import NamedFile
from hub_client.sources.git import GitSource, OfflineMiss, RepositoryUnreachable
from hub_client.sources.git_preview import GitPreview, NoPreview
from hub_client.sources.signed_release import SignatureUnfetched
from hub_client.tree_digest import UnsafeTree
from plugin_spec.errors import InvalidManifest
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

    from servers.git_servers import GitHttpServer

    from hub_client.candidate import Release

NAME = OperatorName.parse("acme/embed")
FILES = operator_files(str(NAME), "1.0.0")
MANIFEST = Manifest.from_yaml(FILES["operator.yaml"])
HEAVY = os.urandom(3 << 20)


@pytest.fixture
def embed(repositories: Path) -> GitRepository:
    """As the large hosts have it: their servers filter."""
    repository = GitRepository.create(repositories / "embed.git")
    repository.git("config", "uploadpack.allowFilter", "true")
    return repository


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def one_mebibyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GitPreview, "_file_limit", 1 << 20)


def blobs(copy: Path) -> set[str]:
    """The ids of the files that are in a repository."""
    listing = GitRepository(copy).git(
        "cat-file", "--batch-all-objects", "--batch-check"
    )
    lines = map(str.split, listing.splitlines())
    return {object_id for object_id, kind, _ in lines if kind == "blob"}


def with_paths_alone(url: str, cache: Path) -> tuple[GitSource, Release]:
    """A source, and its only release, of which the paths are in the preview."""
    source = GitSource(url, cache_dir=cache)
    (release,) = source.versions(NAME)
    source.files(Candidate(NAME, release, "git+test", MANIFEST))
    return source, release


def fetch(source: GitSource, release: Release, into: Path) -> dict[str, bytes]:
    into.mkdir()
    manifest = source.manifest(NAME, release)
    source.fetch(Candidate(NAME, release, "git+test", manifest), into)
    files = (path for path in into.rglob("*") if path.is_file())
    return {path.relative_to(into).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("url", ["file", "git", "http"], indirect=True)
@pytest.mark.parametrize("annotated", [True, False])
def test_before_trust_only_paths_and_the_manifest_come(
    annotated: bool, url: str, embed: GitRepository, cache: Path, tmp_path: Path
) -> None:
    files = {**FILES, "weights.bin": HEAVY, ".gitmodules": b"[submodule]\n"}
    embed.release("1.0.0", files, annotated=annotated)
    source = GitSource(f"{url}/embed.git", cache_dir=cache)
    (release,) = source.versions(NAME)
    manifest = source.manifest(NAME, release)
    listed = source.files(Candidate(NAME, release, "git+test", manifest))
    assert [each.path for each in listed] == sorted(files)
    assert all(isinstance(each, NamedFile) for each in listed)
    assert not source._mirror(NAME).path.exists()
    wanted = embed.git("rev-parse", f"{release.revision}:operator.yaml")
    assert blobs(source._preview(NAME).path) == {wanted}

    assert fetch(source, release, tmp_path / "tree") == files
    assert blobs(source._preview(NAME).path) == {wanted}


def test_what_is_previewed_is_not_asked_for_again(
    http: GitHttpServer, embed: GitRepository, cache: Path
) -> None:
    embed.release("1.0.0", FILES)
    source = GitSource(f"{http.url}/embed.git", cache_dir=cache)
    (release,) = source.versions(NAME)
    manifest = source.manifest(NAME, release)
    asked = len(http.requests)
    assert source.manifest(NAME, release) == manifest
    assert len(http.requests) == asked
    offline = GitSource(f"{http.url}/embed.git", cache_dir=cache, offline=True)
    assert offline.manifest(NAME, release) == manifest
    # What cannot be installed is no version to choose.
    with pytest.raises(OfflineMiss):
        offline.versions(NAME)


def test_offline_no_manifest_is_fetched_for_paths_that_are_here(
    http: GitHttpServer, embed: GitRepository, cache: Path
) -> None:
    embed.release("1.0.0", FILES)
    _, release = with_paths_alone(f"{http.url}/embed.git", cache)
    asked = len(http.requests)
    offline = GitSource(f"{http.url}/embed.git", cache_dir=cache, offline=True)
    with pytest.raises(OfflineMiss, match="was not fetched before"):
        offline.manifest(NAME, release)
    assert len(http.requests) == asked


def test_a_server_that_is_gone_is_no_reason_to_trust(
    embed: GitRepository, repositories: Path, cache: Path
) -> None:
    embed.release("1.0.0", FILES)
    with serve_http(repositories) as http:
        source, release = with_paths_alone(f"{http.url}/embed.git", cache)
    with pytest.raises(RepositoryUnreachable, match="Failed to connect"):
        source.manifest(NAME, release)


def test_who_asks_is_not_noted_in_the_cache(
    http: GitHttpServer, embed: GitRepository, cache: Path
) -> None:
    embed.release("1.0.0", FILES)
    source = GitSource(
        f"{http.url}/embed.git".replace("//", "//token@"), cache_dir=cache
    )
    (release,) = source.versions(NAME)
    source.manifest(NAME, release)
    noted = [path for path in cache.rglob("*") if path.is_file()]
    assert noted
    assert not any(b"token" in path.read_bytes() for path in noted)


@pytest.mark.usefixtures("one_mebibyte")
def test_previews_of_many_versions_do_not_pile_up(
    embed: GitRepository, cache: Path
) -> None:
    embed.git("config", "uploadpack.allowFilter", "false")
    for minor in range(5):
        files = operator_files(str(NAME), f"1.{minor}.0")
        embed.release(f"1.{minor}.0", {**files, "weights.bin": os.urandom(600_000)})
    source = GitSource(embed.url, cache_dir=cache)
    for release in source.versions(NAME):
        assert source.manifest(NAME, release).version == release.version
        came = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
        assert came < 2 << 20


def test_a_signature_is_not_fetched_of_who_is_not_trusted(
    embed: GitRepository, cache: Path
) -> None:
    embed.release("1.0.0", FILES)
    source = GitSource(embed.url, cache_dir=cache)
    (release,) = source.versions(NAME)
    wanted = Candidate(NAME, release, "git+test", MANIFEST)
    with pytest.raises(SignatureUnfetched, match="its source is not trusted"):
        source.signed(wanted)
    assert not source._mirror(NAME).path.exists()
    GitSource(embed.url, cache_dir=cache, trusted=True).signed(wanted)
    # What is here already can be checked.
    assert source.signed(wanted)


def test_the_command_to_trust_an_address_is_one_word_to_a_shell() -> None:
    refusal = NoPreview(parse_git_url("https://git.acme.example/$(touchx)"), "x")
    assert refusal.hint == (
        "If you trust who publishes there, "
        "run `hub trust add 'git+https://git.acme.example/$(touchx)'`"
    )


def test_of_a_second_version_its_own_manifest_is_read(
    embed: GitRepository, cache: Path
) -> None:
    for version in ("1.0.0", "1.1.0"):
        embed.release(version, operator_files(str(NAME), version))
    source = GitSource(embed.url, cache_dir=cache)
    for release in source.versions(NAME):
        assert source.manifest(NAME, release).version == release.version


def test_a_repository_that_hashes_with_sha256_is_previewed(
    repositories: Path, cache: Path
) -> None:
    embed = GitRepository.create(repositories / "new.git", hashes="sha256")
    embed.git("config", "uploadpack.allowFilter", "true")
    embed.release("1.0.0", FILES)
    source = GitSource(embed.url, cache_dir=cache)
    (release,) = source.versions(NAME)
    assert source.manifest(NAME, release).name == NAME
    assert len(blobs(source._preview(NAME).path)) == 1


def test_why_a_version_is_yanked_is_told_without_its_files(
    embed: GitRepository, cache: Path
) -> None:
    commit = embed.release("1.0.0", FILES)
    embed.git("tag", "-a", "-m", "Wrong mean", "yanked-v1.0.0", commit)
    source = GitSource(embed.url, cache_dir=cache)
    (release,) = source.versions(NAME)
    assert release.yanked == "Wrong mean"
    assert blobs(source._preview(NAME).path) == set()
    # That its commit came with the tag does not stand for its manifest.
    assert source.manifest(NAME, release).name == NAME


def test_an_unsafe_tree_is_refused_by_its_paths(
    embed: GitRepository, cache: Path
) -> None:
    embed.release("1.0.0", {**FILES, "aux.py": b""})
    source = GitSource(embed.url, cache_dir=cache)
    (release,) = source.versions(NAME)
    with pytest.raises(UnsafeTree, match=r"aux\.py"):
        source.manifest(NAME, release)


def test_a_manifest_that_is_missing_or_large_is_refused(
    embed: GitRepository, cache: Path
) -> None:
    embed.release("1.0.0", {"README.md": b""})
    embed.release("1.1.0", {"operator.yaml": b"#" * 2_000_000})
    source = GitSource(embed.url, cache_dir=cache)
    for release, problem in zip(
        source.versions(NAME),
        ("there is no `operator.yaml`", "2000000 bytes are too many"),
        strict=True,
    ):
        with pytest.raises(InvalidManifest, match=problem):
            source.manifest(NAME, release)


def test_a_server_that_does_not_filter_may_send_a_little(
    embed: GitRepository, cache: Path
) -> None:
    embed.git("config", "uploadpack.allowFilter", "false")
    embed.release("1.0.0", FILES)
    source = GitSource(embed.url, cache_dir=cache)
    (release,) = source.versions(NAME)
    assert source.manifest(NAME, release).name == NAME


@pytest.mark.skipif(sys.platform != "linux", reason="others cannot hold git to it")
@pytest.mark.parametrize("url", ["file", "git", "http"], indirect=True)
@pytest.mark.parametrize(
    ("filters", "heavy"), [("false", "weights.bin"), ("true", "operator.yaml")]
)
@pytest.mark.usefixtures("one_mebibyte")
def test_what_is_not_trusted_sends_no_more_than_a_limit(
    filters: str, heavy: str, url: str, embed: GitRepository, cache: Path
) -> None:
    embed.git("config", "uploadpack.allowFilter", filters)
    embed.release("1.0.0", {**FILES, heavy: HEAVY})
    address = f"{url}/embed.git"
    source = GitSource(address, cache_dir=cache)
    (release,) = source.versions(NAME)
    with pytest.raises(NoPreview) as refusal:
        source.manifest(NAME, release)
    assert str(refusal.value) == (
        f"`{address}` is not trusted, and sends more than 1 MiB with its paths and "
        "manifests"
    )
    assert refusal.value.hint == (
        f"If you trust who publishes there, run `hub trust add git+{address}`"
    )
    came = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    assert came < 1 << 16


@pytest.mark.usefixtures("one_mebibyte")
def test_what_is_trusted_comes_whole_however_large(
    embed: GitRepository, cache: Path, tmp_path: Path
) -> None:
    embed.git("config", "uploadpack.allowFilter", "false")
    files = {**FILES, "weights.bin": HEAVY}
    embed.release("1.0.0", files)
    source = GitSource(embed.url, cache_dir=cache, trusted=True)
    (release,) = source.versions(NAME)
    assert fetch(source, release, tmp_path / "tree") == files
    assert not source._preview(NAME).path.exists()


@pytest.mark.parametrize("url", ["ssh"], indirect=True)
def test_a_server_that_gives_no_single_file_is_told_apart(
    url: str, embed: GitRepository, cache: Path
) -> None:
    # This one takes no word of the protocol's version, and speaks an older one.
    embed.release("1.0.0", FILES)
    source = GitSource(f"{url}/embed.git", cache_dir=cache)
    (release,) = source.versions(NAME)
    with pytest.raises(NoPreview, match=r"not give `operator\.yaml` alone") as told:
        source.manifest(NAME, release)
    assert "Server does not allow request for unadvertised object" in str(told.value)
