"""jsonschema, without what it loads for a format that no schema here has."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_GRAMMARS: Final = "rfc3987_syntax"
"""Where it is installed, as beside Jupyter, loading it takes a second."""


@contextmanager
def _grammars_later() -> Iterator[None]:
    """Have what is imported from the grammars load them when it is first called."""
    if _GRAMMARS in sys.modules or not _is_installed():
        yield
        return

    def is_valid_syntax(*words: Any) -> Any:  # noqa: ANN401  (as it is)
        return importlib.import_module(_GRAMMARS).is_valid_syntax(*words)

    stand_in = ModuleType(_GRAMMARS)
    stand_in.is_valid_syntax = is_valid_syntax  # type: ignore[attr-defined]
    sys.modules[_GRAMMARS] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(_GRAMMARS) is stand_in:
            del sys.modules[_GRAMMARS]


def _is_installed() -> bool:
    return PathFinder.find_spec(_GRAMMARS) is not None


with _grammars_later():
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.validators import extend

__all__ = ["Draft202012Validator", "FormatChecker", "extend"]
