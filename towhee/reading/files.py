"""Files that rows are read from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError
from plugin_spec.nearest import did_you_mean

if TYPE_CHECKING:
    import os
    from typing import TypeAlias

    PathLike: TypeAlias = str | os.PathLike[str]


class MissingFile(HubError, FileNotFoundError):
    """There is no file of that name."""


class UnreadableFile(HubError, ValueError):
    """A file does not hold what was to be read from it, or not in that form."""


@dataclass(frozen=True, slots=True, repr=False)
class FileRows(Iterable[Any]):
    """The rows of one file."""

    path: Path

    @abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """Open the file, and give its rows one after the other."""

    def __repr__(self) -> str:
        return f"<{self.path.name}>"


def existing(path: PathLike) -> Path:
    """The path of a file that is there.

    >>> existing("photos.csv")
    Traceback (most recent call last):
    ...
    towhee.reading.files.MissingFile: There is no file `photos.csv` in `...`

    :raises MissingFile: naming the nearest beside it.
    """
    file = Path(path)
    if not file.is_file():
        folder = file.parent
        beside = [each.name for each in folder.iterdir()] if folder.is_dir() else []
        raise MissingFile(
            f"There is no file `{path}` in `{Path.cwd()}`"
            f"{'' if file.exists() else did_you_mean(file.name, beside)}",
            hint=_why_missing(file, str(path)),
        )
    return file


def _why_missing(file: Path, written: str) -> str | None:
    if file.is_dir():
        return "Give a file in it: it is a folder"
    if file.exists():
        return "Give a regular file: it is a device, or a pipe"
    if "://" in written:
        return "Download it first: only files on this machine are read"
    return None if file.parent.is_dir() else f"There is no folder `{file.parent}`"
