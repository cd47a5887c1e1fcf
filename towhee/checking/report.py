"""What the checking process tells the one that started it: a line at a time, in a file.

What an operator prints, or how its process dies, cannot garble it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from plugin_spec.finding import Finding

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Report:
    """A file that grows."""

    path: Path

    def begin(self, stage: str) -> None:
        """Say what is done next."""
        self._write({"stage": stage})

    def add(
        self, severity: Literal["error", "warning"], place: str, message: str, mend: str
    ) -> None:
        """Say what was found."""
        self._write({"finding": asdict(Finding(severity, place, message, mend))})

    def end(self) -> None:
        """Say that everything was done that could be."""
        self._write({"stage": None})

    def read(self) -> tuple[str | None, list[Finding]]:
        """What was done last, or None if it came to its end; and every finding."""
        stage: str | None = "start"
        findings: list[Finding] = []
        if self.path.exists():
            for line in self.path.read_bytes().splitlines():
                # An operator may have broken what writes this, or have written to it.
                with suppress(ValueError, TypeError, AttributeError):
                    entry = json.loads(line)
                    stage = entry.get("stage", stage)
                    if "finding" in entry:
                        findings.append(Finding(**entry["finding"]))
        return stage, list(dict.fromkeys(findings))

    def _write(self, entry: object) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
