"""The engine ``ray``: the same chain, on a cluster's machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugin_spec.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@hookimpl
def executor_factories() -> Mapping[str, Callable[..., object]]:
    """Give the engine's class; only making it asks for Ray."""
    from towhee.executors.ray.engine import RayExecutor  # noqa: PLC0415  (as asked)

    return {"ray": RayExecutor}
