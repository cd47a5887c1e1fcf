"""Options of operators, as they are typed: ``key=value``."""

from __future__ import annotations

import json
from typing import Any

import typer


def parse_option(text: str) -> tuple[str, Any]:
    """Split ``key=value``; a value that is not JSON is text.

    >>> parse_option("batch_size=8"), parse_option("model_name=resnet18")
    (('batch_size', 8), ('model_name', 'resnet18'))
    """
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise typer.BadParameter(
            f"expected KEY=VALUE, got {text!r}", param_hint="`--option`"
        )
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
