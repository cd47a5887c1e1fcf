"""Options of an operator, checked against its manifest before its code runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError
from plugin_spec.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class InvalidOptions(HubError, TypeError):
    """An operator does not take these options; ``problems`` has a line for each."""

    def __init__(
        self, operator: str, problems: Iterable[str], *, known: Iterable[str]
    ) -> None:
        self.operator = operator
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        names = ", ".join(f"`{name}`" for name in known) or "none"
        super().__init__(
            f"`{operator}` does not take these options\n{lines}",
            hint=f"Its options are: {names}",
        )


def checked_options(
    operator: str,
    parameters: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, object],
) -> dict[str, object]:
    """Options as the operator's constructor takes them; a path becomes text.

    >>> checked_options("a/b", {"size": {"type": "integer"}}, {"size": 8})
    {'size': 8}

    :param parameters: a JSON Schema by name; the empty schema takes any object.
    :raises InvalidOptions: with every problem.
    """
    values = {key: _plain(value) for key, value in options.items()}
    problems = [
        problem
        for name, value in values.items()
        for problem in (
            _mismatches(name, value, parameters[name])
            if name in parameters
            else [unknown_option(name, parameters)]
        )
    ]
    if problems:
        raise InvalidOptions(operator, problems, known=parameters)
    return values


def unknown_option(name: str, known: Iterable[str]) -> str:
    """A line that says so, with the nearest name there is.

    >>> unknown_option("model_nam", ["device", "model_name"])
    'model_nam: unknown: did you mean `model_name`?'
    """
    return f"{name}: unknown{did_you_mean(name, known)}"


def _mismatches(name: str, value: object, schema: Mapping[str, Any]) -> list[str]:
    if not schema.keys() - {"description", "title", "default"}:
        return []
    from plugin_spec.json_schema import (  # noqa: PLC0415  (100 ms; few have options)
        Draft202012Validator,
    )

    validator = Draft202012Validator(schema)
    instance = list(value) if isinstance(value, tuple) else value
    return [f"{name}: {error.message}" for error in validator.iter_errors(instance)]


def _plain(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value
