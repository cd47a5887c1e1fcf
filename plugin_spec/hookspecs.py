"""The pluggy hooks of this hub: what an operator repository or an engine implements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plugin_spec.operator import Operator

PROJECT: Final = "towhee_hub"
"""pluggy's project name, and the entry-point group that engines register under."""

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)


class OperatorHooks:
    """What the module named by a manifest implements."""

    @hookspec(firstresult=True)
    def operator_class(self) -> type[Operator]:  # type: ignore[empty-body]
        """Return the class this repository provides."""


class ExecutorHooks:
    """What an installed distribution implements to add an engine."""

    @hookspec
    def executor_factories(self) -> Mapping[str, Callable[..., object]]:  # type: ignore[empty-body]
        """Return factories by engine name; ``set_engine(name, **options)`` calls one.

        What a factory returns has ``towhee.executors.Executor``'s methods.
        """
