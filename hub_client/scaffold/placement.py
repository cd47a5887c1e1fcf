"""Where a new operator goes: an empty folder, which it fills at once or not at all."""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING

from hub_client.sources import MANIFEST_FILE
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class FolderTaken(HubError, FileExistsError):
    """A folder for something new holds something already."""


def place(files: Mapping[str, str], folder: Path) -> None:
    """Write ``files`` into ``folder``, which may hold a new repository's ``.git``.

    :raises FolderTaken: if it holds anything else, which stays as it is.
    :raises OSError: naming ``folder``, if it cannot be written.
    """
    _check_free(folder)
    beside = folder if folder.exists() else folder.absolute().parent
    # On one disk with where it goes: everything is a rename from there.
    staged = beside / f".hub-init-{secrets.token_hex(4)}"
    try:
        for path, text in files.items():
            (staged / path).parent.mkdir(parents=True, exist_ok=True)
            (staged / path).write_text(text, encoding="utf-8", newline="\n")
        if folder.exists():
            _move_into(staged, folder)
        else:
            staged.rename(folder)
    except OSError as error:
        error.filename = str(folder)
        del error.filename2  # None would be told as a second name
        raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _check_free(folder: Path) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.exists():
        problem = f"is a link to `{folder.readlink()}`, which is not there"
    elif not folder.is_dir():
        problem = "is a file"
    elif held := sorted({each.name for each in folder.iterdir()} - {".git"}):
        problem = f"is not empty: it holds `{held[0]}`"
    else:
        return
    raise FolderTaken(
        f"Nothing was written, since `{folder}` {problem}",
        hint="Give another folder after the name",
    )


def _move_into(staged: Path, folder: Path) -> None:
    """Move what is staged into a folder that has to stay, or else nothing of it."""
    # The manifest last: without it, the folder is no operator.
    entries = sorted(staged.iterdir(), key=lambda entry: entry.name == MANIFEST_FILE)
    moved: list[Path] = []
    try:
        for entry in entries:
            entry.rename(folder / entry.name)
            moved.append(folder / entry.name)
    except BaseException:
        for path in moved:
            path.rename(staged / path.name)
        raise
