"""Rows as bytes, for another process of the same program and back."""

from __future__ import annotations

import pickle
import traceback
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from towhee.executors.fusion import Failed
from towhee.executors.salvage import loss, salvaged
from towhee.outcome import OperatorFailed, short_repr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from towhee.executors.chunks import Numbered

_NEWEST: Final = pickle.HIGHEST_PROTOCOL
_PLAIN: Final = "Make plain values of it first, with `map`"


class CannotSend(HubError, TypeError):
    """A function or a value cannot be given to another process, or come back."""


def pack(rows: Sequence[Numbered], *, place: str, note: str = "") -> bytes:
    """Rows as bytes; one that no other process can read has failed.

    :param place: the function to name in such a failure.
    :param note: where failures happened; their tracebacks stay behind, as text.
    """
    numbers = [row for row, _ in rows]
    values = [
        _portable(value, note) if type(value) is Failed else value for _, value in rows
    ]
    try:
        return pickle.dumps((_compact(numbers), values), _NEWEST)
    except Exception:  # noqa: BLE001  (whatever a value's own code raises)
        movable = [
            _movable(row, value, place)
            for row, value in zip(numbers, values, strict=True)
        ]
        return pickle.dumps((_compact(numbers), movable), _NEWEST)


def unpack(packed: bytes, *, place: str) -> list[Numbered]:
    """The rows that ``pack`` made bytes of; one that cannot be read has failed.

    :param place: the function to name in such a failure.
    """
    try:
        numbers, values = pickle.loads(packed)  # noqa: S301  (from our own process)
    except Exception:  # noqa: BLE001  (as above)
        numbers, values = salvaged(packed)
        rows = zip(numbers, values, strict=True)
        return [(row, readable(row, value, place)) for row, value in rows]
    return list(zip(numbers, values, strict=True))


def readable(
    row: int,
    value: object,
    place: str,
    pickler: type[pickle.Pickler] = pickle.Pickler,
) -> object:
    """A salvaged row's value, or its failure."""
    if (error := loss(value, pickler)) is None:
        return value
    words = f"it cannot be read in another process: {type(error).__name__}: {error}"
    value = _Described(short_repr(value))
    reason = CannotSend(words, hint=_PLAIN)
    return Failed(OperatorFailed(place, value, reason, row=row))


def _compact(numbers: list[int]) -> Sequence[int]:
    """Numbers that follow each other take no room."""
    if not numbers:
        return numbers
    following = range(numbers[0], numbers[0] + len(numbers))
    return following if list(following) == numbers else numbers


def _movable(row: int, value: Any, place: str) -> Any:  # noqa: ANN401  (a row's value)
    try:
        pickle.dumps(value, _NEWEST)
    except Exception as error:  # noqa: BLE001  (as above)
        reason = CannotSend(
            f"it cannot go to another process: {type(error).__name__}: {error}",
            hint=_PLAIN,
        )
        failure = OperatorFailed(place, _Described(short_repr(value)), reason, row=row)
        return Failed(failure)
    return value


def _portable(failed: Failed, note: str) -> Failed:
    """The same failure, of nothing that only this process knows."""
    failure = failed.error
    cause = failure.__cause__ or Exception()
    if note:
        lines = "".join(traceback.format_exception(cause)).rstrip()
        cause.add_note(f"{note}\n{lines}")
    value, cause = _described(failure.input), _sendable(cause)
    moved = Failed(OperatorFailed(failure.operator, value, cause, row=failure.row))
    moved.is_final = failed.is_final
    return moved


def _described(value: object) -> object:
    return value if _can_move(value) else _Described(short_repr(value))


def _sendable(error: BaseException) -> BaseException:
    if _can_move(error):
        return error
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    said = HubError(reason, hint=getattr(error, "hint", None))
    # The hint is one of them.
    said.__notes__ = list(getattr(error, "__notes__", ()))
    return said


def _can_move(value: object) -> bool:
    # Some errors can be written and not be read: their constructor wants more.
    try:
        pickle.loads(pickle.dumps(value, _NEWEST))  # noqa: S301  (our own bytes)
    except Exception:  # noqa: BLE001  (as above)
        return False
    return True


class _Described:
    """Stands for a value that cannot leave its process."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words
