"""Embedding spaces: which vectors may be compared with which."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from typing import Any, Final, Protocol, Self, runtime_checkable

from plugin_spec.errors import HubError

_SHORT: Final = 12
"""Characters of a fingerprint, and of a digest in a message."""
_LONGEST: Final = 80
"""Characters of a value in a message: stores may hold anything."""
_MOST: Final = 12
"""Differences that a message lists."""
_ABSENT: Final = "none"
_MISSING: Final = object()
"""What equals no value: a step that only one of two names is a difference."""
_FIRST: Final = ("recipe", 1)
"""What is not worth a line."""
_DIGESTS: Final = ("weights", "joint")
"""What is told by the first characters."""
_SHARED: Final = ("joint", "normalisation")
"""What two towers have in common if their vectors compare."""


class SpacesDiffer(HubError, ValueError):
    """Vectors of two embedding spaces would be compared, or put into one store."""


class InvalidSpace(HubError, ValueError):
    """What a store or a file says of its space is no description of one."""


@runtime_checkable
class HasSpace(Protocol):
    """Makes vectors of a space, if it is known which."""

    @property
    def space(self) -> EmbeddingSpace | None:
        """The space; None if it is not known."""


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """What decides where in space a vector lies; equal for vectors that compare.

    What changes vectors by no more than float rounding is no part of it, such as a
    backend, a device or the size of a batch.

    >>> space = EmbeddingSpace("acme/embed", "tiny", "sha256:00", layer="penultimate")
    >>> print(space)
    space          758f1d8ec5f8
    operator       acme/embed
    model          tiny
    weights        sha256:00
    layer          penultimate
    pooling        none
    normalisation  none
    precision      float32
    """

    operator: str
    """Whose code makes the vectors: ``image-embedding/timm``."""
    model: str
    """The architecture."""
    weights: str
    """The digest of the weights themselves, wherever they are from."""
    layer: str = _ABSENT
    pooling: str = _ABSENT
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    """JSON values by name: size, interpolation, crop, mean, …"""
    normalisation: str = _ABSENT
    """``L2`` for vectors of length 1."""
    precision: str = "float32"
    """What is rounded, and how: ``bfloat16``."""
    recipe: int = 1
    """Raised by an operator's author whose code makes other vectors of the same."""
    joint: str | None = None
    """What names a space that several towers share, with the whole model's digest."""
    tower: str | None = None
    """Which of them this is: ``image``, ``text``."""
    origin: str = field(default="", compare=False)
    """Where the weights are from, for people; the digest decides."""

    def __post_init__(self) -> None:
        # As JSON gives it back: a list, not a tuple.
        plain = json.loads(json.dumps(dict(self.preprocessing)))
        object.__setattr__(self, "preprocessing", plain)

    @property
    def fingerprint(self) -> str:
        """Twelve characters; those of equal spaces are equal, in any process.

        >>> space = EmbeddingSpace("acme/embed", "tiny", "sha256:00")
        >>> space.fingerprint, space.but(layer="layer3").fingerprint
        ('6fe34d09b738', '97c7da84da77')
        """
        text = json.dumps(self.stated(), sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()[:_SHORT]

    def stated(self) -> dict[str, Any]:
        """The fields that decide and say something, as manifests and locks have them.

        Those that say nothing are left out, so that a new one changes no old space.

        >>> EmbeddingSpace("acme/embed", "tiny", "sha256:00", layer="layer3").stated()
        {'operator': 'acme/embed', 'model': 'tiny', 'weights': 'sha256:00', ...
        """
        return {
            each.name: value
            for each in fields(self)
            if each.compare
            and (value := getattr(self, each.name)) not in (each.default, {})
        }

    def but(self, **changes: Any) -> Self:  # noqa: ANN401  (fields of this class)
        """The same space with other fields."""
        return replace(self, **changes)

    def compatible_with(self, other: EmbeddingSpace) -> bool:
        """Whether vectors of both compare. They do in two cases, and no other.

        - Everything but ``precision`` is equal: float32 and bfloat16 of the same model
          round differently, and mean the same.
        - They are two towers of one model: both name the same ``joint``, each another
          ``tower``, and ``normalisation`` is equal. Nothing else is: an image and a
          text have no preprocessing in common.

        >>> space = EmbeddingSpace("acme/embed", "tiny", "sha256:00")
        >>> space.compatible_with(space.but(precision="bfloat16"))
        True
        >>> space.compatible_with(space.but(layer="layer3"))
        False
        """
        ours, theirs = self._values(), other._values()
        if {**ours, "precision": None} == {**theirs, "precision": None}:
            return True
        return (
            self._is_tower_beside(other)
            and self.joint == other.joint
            and self.normalisation == other.normalisation
        )

    def conflicts(self, other: EmbeddingSpace) -> tuple[str, ...]:
        """The differences for which vectors of both do not compare; none if they do.

        Of two towers, what they should have in common: they differ in the rest anyway.

        >>> image = EmbeddingSpace("a/b", "m", "sha256:0", joint="j", tower="image")
        >>> text = EmbeddingSpace("a/b", "m", "sha256:1", joint="j", tower="text")
        >>> image.conflicts(text), image.conflicts(text.but(joint="k"))
        ((), ('joint: j, k',))
        """
        if self.compatible_with(other):
            return ()
        return self._listed(other, _SHARED if self._is_tower_beside(other) else None)

    def differences(self, other: EmbeddingSpace) -> tuple[str, ...]:
        """A line for each way in which they differ, this one's value first.

        >>> space = EmbeddingSpace("acme/embed", "tiny", "sha256:00")
        >>> nearest = space.but(preprocessing={"interpolation": "nearest"})
        >>> nearest.but(preprocessing={"interpolation": "bicubic"}).differences(nearest)
        ('interpolation: bicubic, nearest',)
        """
        return self._listed(other)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, which ``from_dict`` reads.

        >>> space = EmbeddingSpace("acme/embed", "tiny", "sha256:00", tower="text")
        >>> EmbeddingSpace.from_dict(space.to_dict()) == space
        True
        """
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_dict(cls, document: object) -> Self:
        """Read what ``to_dict`` gave, in any process.

        :raises InvalidSpace: if it is something else, or has fields unknown here.
        """
        if not isinstance(document, Mapping):
            raise InvalidSpace(f"A space is an object, got `{type(document).__name__}`")
        known = {each.name for each in fields(cls)}
        if unknown := document.keys() - known:
            raise InvalidSpace(
                f"A space has no field `{_word(min(unknown, key=str))}`",
                hint="It may have been written by a newer version",
            )
        problems = [name for name in known if not _is_fit(name, document)]
        if problems:
            name = min(problems)
            raise InvalidSpace(
                f"A space cannot have the {name} {_word(document.get(name))}"
            )
        try:
            return cls(**document)
        except (TypeError, RecursionError) as error:
            raise InvalidSpace(f"A preprocessing is JSON values: {error}") from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the JSON of ``to_dict``.

        :raises InvalidSpace: if it is something else.
        """
        try:
            return cls.from_dict(json.loads(text))
        except (ValueError, RecursionError) as error:
            if isinstance(error, InvalidSpace):
                raise
            raise InvalidSpace("What says a space is no JSON") from error

    def __str__(self) -> str:
        values = self._values()
        said = [
            key
            for key, value in values.items()
            if value is not None and (key, value) != _FIRST
        ]
        rows = {"space": self.fingerprint}
        rows |= {_word(key): self._told(key, values) for key in said}
        width = max(map(len, rows)) + 2
        return "\n".join(f"{name:{width}}{text}" for name, text in rows.items())

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def _values(self) -> dict[str, Any]:
        """What decides, by name; each step of the preprocessing by its own."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        own.pop("origin")
        steps = {
            key if key not in own else f"preprocessing.{key}": value
            for key, value in own.pop("preprocessing").items()
        }
        first = ("operator", "model", "weights", "layer", "pooling")
        return {**{key: own.pop(key) for key in first}, **steps, **own}

    def _is_tower_beside(self, other: EmbeddingSpace) -> bool:
        named = None not in {self.joint, other.joint, self.tower, other.tower}
        return named and self.tower != other.tower

    def _listed(
        self, other: EmbeddingSpace, among: Collection[str] | None = None
    ) -> tuple[str, ...]:
        ours, theirs = self._values(), other._values()
        return tuple(
            f"{_word(key)}: {self._told(key, ours)}, {other._told(key, theirs)}"
            for key in {**ours, **theirs}
            if ours.get(key, _MISSING) != theirs.get(key, _MISSING)
            and (among is None or key in among)
        )

    def _told(self, key: str, values: Mapping[str, Any]) -> str:
        value = values.get(key, _ABSENT)
        if key not in _DIGESTS or value is None:
            return _word(value)
        kind, colon, digest = value.partition(":")
        short = digest[:_SHORT] if kind == "sha256" else digest
        origin = f" ({_word(self.origin)})" if self.origin else ""
        return _word(kind + colon + short) + origin


@dataclass(frozen=True, slots=True)
class KnownSpace:
    """A space that was found out elsewhere, in another process for example."""

    space: EmbeddingSpace | None


def space_changes(
    before: EmbeddingSpace | None, after: EmbeddingSpace | None
) -> tuple[str, ...]:
    """What differs between two versions whose vectors do not compare.

    Nothing, where either space is not known.

    >>> space = EmbeddingSpace("acme/embed", "tiny", "sha256:00")
    >>> space_changes(space, space.but(layer="layer3"))
    ('layer: none, layer3',)
    >>> space_changes(space, None)
    ()
    """
    if before is None or after is None:
        return ()
    return before.conflicts(after)


def check_spaces(
    place: str,
    *,
    held: EmbeddingSpace | None,
    given: EmbeddingSpace | None,
    hint: str | None = None,
) -> None:
    """Refuse vectors of another space; what is not known fits.

    >>> held = EmbeddingSpace("acme/embed", "tiny", "sha256:00")
    >>> check_spaces("photos", held=held, given=held.but(precision="bfloat16"))
    >>> check_spaces("photos", held=held, given=held.but(model="small"))
    Traceback (most recent call last):
    ...
    plugin_spec.spaces.SpacesDiffer: `photos` holds vectors of another space ...

    :param place: what holds vectors, for the message.
    :param held: the space that it says they are of.
    :param given: the space of those that come.
    :raises SpacesDiffer: with the differences, what is held first.
    """
    found = () if held is None or given is None else held.conflicts(given)
    if not found:
        return
    rest = len(found) - _MOST
    more = (f"and {rest} more",) if rest > 0 else ()
    listed = "\n".join(f"  {line}" for line in (*found[:_MOST], *more))
    raise SpacesDiffer(
        f"`{place}` holds vectors of another space than those that come\n{listed}",
        hint=hint,
    )


def _is_fit(name: str, document: Mapping[str, Any]) -> bool:
    if name not in document:
        return name not in {"operator", "model", "weights"}
    value = document[name]
    if name == "preprocessing":
        return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    if name == "recipe":
        return type(value) is int
    if name in {"joint", "tower"} and value is None:
        return True
    return isinstance(value, str)


def _word(value: object) -> str:
    """A value on one line, however long it is and whatever it holds."""
    text = value if isinstance(value, str) else json.dumps(value)
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
