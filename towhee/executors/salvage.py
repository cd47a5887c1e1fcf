"""Pickled rows, of which some cannot be read, and cost no other.

Slow, and only for bytes that ``pickle.loads`` has refused.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


class Lost:
    """Stands where something was that could not be made again."""

    def __init__(self, made_by: object, error: Exception) -> None:
        self._name = getattr(made_by, "__qualname__", type(made_by).__qualname__)
        self.error = error

    def __repr__(self) -> str:
        return f"<{self._name}>"

    def append(self, *_: object) -> None:
        """Take what was to be an item of it, and nothing comes of it."""

    extend = add = __setitem__ = append


def salvaged(packed: bytes) -> Any:  # noqa: ANN401  (whatever was packed)
    """What was packed, with ``Lost`` where an object's own code raised."""
    return _Salvager(io.BytesIO(packed)).load()


def loss(
    value: object, pickler: type[pickle.Pickler] = pickle.Pickler
) -> Exception | None:
    """Why a part of a salvaged value is lost; None if it is whole."""

    class Seeker(pickler):  # type: ignore[valid-type,misc]  # a class that is given
        """Looks at everything that pickling a value would come to."""

        found: Exception | None = None

        def persistent_id(self, each: object) -> None:
            if type(each) is Lost:
                self.found = each.error
                raise each.error

    seeker = Seeker(io.BytesIO(), pickle.HIGHEST_PROTOCOL)
    try:
        seeker.dump(value)
    except Exception:  # noqa: BLE001  (that it goes nowhere else is no loss)
        return seeker.found
    return None


_Unpickler: Any = pickle._Unpickler  # noqa: SLF001  (in Python, so that it can go on)
_TAKEN: Final = {
    pickle.REDUCE: 2,
    pickle.NEWOBJ: 2,
    pickle.NEWOBJ_EX: 3,
    pickle.BUILD: 2,
    pickle.STACK_GLOBAL: 2,
}
"""How much of the stack becomes one object, by instruction; what makes it is first."""


def _forgiving(instruction: bytes, taken: int) -> Callable[[Any], None]:
    load = _Unpickler.dispatch[instruction[0]]

    def forgiving(salvager: Any) -> None:  # noqa: ANN401  (the class below)
        rest = len(salvager.stack) - taken
        first = salvager.stack[rest]
        if type(first) is not Lost:
            try:
                load(salvager)
            except Exception as error:  # noqa: BLE001  (whatever its own code raises)
                lost = Lost(first, error)
            else:
                return
            if instruction == pickle.BUILD:
                # It was made, and other rows may refer to it.
                for key, known in salvager.memo.items():
                    if known is first:
                        salvager.memo[key] = lost
            first = lost
        salvager.stack[rest:] = [first]

    return forgiving


class _Salvager(_Unpickler):  # type: ignore[misc]  # has no type
    dispatch = _Unpickler.dispatch | {
        instruction[0]: _forgiving(instruction, taken)
        for instruction, taken in _TAKEN.items()
    }
