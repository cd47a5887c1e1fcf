"""What joins two places of a manifest: a default and its schema, a port and another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.formats import check_path
from plugin_spec.nearest import did_you_mean
from plugin_spec.strict_yaml import Problem
from plugin_spec.wording import describe, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema.protocols import Validator

    from plugin_spec.strict_yaml import Path

_MAX_DEFAULT: Final = 100
"""Each value of a default may be compared with every value of a long ``enum``."""

_MAX_STEPS: Final = 200
"""Values in all steps of a preprocessing."""


def inconsistencies(
    data: Mapping[str, Any], broken: frozenset[Path], validator: type[Validator]
) -> Iterator[Problem]:
    """Check those parts whose structure holds.

    :param broken: the paths of problems found before, cut to two parts.
    :param validator: checks a default against its parameter's schema.
    """
    sections = {path[0] for path in broken if path}
    sound = {key: value for key, value in data.items() if key not in sections}
    for side in ("inputs", "outputs"):
        yield from _repeated_ports(side, sound.get(side, ()))
    yield from _bad_files(sound.get("steps", ()))
    if "space" in sound:
        yield from _bad_space(sound["space"], sound.get("outputs"))
    if ("parameters",) in broken:
        return
    parameters = data.get("parameters", {})
    yield from _unknown_options(sound.get("weights", ()), parameters)
    for name, schema in parameters.items():
        if ("parameters", name) not in broken:
            yield from _bad_default(name, schema, validator)


def _repeated_ports(side: str, ports: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, port in enumerate(ports):
        first = seen.setdefault(port["name"], index)
        if first != index:
            message = f"{side}[{first}] has this name already, got {port['name']!r}"
            yield Problem((side, index, "name"), message)


def _bad_files(steps: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
    for index, step in enumerate(steps):
        for option, value in step.get("with", {}).items():
            if isinstance(value, dict) and value.keys() == {"file"}:
                file = value["file"]
                problem = (
                    check_path(file)
                    if isinstance(file, str)
                    else f"expected a quoted string, got {shown(file)}"
                )
                if problem is not None:
                    yield Problem(("steps", index, "with", option, "file"), problem)


def _bad_space(
    space: Mapping[str, Any], outputs: Iterable[Mapping[str, Any]] | None
) -> Iterator[Problem]:
    if outputs is not None and not any("vector" in each["type"] for each in outputs):
        yield Problem(("space",), "no output is a vector, and only those have a space")
    steps, path = space.get("preprocessing", {}), ("space", "preprocessing")
    size = _count(steps)
    if size > _MAX_STEPS:
        yield Problem(path, f"expected at most {_MAX_STEPS} values, got {size:,}")
        return
    yield from _not_in_toml(steps, path)


def _not_in_toml(value: object, path: Path) -> Iterator[Problem]:
    """What the lock could not say."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in pairs:
            yield from _not_in_toml(each, (*path, key))
    elif value is None:
        yield Problem(path, "expected a value, got nothing")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem(path, f"expected a finite number, got {value}")


def _unknown_options(
    weights: Iterable[Mapping[str, Any]], parameters: Mapping[str, Any]
) -> Iterator[Problem]:
    for index, each in enumerate(weights):
        for option in each.get("for", {}):
            if option not in parameters:
                meant = did_you_mean(option, parameters)
                message = f"not one of the `parameters`{meant}"
                yield Problem(("weights", index, "for", option), message)


def _bad_default(
    name: str, schema: Mapping[str, Any], validator: type[Validator]
) -> Iterator[Problem]:
    if "default" not in schema:
        return
    size = _count(schema["default"])
    if size > _MAX_DEFAULT:
        message = f"expected at most {_MAX_DEFAULT} values, got {size:,}"
        yield Problem(("parameters", name, "default"), message)
        return
    for error in validator(schema).iter_errors(schema["default"]):
        path = ("parameters", name, "default", *error.absolute_path)
        yield Problem(path, f"does not fit its own schema: {describe(error)}")


def _count(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + sum(map(_count, value)) if isinstance(value, list) else 1
