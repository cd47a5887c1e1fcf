"""Which values of a request an operator would take for files of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from towhee.bound import BoundOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from towhee.columns import Columns
    from towhee.serving.functions import Function

_REACHING: Final = {"path", "url"}


def named_files(function: Function) -> dict[int, str]:
    """Positions of values that go to an operator that reads paths, and its name.

    A value that a Python function made is that function's business.
    """
    # By column, the position of the value that is still there; None: the row itself.
    columns = function.requests.columns
    there: dict[str | None, int]
    there = {name: place for place, name in enumerate(columns)} or {None: 0}
    found: dict[int, str] = {}
    for step in function.bound.steps:
        if isinstance(step, BoundOperator):
            for name, port in _taken(step):
                if name in there and _REACHING & set(port):
                    found.setdefault(there[name], str(step.name))
        elif step.kind == "filter":
            continue
        for name in _written(step.columns, there):
            there.pop(name, None)
    return found


def _taken(step: BoundOperator) -> Iterator[tuple[str | None, tuple[str, ...]]]:
    """Each input's column, and the types that its port takes."""
    ports = [tuple(port.types) for port in step.installed.manifest.inputs]
    names = (None,) if step.columns is None else step.columns.inputs
    yield from zip(names, ports, strict=False)


def _written(
    columns: Columns | None, there: dict[str | None, int]
) -> tuple[str | None, ...]:
    return tuple(there) if columns is None else columns.outputs
