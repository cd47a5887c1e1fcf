"""Versions of an operator: as a source lists them, and as the resolver chooses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from packaging.version import Version

    from plugin_spec.manifest import Manifest
    from plugin_spec.names import OperatorName


WITHDRAWN: Final = "withdrawn by its publisher"
"""Why a version is yanked whose publisher gave no reason, or none that can be read."""
_LONGEST_REASON: Final = 500


def read_reason(text: str) -> str:
    r"""What is kept of why a version is yanked: a line, of its first paragraph.

    >>> read_reason("Swaps red\nand blue\n\nSeen with JPEG.")
    'Swaps red and blue'
    >>> read_reason(" \n")
    'withdrawn by its publisher'
    """
    paragraph = text.strip().partition("\n\n")[0]
    line = "".join(filter(str.isprintable, " ".join(paragraph.split()))) or WITHDRAWN
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"


class ReleaseGone(HubError, LookupError):
    """A source lists a version, and does not have what it is made of any more."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version that a source lists, before its manifest was read."""

    version: Version
    revision: str
    """What never changes: a full git commit id, or the tree digest of a folder."""
    ref: str | None = None
    """What was asked for, for example ``refs/tags/v1.0.0``; None for a folder."""
    yanked: str | None = None
    """Why the publisher withdrew it; None if it is not withdrawn."""
    source: str | None = None
    """Where its files are, if an index says that of another source."""
    tree: str | None = None
    """Digest that its files must have, if a lock or the source says one."""


class Fetchable(Protocol):
    """What a source needs to give a tree: a candidate, or a locked operator."""

    @property
    def name(self) -> OperatorName:
        """Whose tree."""

    @property
    def release(self) -> Release:
        """Which one."""

    @property
    def source(self) -> str:
        """Where from, as written in configuration."""


def describe(wanted: Fetchable) -> str:
    """Which one of which operator, and from where, for messages."""
    return f"{wanted.name} {wanted.release.version} from `{wanted.source}`"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One release of an operator, from one source, with its manifest."""

    name: OperatorName
    release: Release
    source: str
    """The source as written in configuration, for example ``bundled``."""
    manifest: Manifest

    @property
    def version(self) -> Version:
        """The release's version."""
        return self.release.version

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
