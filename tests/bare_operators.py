"""Operators of a script, without a manifest's file, for runs in a process of their own."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from towhee.bound import BoundPipeline, LoadedStep
from towhee.loaded_operator import LoadedOperator

if TYPE_CHECKING:
    from plugin_spec import Operator

TESTS = Path(__file__).parent


def environment() -> dict[str, str]:
    """What a script needs to import this and the packages."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(TESTS.parent), str(TESTS))),
    }


def loaded(operator: Operator) -> LoadedStep:
    """A step that takes and gives one value."""
    port = SimpleNamespace(name="value", types=("any",))
    manifest: Any = SimpleNamespace(name="test/own", inputs=[port], outputs=[port])
    return LoadedStep(LoadedOperator(manifest, operator))


def bound(operator: Operator) -> BoundPipeline:
    """A chain of that step alone."""
    step = loaded(operator)
    chain: Any = SimpleNamespace(steps=(step,), load=lambda: [step], ends_safe=False)
    return chain
