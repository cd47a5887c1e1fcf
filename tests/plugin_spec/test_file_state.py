from __future__ import annotations

from typing import TYPE_CHECKING

from plugin_spec.file_state import file_state

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_changes_with_the_files_right_in_it(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_bytes(b"1")
    folder.mkdir()
    before = file_state(tmp_path)
    (folder / "deeper").write_bytes(b"1")
    assert file_state(tmp_path) == before
    file.write_bytes(b"22")
    assert file_state(tmp_path) != before


def test_another_file_in_the_place_is_another(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_bytes(b"1")
    other.write_bytes(b"2")
    before = file_state(file)
    other.replace(file)
    assert file_state(file) not in {before, None}


def test_what_is_no_path_has_no_state(tmp_path: Path) -> None:
    for text in ("", "resnet50", "a\0b", "x" * 10_000, str(tmp_path / "nothing")):
        assert file_state(text) is None
