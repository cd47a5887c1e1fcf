"""What resolving gives: one candidate per operator, and why the others were not it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from packaging.version import Version

    from hub_client.candidate import Candidate
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement


class Pin(Protocol):
    """Anything with a version, such as a candidate or a locked operator."""

    @property
    def version(self) -> Version:
        """The version to prefer."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A version that the requirements allow and a rule or the search does not."""

    name: OperatorName
    version: Version
    reason: str
    """The predicate of a sentence about this version: ``is a pre-release``."""
    hint: str | None = None
    """How to have it all the same."""
    unread_at: str | None = None
    """Its source, if its manifest does not read; None if it does."""

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.reason}"


@dataclass(frozen=True, slots=True)
class Resolution:
    """One candidate per operator; together they satisfy every requirement."""

    candidates: tuple[Candidate, ...]
    """Dependencies first; a cycle is entered at its first name."""
    roots: tuple[Requirement, ...]
    rejected: tuple[Rejection, ...] = ()
    """What was looked at and turned down, by name, newest first."""

    @property
    def passed_over(self) -> tuple[str, ...]:
        """A sentence on each version whose manifest does not read."""
        return tuple(
            f"{each.name} {each.version} at `{each.unread_at}` is passed over: "
            f"it {each.reason}"
            for each in self.rejected
            if each.unread_at is not None
        )

    @property
    def withdrawn(self) -> tuple[str, ...]:
        """A sentence on each chosen version that was yanked: it was asked for."""
        return tuple(
            f"{each.name} {each.version} was yanked: {each.release.yanked}"
            for each in self.candidates
            if each.release.yanked is not None
        )
