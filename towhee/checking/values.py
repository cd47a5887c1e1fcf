"""What operators give, compared with what they gave and with their ports."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from towhee.outcome import short_repr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from inspect import Parameter

    from plugin_spec.port import Port

TOLERANCE: Final = 1e-4
"""How far floats may differ, as a share of the largest: a sum in another order."""

_TEXT: Final[Mapping[str, Any]] = {
    "text": str,
    "url": str,
    "bytes": (bytes, bytearray, memoryview),
    "path": (str, os.PathLike),
}


def difference(
    first: Any,  # noqa: ANN401  (what operators give)
    second: Any,  # noqa: ANN401
    *,
    tolerance: float = TOLERANCE,
) -> str | None:
    """Say how two values differ; None if they agree.

    >>> difference([1.0, "a"], [1.00001, "a"]) is None
    True
    >>> difference(1.0, 2.0)
    '1.0 and 2.0'
    """
    if _is_array(first) and _is_array(second):
        return _array_difference(first, second, tolerance)
    if type(first) is not type(second):
        return f"{short_repr(first)} and {short_repr(second)}"
    if (pairs := _pairs(first, second)) is not None:
        found = (difference(a, b, tolerance=tolerance) for a, b in pairs)
        return next(filter(None, found), None)
    if isinstance(first, float):
        near = abs(first - second) <= tolerance * max(abs(first), abs(second))
        near = near or first == second or (first != first and second != second)  # noqa: PLR0124  (not a number)
    else:
        near = _equal(first, second)
    return None if near else f"{short_repr(first)} and {short_repr(second)}"


def mismatch(port: Port, value: object) -> str | None:
    """Say why ``value`` is not what ``port`` carries; None if it is.

    >>> from plugin_spec import Port
    >>> mismatch(Port("caption", ("text",)), b"a cat")
    'is 5 bytes, but `caption` is text'
    """
    if any(_fits(kind, port, value) for kind in port.types):
        return None
    found = (
        f"{_dtype(value)} of shape {tuple(value.shape)}"  # type: ignore[attr-defined]
        if _is_array(value)
        else short_repr(value)
    )
    shape = f"[{', '.join(map(str, port.shape))}]" if port.shape is not None else ""
    parts = (" or ".join(port.types), port.dtype or "", shape)
    wanted = " ".join(filter(None, parts))
    return f"is {found}, but `{port.name}` is {wanted}"


def words(error: BaseException) -> str:
    """What an exception says.

    >>> words(KeyError("cat"))
    "KeyError: 'cat'"
    """
    if isinstance(error, HubError) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def is_nan(value: Any) -> bool:  # noqa: ANN401  (what operators give)
    """Whether there is nothing but NaN in an array, or a number is none.

    >>> is_nan(float("nan")), is_nan(1.0), is_nan("nan")
    (True, False, False)
    """
    if isinstance(value, float):
        return math.isnan(value)
    if not _is_array(value) or "float" not in _dtype(value) or 0 in value.shape:
        return False
    return bool((value != value).all())  # noqa: PLR0124  (a tensor of any library)


def default_problem(schema: Mapping[str, Any], taken: Parameter) -> str | None:
    """What a schema says of a default, and a constructor has otherwise.

    A constructor's None may stand for what the manifest spells out.

    >>> from inspect import signature
    >>> taken = signature(lambda size, scale=1.0, kind=None: 0).parameters
    >>> default_problem({"default": 5.0}, taken["scale"])
    'its default is 5.0 here, and 1.0 in the constructor'
    >>> default_problem({"default": 1}, taken["size"])
    'its default is 1 here, and the constructor has none'
    >>> default_problem({"default": "a"}, taken["kind"])
    >>> default_problem({"type": "integer"}, taken["size"])
    """
    if "default" not in schema:
        return None
    said, has = schema["default"], taken.default
    if has is taken.empty:
        return f"its default is {said!r} here, and the constructor has none"
    plain = type(has) in {bool, int, float, str}
    if not plain or (said == has and isinstance(said, bool) is isinstance(has, bool)):
        return None
    return f"its default is {said!r} here, and {has!r} in the constructor"


def _fits(kind: str, port: Port, value: Any) -> bool:  # noqa: ANN401
    if kind in _TEXT:
        return isinstance(value, _TEXT[kind])
    if kind not in {"image", "vector", "array"}:
        return True
    dtype = port.dtype or ("uint8" if kind == "image" else None)
    if not _is_array(value) or (dtype and _dtype(value) != dtype):
        return False
    shape = tuple(value.shape)
    if kind == "image" and (len(shape) != 3 or shape[2] != 3):  # noqa: PLR2004  (H, W, 3)
        return False
    if kind == "vector" and len(shape) != 1:
        return False
    return port.shape is None or (
        len(shape) == len(port.shape)
        and all(
            isinstance(b, str) or a == b for a, b in zip(shape, port.shape, strict=True)
        )
    )


def _is_array(value: object) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _dtype(value: Any) -> str:  # noqa: ANN401
    return str(value.dtype).rpartition(".")[2]


def _pairs(first: Any, second: Any) -> list[tuple[Any, Any]] | None:  # noqa: ANN401
    """What two containers of one form hold at the same places."""
    if isinstance(first, (list, tuple)) and len(first) == len(second):
        return list(zip(first, second, strict=True))
    if isinstance(first, dict) and first.keys() == second.keys():
        return [(first[key], second[key]) for key in first]
    return None


def _array_difference(first: Any, second: Any, tolerance: float) -> str | None:  # noqa: ANN401
    import numpy as np

    a, b = np.asarray(first), np.asarray(second)
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return f"{a.dtype} of shape {a.shape} and {b.dtype} of shape {b.shape}"
    if a.dtype.kind not in "fc":
        return None if np.array_equal(a, b) else "elements that are not equal"
    # In double precision, so that the difference itself is not rounded.
    a, b = a.astype("complex128"), b.astype("complex128")
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b)
    apart[(a == b) | (np.isnan(a) & np.isnan(b))] = 0
    largest = np.nanmax(np.abs(a)[np.isfinite(a)], initial=0)
    worst = np.max(apart, initial=0)
    if worst <= tolerance * largest:
        return None
    return (
        f"elements that are up to {worst:.2g} apart, where the largest is {largest:.2g}"
    )


def _equal(first: object, second: object) -> bool:
    import pickle  # noqa: PLC0415  (only written, never read)

    try:
        if first == second:
            return True
    except Exception:  # noqa: BLE001  (a class of the operator's own)
        return False
    if type(first).__eq__ is not object.__eq__:
        return False
    try:
        return pickle.dumps(first) == pickle.dumps(second)
    except Exception:  # noqa: BLE001  (then nothing can be said)
        return True
