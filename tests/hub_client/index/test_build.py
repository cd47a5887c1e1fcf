from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from servers.git_repository import GitRepository, Special
from servers.index_files import IndexRepository, digest_of
from servers.operator_files import operator_files

from hub_client.atomic_file import LeadsOut
from hub_client.index.build import IndexFolder, NothingListed, VersionChanged
from hub_client.index.entry import InvalidEntry
from hub_client.index.listing import Listed
from hub_client.sources.router import open_source
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

    from servers.hugging_face import HuggingFaceServer

    from hub_client.index.build import Change

EMBED = OperatorName.parse("acme/embed")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 9\n" % 0


@pytest.fixture
def index(tmp_path: Path) -> IndexFolder:
    """The folder of an index, still empty."""
    return IndexFolder(tmp_path / "index")


def update(
    index: IndexFolder, spec: str, tmp_path: Path, *, recheck: bool = False
) -> tuple[list[str], list[str]]:
    """Bring acme/embed up to date; gives the changes, and the versions it read."""
    read: list[str] = []
    changes = index.update(
        Listed(EMBED, spec),
        open_source(spec, cache_dir=tmp_path / "cache"),
        recheck=recheck,
        on_read=lambda release: read.append(str(release.version)),
    )
    return list(map(shown, changes)), read


def shown(change: Change) -> str:
    return f"{change.kind} {change.version} {change.note}".rstrip()


def release(repository: GitRepository, version: str, **more: str) -> str:
    return repository.release(version, operator_files("acme/embed", version, **more))


