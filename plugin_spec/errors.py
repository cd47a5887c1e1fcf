"""The root of every error this project raises, and those the contract raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class HubError(Exception):
    """Base of every error raised on purpose.

    ``hint`` is one imperative sentence that stands below the message, on the command
    line and in a traceback.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")


class InvalidName(HubError, ValueError):
    """An operator name does not parse, or is reserved."""


class InvalidRequirement(HubError, ValueError):
    """A requirement string does not parse."""


class InvalidManifest(HubError, ValueError):
    """A manifest breaks the contract.

    ``problems`` holds one sentence per problem, each with its place, in file order.
    """

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"`{source}` is not a valid manifest\n{lines}")


class OtherOperator(InvalidManifest):
    """A manifest is of another operator than its place promises."""


class InvalidOperator(HubError, TypeError):
    """A repository's code does not implement the hooks its manifest promises."""


class OutOfMemory(HubError, MemoryError):
    """A batch does not fit in the memory of its device."""
