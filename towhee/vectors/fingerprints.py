"""What a job is recognised by: its pipeline, and the last source row it wrote."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towhee.outcome import short_repr
from towhee.pipelines import FunctionCall
from towhee.vectors.captures import array_parts, captures, code_digest, sorted_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from towhee.bound import BoundOperator, BoundPipeline


@dataclass(frozen=True, slots=True)
class Mark:
    """A source row, as it is remembered."""

    digest: str
    text: str
    """What it was, in a few words, for a message."""

    @classmethod
    def of(cls, row: object) -> Mark:
        """Remember a row; equal rows have equal marks, in other processes too.

        >>> Mark.of("a.jpg") == Mark.of("a.jpg"), Mark.of([1]) == Mark.of(["1"])
        (True, False)
        """
        digest = hashlib.blake2b(digest_size=16)
        for part in _parts(row):
            digest.update(part)
        return cls(digest.hexdigest(), short_repr(row))


def describe_pipeline(bound: BoundPipeline) -> list[dict[str, Any]]:
    """Every step as JSON values: operators say themselves, functions by their code."""
    text = json.dumps([_describe(step) for step in _steps(bound)], default=short_repr)
    described: list[dict[str, Any]] = json.loads(text)
    return described


def differences(
    before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
) -> list[str]:
    """A line for each way in which a pipeline is another one.

    >>> differences([{"operator": "a/b", "size": 1}], [{"operator": "a/b", "size": 2}])
    ['step 1, `a/b`: `size` was 1, is 2']
    """
    if (first := [_name(step) for step in before]) != (
        second := [_name(step) for step in now]
    ):
        return [f"it was {' → '.join(first) or 'empty'}, is {' → '.join(second)}"]
    return [
        f"step {number}, {_name(old)}: {what}"
        for number, (old, new) in enumerate(zip(before, now, strict=True), 1)
        for what in _changes(old, new)
    ]


def without_changed(
    described: Sequence[Mapping[str, Any]], bound: BoundPipeline
) -> list[dict[str, Any]]:
    """Steps without what their functions hold by now as something else.

    A count of rows or a cache changes as rows are computed, and says nothing of the
    vectors.
    """
    steps = zip(described, _steps(bound), strict=True)
    return [
        {**old, "held": dict(old["held"].items() & captures(step.function).items())}
        if isinstance(step, FunctionCall)
        else {**old}
        for old, step in steps
    ]


def _steps(bound: BoundPipeline) -> list[FunctionCall | BoundOperator]:
    return [step for step in bound.steps if getattr(step, "kind", None) != "resume"]


def _describe(step: FunctionCall | BoundOperator) -> dict[str, object]:
    if isinstance(step, FunctionCall):
        code = code_digest(step.function)
        return {"function": str(step), "code": code, "held": captures(step.function)}
    columns = {} if step.columns is None else {"columns": str(step.columns)}
    return {**step.describe(), **columns}


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*old, *new} - {"held"}):
        if old.get(key) != new.get(key):
            yield f"`{key}` was {_short(old.get(key))}, is {_short(new.get(key))}"
    # What only one of them names had no lasting form in the other.
    first, second = old.get("held", {}), new.get("held", {})
    for name in sorted(first.keys() & second.keys()):
        if first[name] != second[name]:
            yield f"`{name}` was {first[name]}, is {second[name]}"


def _name(step: Mapping[str, Any]) -> str:
    return f"`{step.get('operator') or step.get('function')}`"


def _short(value: object) -> str:
    return "not there" if value is None else short_repr(value)


def _parts(value: Any) -> Iterator[bytes]:  # noqa: ANN401  (any row)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None or isinstance(value, str | bytes | int | float):
        yield repr(value).encode()
    elif isinstance(value, list | tuple):
        yield from _framed("[", (part for each in value for part in _parts(each)))
    elif isinstance(value, Mapping) or hasattr(value, "keys"):
        items = dict(value).items()
        yield from _framed("{", (part for item in items for part in _parts(item)))
    elif isinstance(value, set | frozenset):
        yield from _framed("{", sorted_parts(map(_parts, value)))
    elif hasattr(value, "tobytes") and hasattr(value, "dtype"):
        yield from array_parts(value, _parts)
    else:
        yield pickle.dumps(value, protocol=5)


def _framed(opening: str, parts: Iterator[bytes]) -> Iterator[bytes]:
    yield opening.encode()
    for part in parts:
        yield part
        yield b","
    yield b"]"
