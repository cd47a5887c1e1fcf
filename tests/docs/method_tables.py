"""Tables of what a collection can do, made of the docstrings.

Run as a script, this writes them into the page: ``python tests/docs/method_tables.py``.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from towhee import DataCollection
from towhee.functional.column_method import ColumnMethod
from towhee.functional.core import Core

PAGE = Path(__file__).parents[2] / "docs" / "data-collection.md"
MARK = "<!-- What follows is written by tests/docs/method_tables.py. -->\n"


def written(page: str) -> str:
    """The page, with its tables as they should be."""
    prose = page.partition(MARK)[0]
    return f"{prose}{MARK}\n{sections()}"


def sections() -> str:
    """A headed table for each topic, which is a class of methods."""
    topics = [topic for topic in DataCollection.__mro__ if issubclass(topic, Core)]
    return "\n".join(_section(topic) for topic in topics if _methods(topic))


def _section(topic: type) -> str:
    rows = "".join(
        f"| {_call(names, member)} | {_summary(member)} |\n"
        for names, member in _methods(topic)
    )
    name = "Running" if topic is Core else topic.__name__
    return f"### {name}\n\n{_summary(topic)}\n\n| | |\n|---|---|\n{rows}"


def _methods(topic: type) -> list[tuple[list[str], Any]]:
    """Methods of its own, each with all its names."""
    found: dict[int, tuple[list[str], Any]] = {}
    for name, member in vars(topic).items():
        if not name.startswith("_"):
            found.setdefault(id(member), ([], member))[0].append(name)
    return list(found.values())


def _call(names: list[str], member: Any) -> str:  # noqa: ANN401  (what classes hold)
    """How it is called, and its other names."""
    first, *others = (f"`{name}`" for name in names)
    if not isinstance(member, property):
        start = "DataCollection." if isinstance(member, classmethod) else ""
        brackets = "[…]" if isinstance(member, ColumnMethod) else ""
        first = f"`{start}{names[0]}{brackets}{_parameters(member)}`"
    return ", ".join([first, *others])


def _parameters(member: Any) -> inspect.Signature:  # noqa: ANN401
    function = getattr(member, "__func__", getattr(member, "function", member))
    _, *parameters = inspect.signature(function).parameters.values()
    return inspect.Signature(
        [
            parameter.replace(annotation=inspect.Parameter.empty)
            for parameter in parameters
            # Columns stand in brackets.
            if not (isinstance(member, ColumnMethod) and parameter.name == "columns")
        ]
    )


def _summary(member: object) -> str:
    summary = inspect.cleandoc(str(member.__doc__)).partition("\n\n")[0]
    return " ".join(summary.split()).replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
