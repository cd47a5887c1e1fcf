"""What one lock has that another has not, as a person would tell it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, TypeAlias

from plugin_spec.spaces import space_changes
from plugin_spec.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hub_client.lockfile import Lockfile
    from plugin_spec.spaces import EmbeddingSpace

Kind: TypeAlias = Literal["operator", "weights", "package"]


@dataclass(frozen=True, slots=True)
class LockChange:
    """One name whose versions are others now."""

    kind: Kind
    name: str
    before: tuple[str, ...]
    """What was locked; a package may have a version for each platform."""
    after: tuple[str, ...]
    """What is locked."""
    space: tuple[str, ...] = ()
    """In what its vectors' space differs, if they do not compare."""

    def __str__(self) -> str:
        return "\n    ".join([self._line(), *space_lines(self.space)])

    def _line(self) -> str:
        before, after = enumerated(self.before), enumerated(self.after)
        if not before:
            return f"+ {self.name} {after}"
        if not after:
            return f"- {self.name} {before}"
        if before == after:
            return f"~ {self.name} {after}, which is another one now"
        return f"~ {self.name} {before} -> {after}"

    def to_dicts(self) -> Iterator[dict[str, object]]:
        """The change as JSON values: one for each version that came or went."""
        came = [each for each in self.after if each not in self.before]
        went = [each for each in self.before if each not in self.after]
        for after, before in zip_longest(came, went) if came or went else self._same():
            yield {
                "action": "change"
                if before and after
                else "add"
                if after
                else "remove",
                "kind": self.kind,
                "name": self.name,
                "version": after,
                "locked": before,
                "space": list(self.space),
            }

    def _same(self) -> Iterator[tuple[str, str]]:
        """Versions that are others under the same name."""
        return zip(self.after, self.before, strict=True)


def space_lines(differences: Iterable[str]) -> Iterator[str]:
    r"""What follows for people from two spaces that differ; no line if they do not.

    >>> print("\n".join(space_lines(["layer: layer3, layer4"])))
    vectors of another space: make them and their indexes anew
      layer: layer3, layer4
    """
    for number, each in enumerate(differences):
        if not number:
            yield "vectors of another space: make them and their indexes anew"
        yield f"  {each}"


def lock_changes(before: Lockfile, after: Lockfile) -> Iterator[LockChange]:
    """Operators, their weights, and Python packages, each by name."""
    for each in _changes("operator", _operators(before), _operators(after)):
        old, new = _space(before, each.name), _space(after, each.name)
        yield replace(each, space=space_changes(old, new))
    pins = _weights(before), _weights(after)
    for each in _changes("weights", *pins):
        yield replace(each, space=_other_bytes(*(pin.get(each.name) for pin in pins)))
    yield from _changes("package", _packages(before), _packages(after))


_Pinned: TypeAlias = "Mapping[str, tuple[tuple[str, ...], object]]"
"""By name: the versions in words, and all that would be installed."""


def _changes(kind: Kind, before: _Pinned, after: _Pinned) -> Iterator[LockChange]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ((), None)), after.get(name, ((), None))
        if old != new:
            yield LockChange(kind, name, old[0], new[0])


def _operators(lock: Lockfile) -> _Pinned:
    return {
        str(each.name): ((str(each.version),), (each.source, each.tree))
        for each in lock.operators
    }


def _space(lock: Lockfile, name: str) -> EmbeddingSpace | None:
    return next((each.space for each in lock.operators if str(each.name) == name), None)


def _weights(lock: Lockfile) -> _Pinned:
    """A commit stands for a version."""
    return {
        f"{each.repo}/{each.file}": (
            (each.revision[:12] if each.revision else "unpinned",),
            each.sha256,
        )
        for operator in lock.operators
        for each in operator.weights
    }


def _other_bytes(
    old: tuple[object, object] | None, new: tuple[object, object] | None
) -> tuple[str, ...]:
    """What a vector's space differs in, if weights are known to be others."""
    if old and new and old[1] and new[1] and old[1] != new[1]:
        return (f"weights: {old[1]}, {new[1]}",)
    return ()


def _packages(lock: Lockfile) -> _Pinned:
    """A package may be pinned to a version for each platform."""
    versions: dict[str, dict[str, None]] = {}
    for each in lock.packages:
        versions.setdefault(each.name, {})[each.version] = None
    return {name: (tuple(found), None) for name, found in versions.items()}
