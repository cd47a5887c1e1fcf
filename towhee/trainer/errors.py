"""What training refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class InvalidTrainingConfig(HubError, ValueError):
    """A training cannot be set so; ``problems`` has a line for each."""

    def __init__(self, problems: Iterable[str], *, source: str = "") -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        where = f"`{source}`" if source else "This"
        super().__init__(f"{where} is no configuration of a training\n{lines}")


class CannotTrain(HubError, ValueError):
    """A training cannot begin: what it is given does not allow it."""


class CannotWrite(HubError):
    """Weights cannot be kept, most often because the disk is full."""

    def __init__(self, path: Path, said: str) -> None:
        self.path = path
        super().__init__(
            f"Cannot write `{path}`: {said}",
            hint="Make room on that disk, and go on from the checkpoint before: resume",
        )
