"""Records: what an operator that fills a store of vectors takes, one a row."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[Any]

Id: TypeAlias = int | str

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LARGEST: Final = 1 << 63
_KINDS: Final = {bool: "bool", int: "int", float: "float", str: "text"}
_FIRST: Final = "The records that are written first decide the columns"

_SHORTEST: Final = 2e-19
_LONGEST: Final = 9e18
"""Float32 holds the squares of such lengths, and of distances between such vectors."""


class InvalidRecord(HubError, ValueError):
    """A row cannot be put in a store: no vector, no id, or a value no column holds."""


@dataclass(frozen=True, slots=True)
class Record:
    """A vector, what it is found by, and what is known of it."""

    id: Id
    vector: Vector
    """(D,), float32, finite."""
    metadata: Mapping[str, object]
    """JSON values by column."""


def parse_record(value: object, *, id: str = "id", vector: str = "vector") -> Record:  # noqa: A002  (the column's name)
    """Read a mapping, or a tuple of id, vector and perhaps a mapping of metadata.

    A record without an id gets one, a random number.

    >>> parse_record({"id": 7, "vector": [0, 1], "file": "a.jpg"}).metadata
    {'file': 'a.jpg'}
    >>> parse_record(("a", [0, 1], {"width": 640})).id
    'a'

    :param id: the mapping's key for the id.
    :param vector: its key for the vector; every other one is metadata.
    :raises InvalidRecord: with what is wrong.
    """
    if id == vector:
        raise InvalidRecord(
            f"The id and the vector are both under `{id}`",
            hint="Give `id` and `vector` two names",
        )
    if isinstance(value, tuple) and len(value) in (2, 3):
        key, found, rest = (*value, {})[:3]
    elif hasattr(value, "keys") and vector in (rest := dict(value)):  # type: ignore[call-overload]  # a mapping, or like one
        key, found = rest.pop(id, None), rest.pop(vector)
    else:
        raise InvalidRecord(
            f"A record has an `{id}`, a `{vector}` and metadata, "
            f"got a `{type(value).__name__}`"
            + (f" of {', '.join(map(repr, rest))}" if hasattr(value, "keys") else ""),
            hint="Give a mapping, or a tuple `(id, vector, metadata)`",
        )
    metadata = _parse_metadata(rest)
    if taken := {id, vector} & metadata.keys():
        raise InvalidRecord(f"`{taken.pop()}` is no metadata")
    return Record(_parse_id(key), parse_vector(found), metadata)


def parse_vector(value: object) -> Vector:
    """A vector as float32.

    :returns: (D,), finite; the array itself where it is one already.
    :raises InvalidRecord: if it is none.
    """
    import numpy as np

    try:
        found = np.asarray(value)
        with np.errstate(over="ignore"):  # what overflows is refused as infinite
            # Any other cast takes texts, and drops what is imaginary.
            vector = found.astype(np.float32, casting="same_kind", copy=False)
    except (TypeError, ValueError) as error:
        raise InvalidRecord(
            f"A `{type(value).__name__}` is no vector of numbers"
        ) from error
    if vector.ndim != 1 or not vector.size:
        raise InvalidRecord(f"A vector has the shape (D,), got {vector.shape}")
    if not np.isfinite(vector).all():
        raise InvalidRecord("A vector holds NaN or infinity")
    return vector


def unit_vector(vector: Vector) -> Vector:
    """The vector at length 1, for stores whose cosine is an inner product.

    :raises InvalidRecord: for zeros, which point nowhere.
    """
    import numpy as np

    largest = np.abs(vector).max()
    if not largest:
        raise InvalidRecord("A vector of zeros has no cosine")
    unit = (vector / largest).astype(np.float64)  # so that no square overflows
    result: Vector = (unit / np.linalg.norm(unit)).astype(np.float32)
    return result


def check_scale(vector: Vector, *, cosine: bool = False) -> None:
    """Refuse a vector whose squares leave float32, in which stores compare.

    :param cosine: whether it is divided by its length, which may then be too short.
    :raises InvalidRecord: with the length.
    """
    import numpy as np

    if cosine:
        unit_vector(vector)  # refuses zeros
    length = float(np.linalg.norm(vector.astype(np.float64)))
    shortest = _SHORTEST if cosine else 0
    if not shortest <= length <= _LONGEST:
        raise InvalidRecord(
            f"A vector of length {length:.3g} cannot be compared in float32",
            hint=f"Scale vectors to lengths from {shortest:g} to {_LONGEST:g}",
        )


def columns_of(records: Sequence[Record], *, mixed: bool = True) -> dict[str, str]:
    """Columns and what they hold: ``text``, ``int``, ``float``, ``bool`` or ``json``.

    :param mixed: whether a store's ``json`` can be a number or a text. Where it cannot,
        a column of several types holds that of its first value.

    >>> first = Record(0, None, {"file": "a.jpg", "width": 2})
    >>> columns_of([first, Record(1, None, {"width": 0.5, "note": None})])
    {'file': 'text', 'width': 'float', 'note': 'text'}
    """
    kinds: dict[str, dict[str, None]] = {}
    numbers: set[str] = set()
    for record in records:
        for name, value in record.metadata.items():
            found = kinds.setdefault(name, {})
            if storable(value) is not None:
                found.setdefault(_kind(value))
            elif value is not None:
                numbers.add(name)
    # NaN says what a column holds where nothing else does.
    return {
        name: "float" if not found and name in numbers else _column(found, mixed=mixed)
        for name, found in kinds.items()
    }


def check_columns(
    records: Iterable[Record], columns: Mapping[str, str], *, mixed: bool = True
) -> None:
    """Refuse what a store that has these columns cannot hold.

    :param mixed: as in ``columns_of``.
    :raises InvalidRecord: naming the record, and the columns that there are.
    """
    for record in records:
        for name, value in record.metadata.items():
            if name not in columns:
                listed = ", ".join(f"`{column}`" for column in columns) or "none"
                raise InvalidRecord(
                    f"Record {record.id!r} has the column `{name}`, the store has: "
                    f"{listed}",
                    hint=_FIRST,
                )
            kind, expected = _kind(value), columns[name]
            if type(value) is int and expected == "float":
                fits, found = float(value) == value, f"{value}, which no float equals,"
            else:
                fits, found = kind == expected, kind
            if not (storable(value) is None or fits or (mixed and expected == "json")):
                raise InvalidRecord(
                    f"Record {record.id!r} has {found} in the column `{name}`, "
                    f"which holds {expected}",
                    hint=_FIRST,
                )


def storable(value: object) -> object:
    """A value as every store can keep it: NaN, which some cannot, is None.

    >>> storable(float("nan")), storable(0.5), storable("nan")
    (None, 0.5, 'nan')
    """
    return None if isinstance(value, float) and math.isnan(value) else value


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "json")


def _common(kinds: set[str]) -> str:
    if len(kinds) < 2:  # noqa: PLR2004
        return next(iter(kinds), "text")
    return "float" if kinds == {"int", "float"} else "json"


def _column(found: Mapping[str, None], *, mixed: bool) -> str:
    kind = _common({*found})
    if kind != "json" or mixed:
        return kind
    first = next(iter(found))
    return "float" if first == "int" and "float" in found else first


def _parse_id(value: object) -> Id:
    if value is None:
        return secrets.randbelow(_LARGEST)
    plain = _plain(value)
    if isinstance(plain, str):
        _check_text(plain, "The id")
    is_number = type(plain) is int and -_LARGEST <= plain < _LARGEST
    if is_number or (isinstance(plain, str) and plain):
        return plain  # type: ignore[return-value]  # one of the two
    raise InvalidRecord(f"An id is a number of 64 bits or a text, got {value!r}")


def _parse_metadata(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise InvalidRecord(f"Metadata is a mapping, got a `{type(value).__name__}`")
    for name in value:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidRecord(
                f"{name!r} is no column",
                hint="Start with a letter; letters, digits and `_` may follow",
            )
    return {name: _json_value(name, each) for name, each in value.items()}


def _json_value(name: str, value: object) -> object:
    plain = _plain(value)
    if isinstance(plain, dict | list | tuple):
        try:
            text = json.dumps(plain, allow_nan=False, ensure_ascii=False)
            return json.loads(text.encode())
        except (TypeError, ValueError) as error:
            raise InvalidRecord(f"`{name}` is no JSON: {error}") from error
    if isinstance(plain, str):
        _check_text(plain, f"`{name}`")
    fits = type(plain) is not int or -_LARGEST <= plain < _LARGEST
    if plain is None or (type(plain) in _KINDS and fits):
        return plain
    raise InvalidRecord(f"`{name}` cannot hold a `{type(value).__name__}`")


def _check_text(text: str, what: str) -> None:
    """Refuse half characters, as the names of files may have them."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRecord(
            f"{what} is no UTF-8: {text!r}",
            hint="Escape it: `text.encode(errors='backslashreplace').decode()`",
        ) from error


def _plain(value: object) -> object:
    """A path as text, a numpy number as Python's own."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    is_scalar = hasattr(value, "item") and getattr(value, "shape", None) == ()
    return value.item() if is_scalar else value  # type: ignore[attr-defined]  # as was asked