def test_a_version_is_listed_with_its_commit_and_its_digest(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    commit = release(repository, "1.0.0")
    spec = f"git+{repository.url}"

    assert update(index, spec, tmp_path) == (["add 1.0.0"], ["1.0.0"])

    entry = index.read(EMBED)
    assert entry is not None
    (version,) = entry.versions
    assert (version.commit, version.ref) == (commit, "refs/tags/v1.0.0")
    assert (version.source, version.yanked) == (spec, None)
    assert version.tree == digest_of(operator_files("acme/embed", "1.0.0"))
    assert version.manifest(EMBED, where="").summary == "Give back what came in"
    assert index.count() == (1, 1)
    with (index.path / "operators/acme/embed.jsonl").open("a") as file:
        file.write("<<<<<<< HEAD\n=======\n")
    assert index.count() == (1, 1)  # an unfinished merge adds no version


def test_a_built_index_is_what_the_format_says(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    files = operator_files("acme/embed", "1.0.0", operators=["acme/decode>=1"])
    commit = repository.release("1.0.0", files)
    update(index, f"git+{repository.url}", tmp_path)
    written = IndexRepository(GitRepository.create(tmp_path / "index.git"))
    written.list(f"git+{repository.url}", commit, files)

    (line,) = written.lines["operators/acme/embed.jsonl"]
    file = index.path / "operators/acme/embed.jsonl"
    assert file.read_text() == f"{line}\n"


def test_an_entry_that_is_a_link_out_of_the_index_is_not_written(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    release(repository, "1.0.0")
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (index.path / "operators").mkdir(parents=True)
    (index.path / "operators" / "acme").symlink_to(outside)
    with pytest.raises(LeadsOut, match="is not written"):
        update(index, f"git+{repository.url}", tmp_path)
    assert list(outside.iterdir()) == []


def test_only_new_versions_are_read(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    spec = f"git+{repository.url}"
    release(repository, "1.0.0")
    update(index, spec, tmp_path)
    release(repository, "1.1.0")

    assert update(index, spec, tmp_path) == (["add 1.1.0"], ["1.1.0"])
    assert update(index, spec, tmp_path) == ([], [])


def test_what_changes_beside_the_files_is_brought_up_to_date(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    commit = release(repository, "1.0.0")
    old = f"git+{repository.url}"
    update(index, old, tmp_path)

    repository.tag("yanked-v1.0.0", commit, annotated=True)
    assert update(index, old, tmp_path) == (["yank 1.0.0 yanked-v1.0.0"], [])
    repository.delete_tag("yanked-v1.0.0")
    assert update(index, old, tmp_path) == (["restore 1.0.0"], [])

    repository.path.rename(tmp_path / "moved.git")
    new = f"git+file://{tmp_path}/moved.git"
    assert update(index, new, tmp_path) == ([f"move 1.0.0 {new}"], [])


def test_a_version_that_left_its_source_stays(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    release(repository, "1.0.0")
    release(repository, "1.1.0")
    spec = f"git+{repository.url}"
    update(index, spec, tmp_path)
    before = (index.path / "operators/acme/embed.jsonl").read_bytes()
    repository.delete_tag("v1.0.0")

    assert update(index, spec, tmp_path) == (["gone 1.0.0"], [])
    assert (index.path / "operators/acme/embed.jsonl").read_bytes() == before


def test_a_version_whose_commit_changed_is_refused_and_nothing_is_written(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    commit = release(repository, "1.0.0")
    spec = f"git+{repository.url}"
    update(index, spec, tmp_path)
    before = (index.path / "operators/acme/embed.jsonl").read_bytes()
    moved = release(repository, "1.0.0", notes="another")
    release(repository, "1.1.0")

    with pytest.raises(VersionChanged) as error:
        update(index, spec, tmp_path)

    assert str(error.value) == (
        f"acme/embed 1.0.0 at `{spec}` is not what was indexed\n"
        f"  indexed {commit}\n"
        f"  found   {moved}"
    )
    assert (index.path / "operators/acme/embed.jsonl").read_bytes() == before


def test_rechecking_refuses_other_files_under_the_same_commit(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    release(repository, "1.0.0")
    spec = f"git+{repository.url}"
    update(index, spec, tmp_path)
    assert update(index, spec, tmp_path, recheck=True) == ([], ["1.0.0"])
    file = index.path / "operators/acme/embed.jsonl"
    true = digest_of(operator_files("acme/embed", "1.0.0"))
    other = "sha256:" + "0" * 64
    file.write_text(file.read_text().replace(true, other))

    with pytest.raises(VersionChanged) as error:
        update(index, spec, tmp_path, recheck=True)

    assert str(error.value) == (
        f"acme/embed 1.0.0 at `{spec}` is not what was indexed\n"
        f"  indexed {other}\n"
        f"  found   {true}"
    )


def test_a_version_that_nobody_could_install_is_left_out(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    repository.release("1.0.0", {"README.md": b"no operator yet"})
    files = operator_files("acme/embed", "1.1.0")
    repository.release("1.1.0", {**files, "link": Special.link("/etc/passwd")})
    release(repository, "1.2.0")
    files = operator_files("acme/embed", "1.3.0")
    repository.release("1.3.0", {**files, "weights.bin": POINTER})
    repository.git("tag", "v1.4.0", "main^{tree}")

    changes, _ = update(index, f"git+{repository.url}", tmp_path)

    assert [each.split()[:2] for each in changes] == [
        ["skip", "1.0.0"],
        ["skip", "1.1.0"],
        ["add", "1.2.0"],
        ["skip", "1.3.0"],
        ["skip", "1.4.0"],
    ]
    assert changes[-1] == (
        f"skip 1.4.0 `refs/tags/v1.4.0` at `{repository.url}` names no commit"
    )


def test_an_entry_that_nobody_would_read_is_not_written(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    release(repository, "1.0.0")
    spec = f"git+{repository.url}"
    update(index, spec, tmp_path)
    before = index.read(EMBED)
    for minor in range(1, 20):
        files = operator_files("acme/embed", f"1.{minor}.0")
        long = b"x" * (250 << 10)
        files["operator.yaml"] += b"parameters: {size: {default: %s}}\n" % long
        repository.release(f"1.{minor}.0", files)
    with pytest.raises(InvalidEntry, match="bytes, of 4,194,304 that it may have"):
        update(index, spec, tmp_path)
    assert index.read(EMBED) == before


def test_an_operator_of_which_nothing_can_be_listed_is_an_error(
    index: IndexFolder, repository: GitRepository, tmp_path: Path
) -> None:
    spec = f"git+{repository.url}"
    repository.release("1.0.0", {"README.md": b"no operator yet"})
    with pytest.raises(NothingListed) as error:
        update(index, spec, tmp_path)
    assert str(error.value).startswith(
        f"acme/embed has no version at `{spec}` that an index can list\n  1.0.0: "
    )
    assert not index.path.exists()


def test_a_repository_at_hugging_face_is_indexed(
    index: IndexFolder, hugging_face: HuggingFaceServer, tmp_path: Path
) -> None:
    files = operator_files("acme/embed", "1.0.0")
    commit = hugging_face.create("acme/embed", files)
    hugging_face.repository("acme/embed").git("tag", "v1.0.0", commit)
    spec = f"hf+{hugging_face.url}/acme/embed"

    assert update(index, spec, tmp_path)[0] == ["add 1.0.0"]
    entry = index.read(EMBED)
    assert entry is not None
    assert (entry.versions[0].commit, entry.versions[0].source) == (commit, spec)
