"""Parameters that apply within a ``with`` block, to whatever asks for them there."""

from __future__ import annotations

import warnings
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from plugin_spec.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


_NOTHING: Final = object()


class UnknownParameter(HubError, AttributeError):
    """No enclosing scope gives the parameter a value."""


class InvalidParameter(HubError, ValueError):
    """A parameter was given in a form that names none, or gives it no value."""


class UnusedParameter(UserWarning):
    """A scope gave a parameter a value, and nothing asked for it: a typo, often."""


class param_scope:  # noqa: N801  (as Towhee's users write it)
    """Give parameters values for as long as a ``with`` block runs.

    Code within asks for them by name, with a default; it need not know who gives them.

    >>> def chain():
    ...     with param_scope() as hp:
    ...         return DataCollection([1]).map(lambda row: row * hp().scale(1))
    >>> chain().to_list()
    [1]
    >>> with param_scope(scale=10):
    ...     chain().to_list()
    [10]

    A name has any number of parts; a dictionary gives several below one.

    >>> with param_scope("model.depth=3", model={"width": 8}) as hp:
    ...     hp.model.depth, hp().model.width(4), hp().model.heads(2)
    (3, 8, 2)

    Scopes nest: an inner one adds to what is outside, or says otherwise until it ends.

    Values are asked for at the moment that the code which asks runs: for an option of
    an operator when the chain is written, in a function of a chain when a row is
    computed.

    A scope belongs to the thread or asyncio task that opened it, to tasks started
    within, and to the threads of chains that are run there. To a thread of your own,
    ``contextvars.copy_context().run`` hands it on; another process sees none.

    When a block ends, a parameter that it gave and nobody asked for is warned about, as
    ``UnusedParameter``, unless an exception ends the block.
    """

    def __init__(self, /, *settings: str, **values: object) -> None:
        """Give values.

        :param settings: texts such as ``"model.depth=3"``, whole and decimal numbers
            become such.
        :param values: by name; a name may have dots, ``**{"model.depth": 3}``.
        :raises InvalidParameter: for a text or name in another form.
        """
        self._given: dict[str, object] = {}
        for setting in settings:
            name, equals, text = str(setting).partition("=")
            if not equals:
                raise InvalidParameter(
                    f"{setting!r} gives no value", hint='Write "name=value"'
                )
            self._put(name.strip(), _number(text.strip()))
        for name, value in values.items():
            self._put(name, value)

    def __enter__(self) -> Parameters:
        frame = _Frame(dict(self._given), _open.get())
        _open.set(frame)
        return Parameters(frame)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        frame = _open.get()
        assert frame is not None
        _open.set(frame.outer)
        if error is None:
            frame.warn_of_unused()

    def _put(self, name: str, value: object) -> None:
        if isinstance(value, dict) and value:
            for inner, each in value.items():
                self._put(f"{name}.{inner}", each)
        else:
            self._given[_checked(name)] = value


@dataclass(frozen=True, slots=True)
class _Frame:
    """One open scope: what it gives, what is outside, and what was asked for."""

    given: dict[str, object]
    outer: _Frame | None
    asked: set[str] = field(default_factory=set)

    def find(self, name: str, default: object = _NOTHING) -> Any:  # noqa: ANN401
        """The value that the innermost scope gives.

        :raises UnknownParameter: if none does, and there is no default.
        """
        found = default
        for frame in reversed(list(self.outwards())):
            frame.asked.add(name)
            found = frame.given.get(name, found)
        if found is _NOTHING:
            known = self.names()
            listed = ", ".join(f"`{each}`" for each in sorted(known)) or "none"
            raise UnknownParameter(
                f"No scope gives the parameter `{name}`{did_you_mean(name, known)}",
                hint=f"Given are: {listed}",
            )
        return found

    def names(self) -> set[str]:
        """Every name that has a value here."""
        return {name for frame in self.outwards() for name in frame.given}

    def outwards(self) -> Iterator[_Frame]:
        """This scope, then those outside."""
        frame: _Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.outer

    def warn_of_unused(self) -> None:
        """Warn of each parameter that this scope gave and nobody asked for."""
        for name in self.given:
            if name not in self.asked:
                guess = did_you_mean(name, self.asked - self.names())
                warnings.warn(
                    f"Nothing asked for the parameter `{name}`{guess}",
                    UnusedParameter,
                    stacklevel=3,
                )


_open: ContextVar[_Frame | None] = ContextVar("towhee.parameters", default=None)


class Parameters:
    """The parameters of a scope, each an attribute; a call gives those with defaults.

    ``hp.model.depth`` is a value, or refused. ``hp().model.depth(3)`` is a value, or 3.
    Assigning to either gives the parameter a value until the scope ends. The parameters
    below a name are a mapping too: ``timm(**hp.model)``.
    """

    __slots__ = ("_frame", "_path")
    _frame: _Frame
    _path: str

    def __init__(self, frame: _Frame, path: str = "") -> None:
        object.__setattr__(self, "_frame", frame)
        object.__setattr__(self, "_path", path)

    def __call__(self) -> Question:
        """Ask for parameters that may have no value."""
        return Question(self._frame, self._path)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (what was given)
        if name.startswith("__"):
            raise AttributeError(name)
        path, known = _join(self._path, name), self._frame.names()
        if path not in known and any(each.startswith(f"{path}.") for each in known):
            return Parameters(self._frame, path)
        return self._frame.find(path)

    def __setattr__(self, name: str, value: object) -> None:
        self._frame.given[_checked(_join(self._path, name))] = value

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        return self._frame.find(_join(self._path, name))

    def keys(self) -> list[str]:
        """The names that have a value, without what stands before them all."""
        start = f"{self._path}." if self._path else ""
        names = self._frame.names()
        return sorted(
            name.removeprefix(start) for name in names if name.startswith(start)
        )

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={self[name]!r}" for name in self.keys())
        return f"Parameters({values})"


class Question:
    """A parameter that may have no value: to call with a default."""

    __slots__ = ("_frame", "_path")
    _frame: _Frame
    _path: str

    def __init__(self, frame: _Frame, path: str) -> None:
        object.__setattr__(self, "_frame", frame)
        object.__setattr__(self, "_path", path)

    def __getattr__(self, name: str) -> Question:
        if name.startswith("__"):
            raise AttributeError(name)
        return Question(self._frame, _join(self._path, name))

    def __setattr__(self, name: str, value: object) -> None:
        self._frame.given[_checked(_join(self._path, name))] = value

    def __call__(self, default: Any = _NOTHING) -> Any:  # noqa: ANN401
        """The value, or the default.

        :raises UnknownParameter: if there is neither.
        """
        return self._frame.find(self._path, default)

    get_or_else = __call__

    def __repr__(self) -> str:
        return f"<the parameter {self._path}>"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _checked(name: str) -> str:
    parts = name.split(".")
    if any(not part.isidentifier() or part.startswith("_") for part in parts):
        raise InvalidParameter(
            f"{name!r} is no name of a parameter",
            hint='Write words with dots between, as in "model.depth"',
        )
    return name


def _number(text: str) -> object:
    """Read what stands behind ``=`` as a number, if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
