"""Engines: how a bound pipeline runs over rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from plugin_spec.errors import HubError
from towhee.maybe import Empty, Some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from towhee.bound import BoundPipeline
    from towhee.outcome import Outcome

Made = TypeVar("Made")

DEFAULT_ENGINE: Final = "local"


class UnknownEngine(HubError, ValueError):
    """No installed distribution provides an engine of that name."""


class InvalidEngineOptions(HubError, TypeError):
    """An engine does not take these options."""


class Executor(ABC):
    """Runs a bound pipeline; what an engine's factory returns has these methods.

    A row is its number in the source and its value. The value is bare, not boxed, while
    a chain has one column without a name.
    """

    @abstractmethod
    def run(
        self, bound: BoundPipeline, rows: Iterable[object], *, start: int = 0
    ) -> Iterator[Outcome]:
        """Give one outcome a row, in order, and none for a row that a filter drops.

        Closing the iterator stops the work and leaves no thread or process behind.

        :param rows: pulled in the calling thread, at most a bounded number ahead.
        :param start: the number of the first row.
        """

    def values(
        self, bound: BoundPipeline, rows: Iterable[object], *, start: int = 0
    ) -> Iterator[object]:
        """Give the values alone.

        :raises OperatorFailed: in the place of the first row that failed.
        """
        safe = bound.ends_safe
        for outcome in self.run(bound, rows, start=start):
            if safe and outcome.error is not None:
                yield Empty(outcome.error)
            else:
                value = outcome.unwrap()
                yield Some(value) if safe else value


def get_executor(name: str = DEFAULT_ENGINE, **options: Any) -> Executor:  # noqa: ANN401
    """Make the engine that ``set_engine(name, **options)`` asks for.

    :raises InvalidEngineOptions: if it does not take these options.
    :raises UnknownEngine: with the names of those that are installed.
    """
    from towhee.executors.local import LocalExecutor  # noqa: PLC0415  (it imports us)

    if name == DEFAULT_ENGINE:
        return _made(name, LocalExecutor, options)
    factories = _plugged_in()
    if name not in factories:
        known = ", ".join(
            f"`{engine}`" for engine in sorted({DEFAULT_ENGINE, *factories})
        )
        raise UnknownEngine(
            f"No engine is named `{name}`, known: {known}",
            hint=f"Install a distribution that provides the engine `{name}`, "
            f"or use `set_engine('{DEFAULT_ENGINE}')`",
        )
    return cast("Executor", _made(name, factories[name], options))


def _made(
    name: str, factory: Callable[..., Made], options: Mapping[str, object]
) -> Made:
    if options:
        from inspect import signature  # noqa: PLC0415  (few chains give options)

        try:
            signature(factory).bind(**options)
        except TypeError as error:
            raise InvalidEngineOptions(
                f"The engine `{name}` does not take these options: {error}",
                hint=f"It takes {', '.join(signature(factory).parameters) or 'none'}",
            ) from error
    return factory(**options)


def _plugged_in() -> Mapping[str, Callable[..., object]]:
    # Looking through every installed distribution takes milliseconds.
    import pluggy  # noqa: PLC0415

    from plugin_spec.hookspecs import PROJECT, ExecutorHooks  # noqa: PLC0415

    plugins = pluggy.PluginManager(PROJECT)
    plugins.add_hookspecs(ExecutorHooks)
    plugins.load_setuptools_entrypoints(PROJECT)
    plugins.check_pending()
    found: dict[str, Callable[..., object]] = {}
    for factories in plugins.hook.executor_factories():
        found |= factories
    return found
