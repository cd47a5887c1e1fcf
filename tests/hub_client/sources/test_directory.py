from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from servers.operator_files import operator_files, write_files

from hub_client.candidate import Candidate, Release
from hub_client.sources.directory import DirectorySource, FolderUnreadable
from hub_client.tree_digest import DigestMismatch, UnsafeTree, tree_digest
from plugin_spec.errors import InvalidManifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

NAME = OperatorName.parse("acme/embed")
FILES = operator_files(str(NAME), "1.0.0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of ``acme/embed`` in the source's folder, not made yet."""
    (tmp_path / "operators").mkdir()
    return tmp_path / "operators" / "acme" / "embed"


@pytest.fixture
def source(tmp_path: Path, folder: Path) -> DirectorySource:
    return DirectorySource(tmp_path / "operators")


def candidate_of(source: DirectorySource) -> Candidate:
    (release,) = source.versions(NAME)
    return Candidate(NAME, release, "dir:operators", source.manifest(NAME, release))


def test_a_folder_is_one_release_with_its_digest(
    source: DirectorySource, folder: Path
) -> None:
    write_files(folder, FILES)
    assert source.versions(NAME) == (Release(Version("1.0.0"), tree_digest(folder)),)


def test_a_folder_per_version_is_a_release_each(
    source: DirectorySource, folder: Path
) -> None:
    for version in ("1.0.0", "1.1.0"):
        write_files(folder / version, operator_files(str(NAME), version))
    write_files(folder / "drafts", FILES)
    releases = source.versions(NAME)
    assert {r.version: r.revision for r in releases} == {
        Version(v): tree_digest(folder / v) for v in ("1.0.0", "1.1.0")
    }
    assert source.manifest(NAME, releases[1]).version == releases[1].version


def test_an_unknown_name_has_no_releases(source: DirectorySource) -> None:
    assert source.versions(NAME) == ()


def test_a_missing_source_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderUnreadable) as refusal:
        DirectorySource(tmp_path / "nowhere").versions(NAME)
    assert str(refusal.value) == (
        f"The source's folder `{tmp_path}/nowhere` does not exist"
    )
    assert refusal.value.hint == "Create it, or correct the path after `dir:`"


def test_only_regular_files_that_count_are_copied(
    source: DirectorySource, folder: Path, tmp_path: Path
) -> None:
    junk = {"echo/__pycache__/x.pyc": b"", ".git/config": b""}
    write_files(folder, {**FILES, **junk})
    into = tmp_path / "tree"
    into.mkdir()
    candidate = candidate_of(source)
    source.fetch(candidate, into)
    found = {
        p.relative_to(into).as_posix(): p.read_bytes()
        for p in into.rglob("*")
        if p.is_file()
    }
    assert found == FILES
    assert tree_digest(into) == candidate.release.revision


def test_a_link_is_refused_with_nothing_copied(
    source: DirectorySource, folder: Path, tmp_path: Path
) -> None:
    write_files(folder, FILES)
    candidate = candidate_of(source)
    (folder / "passwd").symlink_to("/etc/passwd")
    into = tmp_path / "tree"
    into.mkdir()
    with pytest.raises(UnsafeTree) as refusal:
        source.fetch(candidate, into)
    assert refusal.value.problems == ("'passwd' is a symbolic link",)
    assert list(into.iterdir()) == []


def test_a_manifest_that_is_a_link_is_not_read(
    source: DirectorySource, folder: Path, tmp_path: Path
) -> None:
    write_files(tmp_path / "secret", FILES)
    folder.mkdir(parents=True)
    (folder / "operator.yaml").symlink_to(tmp_path / "secret" / "operator.yaml")
    with pytest.raises(FolderUnreadable) as refusal:
        source.versions(NAME)
    assert str(refusal.value) == f"`{folder}/operator.yaml` is not a regular file"


def test_a_folder_that_changed_since_it_was_locked_is_refused(
    source: DirectorySource, folder: Path, tmp_path: Path
) -> None:
    write_files(folder, FILES)
    candidate = candidate_of(source)
    (folder / "echo/__init__.py").write_bytes(b"changed")
    with pytest.raises(DigestMismatch) as refusal:
        source.fetch(candidate, tmp_path / "tree")
    assert str(refusal.value) == (
        f"The files of acme/embed 1.0.0 in `{folder}` are not the expected ones\n"
        f"  expected {candidate.release.revision}\n"
        f"  found    {tree_digest(folder)}"
    )


def test_a_version_that_went_away_is_named(
    source: DirectorySource, folder: Path, tmp_path: Path
) -> None:
    write_files(folder, FILES)
    candidate = candidate_of(source)
    write_files(folder, operator_files(str(NAME), "2.0.0"))
    with pytest.raises(FolderUnreadable) as refusal:
        source.fetch(candidate, tmp_path / "tree")
    assert str(refusal.value) == f"acme/embed 1.0.0 is no longer in `{folder}`"


@pytest.mark.parametrize(
    ("name", "version"), [("evil/embed", "1.0.0"), ("acme/embed", "3.0.0")]
)
def test_a_manifest_that_claims_another_name_or_version_is_refused(
    source: DirectorySource, folder: Path, name: str, version: str
) -> None:
    write_files(folder / "1.0.0", operator_files(name, version))
    (release,) = source.versions(NAME)
    with pytest.raises(InvalidManifest, match=f"{name} {version}"):
        source.manifest(NAME, release)


def test_names_are_those_of_folders_with_a_manifest(
    source: DirectorySource, folder: Path
) -> None:
    write_files(folder, FILES)
    write_files(folder.with_name("many") / "1.0.0", FILES)
    for stranger in ("Acme/x", "map/x", "acme/-x"):
        write_files(source.path / stranger, FILES)
    (source.path / "acme/empty").mkdir()
    assert [str(name) for name in source.names()] == ["acme/embed", "acme/many"]


def test_a_folder_holds_what_it_was_until_a_byte_changes(
    source: DirectorySource, folder: Path
) -> None:
    write_files(folder, FILES)
    revision = tree_digest(folder)
    assert source.holds(NAME, revision)
    (folder / "README.md").write_text("another", encoding="utf-8")
    assert not source.holds(NAME, revision)
