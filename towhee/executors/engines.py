"""Engines by name: the local one, and those that other distributions provide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from towhee.executors import DEFAULT_ENGINE, InvalidEngineOptions, UnknownEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from towhee.executors import Executor

Made = TypeVar("Made")


def get_executor(name: str = DEFAULT_ENGINE, **options: Any) -> Executor:  # noqa: ANN401
    """Make the engine that ``set_engine(name, **options)`` asks for.

    :raises InvalidEngineOptions: if it does not take these options.
    :raises UnknownEngine: with the names of those that are installed.
    """
    from towhee.executors.local import LocalExecutor  # noqa: PLC0415  (as it is used)

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
