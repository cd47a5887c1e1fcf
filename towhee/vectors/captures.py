"""What a Python function has with it: captured values, defaults, an object's state."""

from __future__ import annotations

import hashlib
import re
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from itertools import chain
from operator import attrgetter, itemgetter, methodcaller
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_FUNCTIONS: Final = (FunctionType, MethodType, partial)


_Above: TypeAlias = frozenset[int]
"""What is being read further up: a value may hold itself, a function call itself."""


def code_digest(function: object) -> str | None:
    """What a Python function does; None for one that is not written in Python."""
    code = getattr(function, "__code__", None)
    return _digest(_code_parts(code)) if isinstance(code, CodeType) else None


def captures(function: object) -> dict[str, str]:
    """Values by name, numbers as they are and others as digests, in any process alike.

    What has no form that lasts (a model, an open file, a lock) is left out.

    >>> captures(partial(round, ndigits=2))
    {'ndigits': '2'}
    >>> captures(lambda row, size=1, *, scale=0.5: row)
    {'size': '1', 'scale': '0.5'}
    """
    return dict(_named("", function, frozenset()))


def sorted_parts(values: Iterable[Iterator[bytes]]) -> Iterator[bytes]:
    """The parts of a set's members: a set's own order is another in each process."""
    yield from sorted(_hashed(parts, size=16) for parts in values)


def _named(prefix: str, function: object, above: _Above) -> Iterator[tuple[str, str]]:
    if id(function) in above:
        return
    above |= {id(function)}
    for name, value in _held(function):
        here = f"{prefix}{name}"
        if isinstance(value, _FUNCTIONS):
            if (code := code_digest(value)) is not None:
                yield here, code
            yield from _named(f"{here}.", value, above)
        elif (said := _said(value, above)) is not None:
            yield here, said


def _held(function: Any) -> Iterator[tuple[str, object]]:  # noqa: ANN401  (any callable)
    if isinstance(function, partial):
        yield "func", function.func
        yield from ((f"args[{n}]", each) for n, each in enumerate(function.args))
        yield from function.keywords.items()
    elif isinstance(function, FunctionType):
        yield from _bound_names(function)
    elif isinstance(function, MethodType):
        yield from _held(function.__func__)
        yield from _state(function.__self__)
    elif isinstance(function, BuiltinFunctionType):
        yield "self", function.__self__
    elif isinstance(function, attrgetter | itemgetter | methodcaller):
        reduced = cast("tuple[object, tuple[object, ...]]", function.__reduce__())
        made, given = reduced
        yield from _held(made)
        yield from ((f"args[{n}]", each) for n, each in enumerate(given))
    elif not isinstance(function, type):
        yield "__call__", type(function).__call__
        yield from _state(function)


def _bound_names(function: FunctionType) -> Iterator[tuple[str, object]]:
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    defaults = function.__defaults__ or ()
    takes = code.co_varnames[: code.co_argcount]
    yield from zip(takes[len(takes) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def _state(owner: object) -> Iterator[tuple[str, object]]:
    """The attributes of an object; a class is itself."""
    if isinstance(owner, type):
        yield "self", owner
        return
    slots = [
        name
        for each in type(owner).__mro__
        for name in _names(each.__dict__.get("__slots__", ()))
        if name not in {"__dict__", "__weakref__"} and hasattr(owner, name)
    ]
    held = {name: getattr(owner, name) for name in slots}
    held |= getattr(owner, "__dict__", {})
    yield from ((f"self.{name}", value) for name, value in held.items())


def _names(slots: str | Iterable[str]) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else slots


def _said(value: object, above: _Above) -> str | None:
    """A number as it is; a digest of anything else, which may be a secret."""
    try:
        is_short = value is None or isinstance(value, bool | int | float)
        return repr(value) if is_short else _digest(_parts(value, above))
    except Exception:  # noqa: BLE001  (no lasting form, or a value's own code)
        return None


def _parts(value: Any, above: _Above) -> Iterator[bytes]:  # noqa: ANN401  (any value)
    if id(value) in above:
        return
    read = partial(_parts, above=above | {id(value)})
    kind = type(value)
    yield f"{kind.__module__}.{kind.__qualname__}(".encode()
    if value is None or isinstance(value, str | bytes | int | float | complex):
        yield repr(value).encode()
    elif isinstance(value, list | tuple):
        yield from chain.from_iterable(map(read, value))
    elif isinstance(value, dict):
        yield from chain.from_iterable(map(read, value.items()))
    elif isinstance(value, set | frozenset):
        yield from sorted_parts(map(read, value))
    elif isinstance(value, type):
        yield f"{value.__module__}.{value.__qualname__}".encode()
    elif isinstance(value, _FUNCTIONS):
        held = sorted(_named("", value, above))
        yield repr((code_digest(value), held)).encode()
    else:
        yield from _object_parts(value, read)
    yield b")"


def _object_parts(
    value: Any,  # noqa: ANN401  (any object)
    read: Callable[[object], Iterator[bytes]],
) -> Iterator[bytes]:
    if isinstance(value, Enum):
        yield value.name.encode()
    elif isinstance(value, PurePath):
        yield str(value).encode()
    elif isinstance(value, re.Pattern):
        yield from read((value.pattern, value.flags))
    elif is_dataclass(value):
        yield from read([getattr(value, each.name) for each in fields(value)])
    elif hasattr(value, "tobytes") and hasattr(value, "dtype"):
        yield from array_parts(value, read)
    else:
        raise TypeError(f"a `{type(value).__name__}` has no form that lasts")


def array_parts(
    value: Any,  # noqa: ANN401  (numpy's, or like it)
    read: Callable[[object], Iterator[bytes]],
) -> Iterator[bytes]:
    """An array's type, shape and values: the bytes of objects are addresses."""
    yield f"{value.dtype}{value.shape}".encode()
    if value.dtype.hasobject:
        yield from read(value.tolist())
    else:
        yield value.tobytes()


def _code_parts(code: CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr(code.co_names).encode()
    for constant in code.co_consts:
        yield from _constant_parts(constant)


def _constant_parts(constant: object) -> Iterator[bytes]:
    if isinstance(constant, CodeType):
        yield from _code_parts(constant)
    elif isinstance(constant, frozenset):
        yield b"{"
        yield from sorted_parts(map(_constant_parts, constant))
    elif isinstance(constant, tuple):
        yield f"({len(constant)}".encode()
        for each in constant:
            yield from _constant_parts(each)
    else:
        yield repr(constant).encode()


def _digest(parts: Iterable[bytes]) -> str:
    return _hashed(parts, size=8).hex()


def _hashed(parts: Iterable[bytes], *, size: int) -> bytes:
    digest = hashlib.blake2b(digest_size=size)
    for part in parts:
        digest.update(part)
    return digest.digest()
