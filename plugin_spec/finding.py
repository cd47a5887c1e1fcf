"""What a check of a repository found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
