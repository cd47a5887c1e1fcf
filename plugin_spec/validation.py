"""Every problem of a manifest at once, in words, each with its place.

``manifest.schema.json`` holds the structure and names the formats of strings.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.consistency import inconsistencies
from plugin_spec.formats import FORMATS
from plugin_spec.json_schema import Draft202012Validator, FormatChecker, extend
from plugin_spec.nearest import did_you_mean
from plugin_spec.strict_yaml import Document, Problem
from plugin_spec.wording import describe, sentence, types_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

    from plugin_spec.strict_yaml import Path as PathInDocument

_MAX_PROBLEMS: Final = 50
_MAX_CHECKED: Final = 1000
"""Longer strings are over every ``maxLength``, so their format does not matter."""

# JSON Schema takes 3.0 for an integer; a Python constructor does not.
_Validator: Final[type[Validator]] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: type(value) is int
    ),
)


def find_problems(document: Document) -> tuple[str, ...]:
    """Give one sentence per problem, in file order.

    For example ``line 7: requires.packages[1]: URL requirements are not allowed, …``.
    """
    problems = _merge(document, dict(_schema_problems(document)))
    broken = frozenset(problem.path[:2] for problem in problems)
    problems.update(inconsistencies(document.value, broken, _Validator))
    order = {path: index for index, path in enumerate(document.lines)}

    def place(problem: Problem) -> tuple[int, int, str, str]:
        path = problem.path
        while path not in order:
            path = path[:-1]
        line = problem.line or document.lines[path]
        return line, order[path], problem.message, repr(problem.path)

    ordered = sorted(problems, key=place)
    sentences = [
        sentence(problem.path, problem.message, place(problem)[0])
        for problem in ordered[:_MAX_PROBLEMS]
    ]
    if more := ordered[_MAX_PROBLEMS:]:
        sentences.append(f"and {len(more):,} more")
    return tuple(sentences)


def document_of(data: Mapping[str, Any]) -> Document:
    """Wrap JSON values that were not read from a file: places without lines."""
    return Document(dict(data), dict.fromkeys(_walk(data, ()), 0), {}, ())


@functools.cache
def _validator() -> Validator:
    schema = Path(__file__).with_name("manifest.schema.json").read_text("utf-8")
    checker = FormatChecker(formats=())
    for name, check in FORMATS.items():
        checker.checks(name, raises=ValueError)(functools.partial(_holds, check))
    return _Validator(json.loads(schema), format_checker=checker)


def _holds(check: Callable[[str], str | None], value: object) -> bool:
    if isinstance(value, str) and len(value) <= _MAX_CHECKED:
        problem = check(value)
        if problem is not None:
            raise ValueError(problem)
    return True


def _schema_problems(document: Document) -> Iterator[tuple[Problem, bool]]:
    """Give each problem, and whether text was expected in that place."""
    for error in _validator().iter_errors(document.value):
        path = tuple(error.absolute_path)
        if error.validator in ("required", "additionalProperties"):
            for key, message in _wrong_keys(error):
                yield Problem((*path, key), message), False
            continue
        if "propertyNames" in error.absolute_schema_path:
            path = (*path, str(error.instance))
        message = describe(error, document.scalars.get(path))
        yield (
            Problem(path, message),
            (error.validator == "type" and "string" in types_of(error)),
        )


def _wrong_keys(error: ValidationError) -> Iterator[tuple[str, str]]:
    found: Any = error.instance
    required: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "required":
        yield from ((key, "missing") for key in required if key not in found)
        return
    for key in found.keys() - schema["properties"].keys():
        yield key, f"unknown key{did_you_mean(str(key), schema['properties'])}"


def _merge(document: Document, found: Mapping[Problem, bool]) -> set[Problem]:
    """Leave one problem where the reader and the schema stumble over one value."""
    texts = {problem.path for problem, expects_text in found.items() if expects_text}
    # Here the schema knows what the reader could not: that a string was meant.
    ours = {
        problem
        for problem in document.problems
        if not (problem.path in document.scalars and problem.path in texts)
    }
    refused = {problem.path for problem in ours}
    return ours | {problem for problem in found if problem.path not in refused}


def _walk(value: object, path: PathInDocument) -> Iterator[PathInDocument]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, (*path, index))
