"""Run operators: pipelines, collections, executors; each loads when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from towhee import pipe
    from towhee.callable_pipeline import pipeline
    from towhee.columns import Entity
    from towhee.executors.ray.cluster import ray_start
    from towhee.functional import DataCollection
    from towhee.functional.opening import api
    from towhee.functional.starting import dc, glob
    from towhee.learning.state import State
    from towhee.operators import ops
    from towhee.parameters import param_scope

__all__ = [
    "DataCollection",
    "Entity",
    "State",
    "api",
    "dc",
    "glob",
    "ops",
    "param_scope",
    "pipe",
    "pipeline",
    "ray_start",
]

_MODULES: Final = {
    "DataCollection": "towhee.functional",
    "Entity": "towhee.columns",
    "State": "towhee.learning.state",
    "api": "towhee.functional.opening",
    "dc": "towhee.functional.starting",
    "glob": "towhee.functional.starting",
    "ops": "towhee.operators",
    "param_scope": "towhee.parameters",
    "pipe": "towhee.pipe",
    "pipeline": "towhee.callable_pipeline",
    "ray_start": "towhee.executors.ray.cluster",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  (so that `import towhee` is bare)

    module = import_module(_MODULES[name])
    # `pipe` is the package itself.
    value: object = getattr(module, name, module)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
