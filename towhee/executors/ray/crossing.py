"""Rows as bytes, on their way between processes that may not know the same classes."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from towhee.executors.fusion import Failed
from towhee.executors.portable import readable
from towhee.executors.salvage import salvaged
from towhee.outcome import OperatorFailed, short_repr

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPERATORS: Final = "_towhee_operators"


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that travel together, numbered, ``Failed`` among their values."""

    pairs: Sequence[tuple[int, Any]] = ()
    problem: BaseException | None = None
    """What ended the run after these rows."""


@dataclass(frozen=True, slots=True)
class Described:
    """Stands for a value that only its own process can read."""

    description: str

    def __repr__(self) -> str:
        return self.description


def pack(block: Block, *, place: str = "") -> bytes:
    """A block as bytes; a row that cannot travel has failed.

    :param place: the step that rows come out of, to name where one cannot travel.
    """
    pairs = [
        (row, _portable_failed(value) if type(value) is Failed else value)
        for row, value in block.pairs
    ]
    problem = block.problem and portable(block.problem)
    try:
        return _dumps(Block(pairs, problem))
    except Exception:  # noqa: BLE001  (whatever a value's own code raises)
        movable = [(row, _movable(row, value, place)) for row, value in pairs]
        return _dumps(Block(movable, problem))


def carry_classes() -> None:
    """Let operators' own classes travel with their values.

    Elsewhere no module has the private names that they are imported under.
    """
    from ray import cloudpickle

    if _OPERATORS in sys.modules:
        cloudpickle.register_pickle_by_value(  # type: ignore[no-untyped-call]  # Ray's
            sys.modules[_OPERATORS]
        )


def unpack(packed: bytes, *, place: str = "") -> Block:
    """The block that ``pack`` made bytes of; a row that cannot be read has failed.

    :param place: the step to name where one cannot.
    """
    from ray import cloudpickle

    try:
        block: Block = cloudpickle.loads(packed)
    except Exception:  # noqa: BLE001  (as above)
        block = salvaged(packed)
        seek = cloudpickle.Pickler
        pairs = [(row, readable(row, value, place, seek)) for row, value in block.pairs]
        return Block(pairs, block.problem)
    return block


def _dumps(value: object) -> bytes:
    from ray import cloudpickle

    packed: bytes = cloudpickle.dumps(value)  # type: ignore[no-untyped-call]  # Ray's
    return packed


def _movable(row: int, value: object, place: str) -> object:
    if (reason := _hindrance(value)) is None:
        return value
    described = Described(short_repr(value))
    return Failed(OperatorFailed(place, described, reason, row=row))


def portable(error: BaseException) -> BaseException:
    """An error that any process can read, with its traceback as a note."""
    if isinstance(error, OperatorFailed):
        return _portable_failure(error)
    lines = "".join(traceback.format_exception(error)).rstrip()
    if _hindrance(error) is not None:
        error = _stand_in(error)
    error.add_note(f"In a worker:\n{lines}")
    return error


def _portable_failed(failed: Failed) -> Failed:
    moved = Failed(_portable_failure(failed.error))
    moved.is_final = failed.is_final
    return moved


def _portable_failure(failure: OperatorFailed) -> OperatorFailed:
    value: object = failure.input
    if _hindrance(value) is not None:
        value = Described(short_repr(value))
    cause = portable(failure.__cause__ or Exception())
    return OperatorFailed(failure.operator, value, cause, row=failure.row)


def _hindrance(value: object) -> Exception | None:
    """Why a value cannot be read elsewhere; None if it can."""
    from ray import cloudpickle

    try:
        cloudpickle.loads(_dumps(value))
    except Exception as error:  # noqa: BLE001  (whatever a value's own code raises)
        return TypeError(
            f"cannot go to another process: {type(error).__name__}: {error}"
        )
    return None


def _stand_in(error: BaseException) -> BaseException:
    """An exception that says the same, of a class that everybody has or can make."""
    if isinstance(error, HubError):
        return HubError(str(error), hint=error.hint)
    kind = type(type(error).__name__, (Exception,), {"__module__": __name__})
    stand_in: BaseException = kind(str(error))
    return stand_in
