from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_client.tree_digest import UnsafeTree, check_tree_paths, tree_digest

if TYPE_CHECKING:
    import random

NAMES = st.text("abcé._-Z9 ", min_size=1, max_size=6).filter(
    # `sha256sum -` reads its own input, whatever stands before it.
    lambda name: name[-1] not in ". -"
)
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.binary(max_size=64),
    min_size=1,
    max_size=8,
)


def write(folder: Path, files: list[tuple[str, bytes]]) -> None:
    for path, content in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def can_be_written(files: dict[str, bytes]) -> bool:
    try:
        check_tree_paths(files)
    except UnsafeTree:
        return False
    return not any(other.startswith(f"{path}/") for path in files for other in files)


@given(files=FILES.filter(can_be_written), seed=st.randoms())
def test_a_digest_depends_on_names_and_bytes_alone(
    files: dict[str, bytes], seed: random.Random
) -> None:
    shuffled = list(files.items())
    seed.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as other:
        write(Path(first), list(files.items()))
        write(Path(other), shuffled)
        for path in files:
            (Path(other) / path).chmod(0o755)
            os.utime(Path(other) / path, (0, 0))
        assert tree_digest(Path(first)) == tree_digest(Path(other))


@given(files=FILES.filter(can_be_written))
def test_a_digest_can_be_recomputed_with_coreutils(files: dict[str, bytes]) -> None:
    recompute = (
        "find . -type f -printf '%P\\0' | LC_ALL=C sort -z "
        "| xargs -0 sha256sum -- | sha256sum | cut -d' ' -f1"
    )
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), list(files.items()))
        by_hand = subprocess.check_output(
            ["bash", "-c", recompute], cwd=folder, text=True
        )
        assert tree_digest(Path(folder)) == f"sha256:{by_hand.strip()}"


@pytest.mark.parametrize("change", ["byte", "name", "more", "less"])
def test_a_digest_changes_with_any_byte_or_name(tmp_path: Path, change: str) -> None:
    write(tmp_path, [("a", b"1"), ("b/c", b"2")])
    before = tree_digest(tmp_path)
    if change == "byte":
        (tmp_path / "a").write_bytes(b"0")
    elif change == "name":
        (tmp_path / "b/c").rename(tmp_path / "b/d")
    elif change == "more":
        (tmp_path / "e").touch()
    else:
        (tmp_path / "a").unlink()
    assert tree_digest(tmp_path) != before


def test_compiled_code_and_the_repository_itself_are_not_looked_at(
    tmp_path: Path,
) -> None:
    write(tmp_path, [("a/b.py", b"")])
    before = tree_digest(tmp_path)
    write(tmp_path, [("a/__pycache__/b.pyc", b"1"), (".git/config", b"1")])
    assert tree_digest(tmp_path) == before


def test_links_and_special_files_are_refused_together(tmp_path: Path) -> None:
    write(tmp_path, [("plain", b"")])
    (tmp_path / "link").symlink_to("plain")
    (tmp_path / "folder").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeTree) as refusal:
        tree_digest(tmp_path)
    assert str(refusal.value) == (
        "The operator's files may not be stored\n"
        "  'folder' is a symbolic link\n"
        "  'link' is a symbolic link\n"
        "  'pipe' is not a regular file"
    )


def test_a_folder_with_an_unsafe_name_has_no_digest(tmp_path: Path) -> None:
    write(tmp_path, [("plain", b""), ("con.py", b""), ("a/dot.", b"")])
    with pytest.raises(UnsafeTree) as refusal:
        tree_digest(tmp_path)
    assert set(refusal.value.problems) == {
        "'con.py' has the name of a Windows device",
        "'a/dot.' has a name that ends with a dot or a space",
    }


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("../x", "is not a plain relative path"),
        ("a/../../x", "is not a plain relative path"),
        ("/etc/passwd", "is not a plain relative path"),
        ("a//b", "is not a plain relative path"),
        ("./a", "is not a plain relative path"),
        ("", "is not a plain relative path"),
        (".git/hooks/x", "is inside a `.git` folder"),
        ("a/.GiT/x", "is inside a `.git` folder"),
        ("GIT~1/x", "is inside a `.git` folder"),
        ("a/__PyCache__/x.pyc", "is compiled code, which no digest covers"),
        ("a\x00b", "has a control, invisible or undecodable character"),
        ("a\nb", "has a control, invisible or undecodable character"),
        (".g\u200cit/x", "has a control, invisible or undecodable character"),
        ("a\u202egpj.py", "has a control, invisible or undecodable character"),
        ("a\udcff", "has a control, invisible or undecodable character"),
        ("..\\x", "has a character that Windows forbids"),
        ("C:x", "has a character that Windows forbids"),
        (".git::$INDEX_ALLOCATION/x", "has a character that Windows forbids"),
        ("a.", "has a name that ends with a dot or a space"),
        ("a /b", "has a name that ends with a dot or a space"),
        ("nul", "has the name of a Windows device"),
        ("a/COM1.txt", "has the name of a Windows device"),
        (f"a/{'é' * 128}/b", "has a name of more than 255 bytes"),
        ("a/" * 600 + "b", "is a path of more than 1,024 characters"),
    ],
)
def test_a_path_that_some_system_reads_differently_is_refused(
    path: str, problem: str
) -> None:
    with pytest.raises(UnsafeTree) as refusal:
        check_tree_paths(["operator.yaml", path])
    assert refusal.value.problems == (f"{path!r} {problem}",)


@pytest.mark.parametrize(
    "twins", [("a", "A"), ("a/x", "A/y"), ("straße", "STRASSE"), ("é", "e\u0301")]
)
def test_names_that_only_case_or_spelling_tells_apart_are_refused(
    twins: tuple[str, str],
) -> None:
    with pytest.raises(UnsafeTree, match="differ only in case"):
        check_tree_paths(twins)


def test_ordinary_paths_are_accepted() -> None:
    check_tree_paths(["a b/ü.py", ".github/x", ".gitattributes", "...a", "console"])
