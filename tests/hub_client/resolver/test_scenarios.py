"""Every TOML file in ``scenarios/`` is one case: what is asked, what exists, what comes.

``expected.versions`` is the whole answer, ``expected.error`` the whole message; where
they matter, ``order``, ``rejected``, ``hint`` and ``read`` (manifests, in order) too.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.version import Version

from hub_client.resolver import Resolution, resolve
from plugin_spec.errors import HubError
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from hub_client.resolver.question import Index

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.toml"))


def ask(scenario: dict[str, Any], index: Index) -> Resolution:
    return resolve(
        [Requirement.parse(root) for root in scenario["roots"]],
        index,
        python=scenario.get("python", "3.11.9"),
        locked={
            OperatorName.parse(name): Version(version)
            for name, version in scenario.get("locked", {}).items()
        },
        prerelease=scenario.get("prerelease", False),
    )


def answer(scenario: dict[str, Any], memory_index: type[Any]) -> dict[str, Any]:
    index = memory_index(scenario["operators"])
    try:
        resolution = ask(scenario, index)
    except HubError as error:
        return {"error": str(error), "hint": error.hint}
    return {
        "versions": {str(c.name): str(c.version) for c in resolution.candidates},
        "order": [str(candidate.name) for candidate in resolution.candidates],
        "rejected": [str(rejection) for rejection in resolution.rejected],
        "read": index.read,
    }


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(memory_index: type[Any], path: Path) -> None:
    scenario = tomllib.loads(path.read_text(encoding="utf-8"))
    expected = scenario["expected"]
    expected["error"] = expected.get("error", "").rstrip("\n")
    found = answer(scenario, memory_index)
    found.setdefault("error", "")
    assert {key: found.get(key) for key in expected} == expected


def test_there_are_at_least_forty_scenarios() -> None:
    assert len(SCENARIOS) >= 40


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_order_of_roots_and_versions_changes_nothing(
    memory_index: type[Any], path: Path
) -> None:
    scenario = tomllib.loads(path.read_text(encoding="utf-8"))
    reordered = scenario | {
        "roots": scenario["roots"][::-1],
        "operators": {
            name: dict(reversed(versions.items()))
            for name, versions in reversed(scenario["operators"].items())
        },
    }
    assert answer(reordered, memory_index) == answer(scenario, memory_index)
