"""What operators have learned, by name; kept in memory, or in a folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from plugin_spec.errors import HubError
from plugin_spec.nearest import did_you_mean

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from plugin_spec.stateful import StatefulOperator


class NotLearned(HubError, LookupError):
    """A state does not hold what a chain asks it for."""


@dataclass(frozen=True, slots=True)
class Learned:
    """An operator that has learned, and what it was made with."""

    operator: StatefulOperator
    source: str
    """The operator's name, such as ``svc`` or ``acme/taste``."""
    options: Mapping[str, object]
    features: int
    """How many inputs it predicts from."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What was read from a folder, until a chain uses the operator that wrote it."""

    source: str
    options: Mapping[str, object]
    features: int
    content: bytes = field(repr=False)
    trusted: bool


class _Expected:
    """A lesson that takes place once, when somebody asks for what it teaches."""

    def __init__(self, lesson: Callable[[], object]) -> None:
        self._lesson: Callable[[], object] | None = lesson
        # A lock each: rows of one lesson may need what another one teaches.
        self._lock = threading.RLock()

    def take_place(self) -> None:
        """Wait for the lesson, or for the thread that is holding it."""
        with self._lock:
            lesson, self._lesson = self._lesson, None
            if lesson is not None:
                try:
                    lesson()
                except BaseException:
                    self._lesson = lesson
                    raise


class State(Mapping[str, "Learned | Saved"]):
    """What the operators of a chain have learned, each under its name.

    >>> state = State()
    >>> numbers = DataCollection([1.0, 3.0]).set_training(state)
    >>> numbers.standard_scaler(name="scaler").to_list()
    [array([-1.]), array([1.])]
    >>> state
    State(scaler=standard_scaler)
    >>> DataCollection([2.0]).set_evaluating(state).standard_scaler(name="scaler")[0]
    array([0.])
    """

    def __init__(self) -> None:
        self._learned: dict[str, Learned | Saved] = {}
        self._lessons: dict[str, _Expected] = {}

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write everything into a folder; what is not learned yet is learned now.

        A reader finds either all of it or what was there before.

        :raises Unsavable: naming the operator that cannot be written.
        """
        from towhee.learning.folder import write  # noqa: PLC0415  (few states are saved)

        write(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, trusted: bool = False) -> Self:
        """Read what ``save`` wrote. Nothing in the folder is run.

        :param trusted: whether you made the folder. Some of scikit-learn's models, such
            as trees, hold numbers that it does not check and could crash with: they are
            refused otherwise.
        :raises InvalidState: if the folder was damaged, or holds something else.
        """
        from towhee.learning.folder import read  # noqa: PLC0415

        state = cls()
        state._learned.update(read(folder, trusted=trusted))
        return state

    def learn(self, name: str, learned: Learned) -> None:
        """Keep what an operator has learned."""
        self._learned[name] = learned
        self._lessons.pop(name, None)

    def expect(self, name: str, lesson: Callable[[], object]) -> None:
        """Have ``lesson`` run, which learns ``name``, when that is first asked for."""
        self._lessons[name] = _Expected(lesson)

    def __getitem__(self, name: str) -> Learned | Saved:
        if expected := self._lessons.get(name):
            expected.take_place()
        if name not in self._learned:
            raise NotLearned(
                f"Nothing was learned under the name `{name}`"
                f"{did_you_mean(name, self)}",
                hint="Write the same chain after `set_training(state)` first",
            )
        return self._learned[name]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._learned | dict.fromkeys(self._lessons)))

    def __len__(self) -> int:
        return len(self._learned | dict.fromkeys(self._lessons))

    def __contains__(self, name: object) -> bool:
        return name in self._learned or name in self._lessons

    def __repr__(self) -> str:
        known = (f"{name}={item.source}" for name, item in self._learned.items())
        waiting = (f"{name}=…" for name in self._lessons if name not in self._learned)
        return f"State({', '.join([*known, *waiting])})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), {name: self[name] for name in self})


def _rebuild(cls: type[State], learned: dict[str, Learned | Saved]) -> State:
    state = cls()
    state._learned.update(learned)
    return state
