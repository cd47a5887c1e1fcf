"""Which of Arrow's types hold the values of another, so that they come back equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing import TypeAlias

    Type: TypeAlias = Any
    """A ``pyarrow.DataType``; pyarrow publishes no types."""

_KINDS: Final = {
    "text": ("is_string", "is_large_string"),
    "bytes": ("is_binary", "is_large_binary", "is_fixed_size_binary"),
    "number": ("is_integer", "is_floating"),
    "decimal": ("is_decimal",),
    "date": ("is_date",),
    "time": ("is_time",),
    "timestamp": ("is_timestamp",),
    "duration": ("is_duration",),
}


def holds(wide: Type, narrow: Type, *, rounded: bool = False) -> bool:
    """Whether values of ``narrow`` that can be cast to ``wide`` are equal there.

    >>> import pyarrow as pa
    >>> holds(pa.float64(), pa.int64()), holds(pa.bool_(), pa.int64())
    (True, False)

    A cast itself refuses numbers out of range, times of which a part would be lost, and
    lists of another length; it changes kinds, drops fields and rounds without a word.

    :param rounded: whether floats may be rounded.
    """
    from pyarrow import types

    if wide.equals(narrow) or types.is_null(narrow):
        return True
    if types.is_struct(narrow):
        return types.is_struct(wide) and all(
            wide.get_field_index(field.name) >= 0
            and holds(wide.field(field.name).type, field.type, rounded=rounded)
            for field in narrow
        )
    items, narrow_items = _items(wide), _items(narrow)
    if items is not None and narrow_items is not None:
        return holds(items, narrow_items, rounded=rounded)
    kind = _kind(wide)
    if kind is None or kind != _kind(narrow):
        return False
    if kind == "timestamp":
        return (wide.tz is None) == (narrow.tz is None)
    return kind != "number" or rounded or _is_exact(wide, narrow)


def _is_exact(wide: Type, narrow: Type) -> bool:
    from pyarrow import types

    if types.is_floating(wide) and types.is_floating(narrow):
        return bool(wide.bit_width >= narrow.bit_width)
    # A cast refuses fractions, and numbers that floats round, except for the halves.
    return not types.is_float16(wide)


def _items(listed: Type) -> Type | None:
    """The type of what lists and vectors hold; None for other types."""
    import pyarrow as pa

    if isinstance(listed, pa.FixedShapeTensorType):
        return listed.value_type if len(listed.shape) == 1 else None
    lists = pa.ListType | pa.LargeListType | pa.FixedSizeListType
    return listed.value_type if isinstance(listed, lists) else None


def _kind(scalar: Type) -> str | None:
    from pyarrow import types

    for kind, predicates in _KINDS.items():
        if any(getattr(types, predicate)(scalar) for predicate in predicates):
            return kind
    return None
