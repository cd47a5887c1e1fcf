"""What training refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable


class InvalidTrainingConfig(HubError, ValueError):
    """A training cannot be set so; ``problems`` has a line for each."""

    def __init__(self, problems: Iterable[str], *, source: str = "") -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        where = f"`{source}`" if source else "This"
        super().__init__(f"{where} is no configuration of a training\n{lines}")


class CannotTrain(HubError, ValueError):
    """A training cannot begin: what it is given does not allow it."""
