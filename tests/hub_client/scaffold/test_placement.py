"""A folder is filled at once, or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from hub_client.scaffold import FolderTaken, place

FILES = {"operator.yaml": "spec: 1\n", "package/__init__.py": "", ".gitignore": "x\n"}


def written(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_new_folder_and_those_above_it_are_made() -> None:
    place(FILES, Path("some/where/new"))
    assert written(Path("some")) == {
        f"where/new/{path}": text for path, text in FILES.items()
    }


def test_the_folder_one_stands_in_is_filled_and_stays_the_same_folder() -> None:
    before = Path.cwd().stat().st_ino
    place(FILES, Path())
    assert written(Path.cwd()) == FILES
    assert Path.cwd().stat().st_ino == before


def test_a_repository_without_files_counts_as_empty() -> None:
    Path("new/.git").mkdir(parents=True)
    Path("new/.git/HEAD").write_text("ref")
    place(FILES, Path("new"))
    assert written(Path("new")) == {**FILES, ".git/HEAD": "ref"}


def test_a_folder_that_holds_something_is_refused_and_stays_as_it_is() -> None:
    Path("new").mkdir()
    Path("new/.notes").write_text("mine")
    with pytest.raises(FolderTaken) as caught:
        place(FILES, Path("new"))
    assert str(caught.value) == (
        "Nothing was written, since `new` is not empty: it holds `.notes`"
    )
    assert written(Path.cwd()) == {"new/.notes": "mine"}


def test_a_file_is_no_place_for_an_operator() -> None:
    Path("new").write_text("mine")
    with pytest.raises(FolderTaken, match="since `new` is a file"):
        place(FILES, Path("new"))


def test_a_link_that_leads_nowhere_is_no_place_for_an_operator() -> None:
    Path("new").symlink_to("away")
    with pytest.raises(FolderTaken, match="`new` is a link to `away`, which is not"):
        place(FILES, Path("new"))


def test_what_cannot_be_written_is_named_as_it_was_given() -> None:
    Path("file").write_text("mine")
    with pytest.raises(NotADirectoryError) as caught:
        place(FILES, Path("file/new"))
    assert caught.value.filename == "file/new"


@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_on_the_way_leaves_nothing(
    exists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if exists:
        Path("new").mkdir()
    rename = Path.rename

    def break_down(self: Path, target: Path) -> Path:
        if target.name in {"operator.yaml", "new"}:
            raise OSError(errno.ENOSPC, "the disk is full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", break_down)
    with pytest.raises(OSError, match="the disk is full"):
        place(FILES, Path("new"))
    assert list(Path.cwd().rglob("*")) == [Path.cwd() / "new"] * exists
