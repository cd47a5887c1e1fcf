"""What a check of a repository found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: an error forbids publishing, a warning advises against it.

    >>> print(Finding("error", "README.md", "missing", "Say what the operator does"))
    error: README.md: missing
      Say what the operator does
    """

    severity: Literal["error", "warning"]
    place: str
    message: str
    mend: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.place}: {self.message}\n  {self.mend}"


def missing(folder: Path, path: str, mend: str) -> Finding:
    """A file is not among those that would be published, and may be here all the same.

    :param mend: what to do if it is not.
    """
    here = folder.resolve() / path
    if here.is_file() and here.resolve() == here:
        ignored = "is ignored, so that it would not be published"
        mend = "Take it out of `.gitignore`, or add it with `git add --force`"
        return Finding("error", path, ignored, mend)
    return Finding("error", path, "missing", mend)
