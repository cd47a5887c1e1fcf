"""What the table of a project may say, read strictly."""

from __future__ import annotations

from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from hub_client.text_of_others import ONE_LINE
from plugin_spec.errors import InvalidRequirement
from plugin_spec.requirement import Requirement, parse_specifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plugin_spec.names import OperatorName

DEFAULT_REQUIRES_PYTHON: Final = ">=3.11"
"""The interpreters of a project that does not say for which ones it is."""

# What is not read here is a setting, which `config` reads from the same table.
_SETTINGS = ("install", "installer", "offline", "trusted", "tune")
_KEYS = ("operators", "prerelease", "requires-python", "sources", *_SETTINGS)


class ProjectTable(NamedTuple):
    """What decides a lock."""

    operators: tuple[Requirement, ...]
    sources: Mapping[str, str]
    requires_python: SpecifierSet
    prerelease: bool


def read_table(
    table: Any,  # noqa: ANN401  (whatever TOML had: Any stops here)
    requires_python: Any,  # noqa: ANN401
    problems: list[str],
) -> ProjectTable:
    """Read what can be read, and add to ``problems`` what cannot, each with its place.

    :param requires_python: counts if ``table`` does not say.
    """
    if not isinstance(table, dict):
        problems.append(f"tool.hub: expected a table, got {table!r}")
        table = {}
    problems += _unknown_keys(table)
    return ProjectTable(
        operators=tuple(_operators(table.get("operators", []), problems)),
        sources=dict(_sources(table.get("sources", {}), problems)),
        requires_python=_specifier(
            table.get("requires-python", requires_python), problems
        ),
        prerelease=_boolean(table.get("prerelease", False), problems),
    )


def _unknown_keys(table: Mapping[str, Any]) -> Iterator[str]:
    for key in table:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, n=1)
            yield f"{key}: unknown key, " + (
                f"did you mean `{near[0]}`?"
                if near
                else f"expected one of {', '.join(f'`{k}`' for k in sorted(_KEYS))}"
            )


def _operators(value: Any, problems: list[str]) -> Iterator[Requirement]:  # noqa: ANN401
    if not isinstance(value, list):
        problems.append(f"operators: expected a list of requirements, got {value!r}")
        return
    seen: set[OperatorName] = set()
    for index, text in enumerate(value):
        if not isinstance(text, str):
            problems.append(f"operators[{index}]: expected a requirement, got {text!r}")
            continue
        try:
            requirement = Requirement.parse(text)
        except InvalidRequirement as error:
            problems.append(f"operators[{index}]: {error}")
            continue
        if requirement.name in seen:
            problems.append(f"operators[{index}]: `{requirement.name}` stands twice")
        seen.add(requirement.name)
        yield requirement


def _sources(value: Any, problems: list[str]) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    if not isinstance(value, dict):
        problems.append(f"sources: expected a table, got {value!r}")
        return
    for pattern, spec in value.items():
        if isinstance(spec, str) and ONE_LINE.fullmatch(spec):
            yield pattern, spec
        else:
            problems.append(f"sources.{pattern}: expected a source, got {spec!r}")


def _specifier(value: Any, problems: list[str]) -> SpecifierSet:  # noqa: ANN401
    if isinstance(value, str):
        with suppress(InvalidSpecifier):
            return parse_specifier(value)
    problems.append(
        f"requires-python: expected versions such as `>=3.11`, got {value!r}"
    )
    return SpecifierSet()


def _boolean(value: Any, problems: list[str]) -> bool:  # noqa: ANN401
    if not isinstance(value, bool):
        problems.append(f"prerelease: expected `true` or `false`, got {value!r}")
    return bool(value)
