"""One operator's file in an index: a line a version, each a JSON object.

``docs/index.md`` describes the keys. A new version is a new line, so a change to an
index reads as what it adds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from packaging.version import Version

from hub_client.candidate import Release, read_reason
from hub_client.git_url import parse_git_url
from hub_client.lockfile.entry import (
    Entry,
    LockProblem,
    as_digest,
    as_table,
    matching,
    parsed,
)
from hub_client.merge_markers import CHOOSE, merge_markers
from hub_client.sources import GIT, HUGGING_FACE, HUGGING_FACE_AT
from hub_client.sources.rules import InvalidSource
from hub_client.sources.version_tags import is_version_tag
from plugin_spec.errors import HubError
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from plugin_spec.names import OperatorName

FOLDER: Final = "operators"
"""Where an index keeps its entries: ``operators/<namespace>/<name>.jsonl``."""
SUFFIX: Final = ".jsonl"
SIZE_LIMIT: Final = 4 << 20
"""Bytes; more than an entry may have. Nobody reads on beyond it."""

_KEYS: Final = ("version", "source", "ref", "commit", "tree", "yanked", "operator")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class InvalidEntry(HubError, ValueError):
    """A file of an index holds what it may not; ``problems`` has each with its line."""

    def __init__(
        self,
        where: str,
        problems: Iterable[str],
        *,
        hint: str = "Ask who keeps the index; a newer `hub` may know more keys",
    ) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        message = f"`{where}` is not a valid entry of an index\n{lines}"
        super().__init__(message, hint=hint)


@dataclass(frozen=True, slots=True)
class IndexedVersion:
    """One version: where its files are, their digest, and what its manifest says."""

    version: Version
    source: str
    """Where its tree is: ``git+URL`` or a repository at Hugging Face."""
    ref: str
    """The tag that named ``commit`` when it was indexed."""
    commit: str
    tree: str
    """Digest of the tree at ``commit``, ``sha256:…``."""
    operator: Mapping[str, Any] = field(hash=False)
    """The manifest as JSON values, not validated."""
    yanked: str | None = None

    @property
    def release(self) -> Release:
        """The version as a source lists it."""
        return Release(
            self.version,
            revision=self.commit,
            ref=self.ref,
            yanked=self.yanked,
            source=self.source,
            tree=self.tree,
        )

    def manifest(self, name: OperatorName, *, where: str) -> Manifest:
        """Validate the manifest.

        :raises InvalidManifest: also if it is another operator's, or another version's.
        """
        manifest = Manifest.from_dict(self.operator, source=where)
        return manifest.expect(name, self.version, source=where)

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Read one line.

        :raises ValueError: with the first problem that it has.
        """
        values = json.loads(
            line, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant
        )
        entry = Entry(as_table(values))
        entry.check_keys(*_KEYS)
        return cls(
            version=entry.get("version", parsed(Version)),
            source=entry.get("source", parsed(check_source)),
            ref=entry.get("ref", parsed(_check_ref)),
            commit=entry.get("commit", matching(_COMMIT, "a full commit")),
            tree=entry.get("tree", as_digest),
            yanked=entry.get("yanked", parsed(read_reason), None),
            operator=entry.get("operator", as_table),
        )

    def to_line(self) -> bytes:
        """The version as ``from_line`` reads it."""
        values = {
            "version": str(self.version),
            "source": self.source,
            "ref": self.ref,
            "commit": self.commit,
            "tree": self.tree,
            **({} if self.yanked is None else {"yanked": self.yanked}),
            "operator": self.operator,
        }
        return json.dumps(values, ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """All that an index says of one operator."""

    name: OperatorName
    versions: tuple[IndexedVersion, ...]
    """Oldest first."""

    @classmethod
    def parse(cls, name: OperatorName, text: bytes, *, where: str) -> Self:
        """Read a file.

        :raises InvalidEntry: with every problem, each with its line.
        """
        if not text:
            raise InvalidEntry(where, ["it has no version"])
        if len(text) > SIZE_LIMIT:
            raise InvalidEntry(where, [f"more than {SIZE_LIMIT:,} bytes are too many"])
        versions: list[IndexedVersion] = []
        problems: list[str] = []
        for number, line in enumerate(text.removesuffix(b"\n").split(b"\n"), 1):
            try:
                found = IndexedVersion.from_line(line)
            except (ValueError, RecursionError) as error:
                problems.append(f"line {number}: {error}")
                continue
            if versions and found.version <= versions[-1].version:
                order = f"{found.version} stands below {versions[-1].version}"
                problems.append(f"line {number}: {order}")
            versions.append(found)
        if problems:
            if markers := list(merge_markers(text.decode(errors="replace"))):
                hint = f"{CHOOSE}, where the index is kept"
                raise InvalidEntry(where, markers, hint=hint)
            raise InvalidEntry(where, problems)
        return cls(name, tuple(versions))

    def find(self, version: Version) -> IndexedVersion | None:
        """The version, if it is indexed."""
        return next((each for each in self.versions if each.version == version), None)

    def to_bytes(self) -> bytes:
        """The file."""
        ordered = sorted(self.versions, key=lambda each: each.version)
        return b"".join(each.to_line() for each in ordered)


def entry_path(name: OperatorName) -> str:
    """Where the entry of an operator lies in its index.

    >>> from plugin_spec.names import OperatorName
    >>> entry_path(OperatorName.parse("image-embedding/timm"))
    'operators/image-embedding/timm.jsonl'
    """
    return f"{FOLDER}/{name}{SUFFIX}"


def check_source(text: str) -> str:
    """Give the source itself, if anyone can reach it and nothing is left to fill in.

    >>> check_source("git+https://git.example.org/acme/embed.git")
    'git+https://git.example.org/acme/embed.git'

    :raises InvalidSource: if it is a folder, or is not in its one spelling.
    """
    if text.startswith(GIT):
        if f"{GIT}{parse_git_url(text.removeprefix(GIT))}" != text:
            raise InvalidSource(f"{text!r} is not written as it is compared")
    elif text.startswith((HUGGING_FACE, HUGGING_FACE_AT)):
        from hub_client.sources.hugging_face import parse_spec  # noqa: PLC0415

        parse_spec(text)
    else:
        raise InvalidSource(f"expected `git+URL` or `hf:ORG/REPO`, got {text!r}")
    return text


def _check_ref(text: str) -> str:
    if not is_version_tag(text):
        raise ValueError(f"expected `refs/tags/v` and a version, got {text!r}")
    return text


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise LockProblem(f"{repeated}: it is there twice")
    return values


def _refuse_constant(text: str) -> object:
    raise ValueError(f"expected JSON, got `{text}`")
