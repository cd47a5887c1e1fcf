"""What no scenario can say: attributes, laziness over a source, determinism, scale."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from packaging.version import Version

from hub_client.resolver import (
    ResolutionConflict,
    ResolutionGivenUp,
    UnknownOperator,
    resolve,
)
from plugin_spec.errors import HubError
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub_client.candidate import Release
    from plugin_spec.manifest import Manifest

TIMM = OperatorName.parse("image-embedding/timm")
CV2 = OperatorName.parse("image-decode/cv2")


def requirements(*texts: str) -> list[Requirement]:
    return [Requirement.parse(text) for text in texts]


def test_a_candidate_has_its_release_its_source_and_its_manifest(
    memory_index: type[Any],
) -> None:
    index = memory_index({"image-decode/cv2": {"1.0.0": {}}})
    resolution = resolve(requirements("image-decode/cv2"), index, python="3.11.9")
    (candidate,) = resolution.candidates
    (release,) = index.versions(CV2)
    assert candidate.release == release
    assert candidate.source == "memory"
    assert candidate.manifest == index.manifest(CV2, release)
    assert resolution.roots == tuple(requirements("image-decode/cv2"))


def test_anything_with_versions_and_manifest_is_a_source(
    memory_index: type[Any],
) -> None:
    index = memory_index({"image-decode/cv2": {"1.0.0": {}}})

    @dataclass
    class Bare:
        def versions(self, name: OperatorName) -> Sequence[Release]:
            return index.versions(name)

        def manifest(self, name: OperatorName, release: Release) -> Manifest:
            return index.manifest(name, release)

    found = resolve(requirements("image-decode/cv2"), Bare(), python=Version("3.11"))
    assert [candidate.source for candidate in found.candidates] == ["Bare"]
    with pytest.raises(UnknownOperator, match="`Bare` has no operator `a/b`"):
        resolve(requirements("a/b"), Bare(), python="3.11")


def test_a_resolution_can_be_the_lock_of_the_next(memory_index: type[Any]) -> None:
    roots = requirements("image-decode/cv2")
    old = memory_index({"image-decode/cv2": {"1.0.0": {}}})
    new = memory_index({"image-decode/cv2": {"1.0.0": {}, "2.0.0": {}}})
    locked = {c.name: c for c in resolve(roots, old, python="3.11").candidates}
    again = resolve(roots, new, python="3.11", locked=locked)
    assert [str(c) for c in again.candidates] == ["image-decode/cv2 1.0.0"]


def test_an_unknown_operator_is_an_attribute_with_its_source_and_nearest_names(
    memory_index: type[Any],
) -> None:
    index = memory_index({"image-decode/cv2": {"1.0.0": {}}})
    with pytest.raises(UnknownOperator) as caught:
        resolve(requirements("image-decode/cv3"), index, python="3.11")
    assert isinstance(caught.value, LookupError)
    assert caught.value.name == OperatorName.parse("image-decode/cv3")
    assert caught.value.source == "memory"
    assert caught.value.nearest == (CV2,)


def test_a_conflict_has_its_clauses_as_an_attribute(memory_index: type[Any]) -> None:
    index = memory_index({"image-decode/cv2": {"1.0.0": {}}})
    with pytest.raises(ResolutionConflict) as caught:
        resolve(requirements("image-decode/cv2>1"), index, python="3.11")
    assert caught.value.clauses == (
        "you require `image-decode/cv2>1`",
        "`memory` has only image-decode/cv2 1.0.0",
    )


def test_an_error_of_the_source_is_no_rejection(memory_index: type[Any]) -> None:
    class Unreachable(memory_index):  # type: ignore[misc]
        def manifest(self, name: OperatorName, release: Release) -> Manifest:
            raise HubError("git.example.org does not answer")

    index = Unreachable({"image-decode/cv2": {"1.0.0": {}, "2.0.0": {}}})
    with pytest.raises(HubError, match=r"git\.example\.org does not answer"):
        resolve(requirements("image-decode/cv2"), index, python="3.11")


def test_no_manifest_is_read_twice_however_long_the_search(
    memory_index: type[Any],
) -> None:
    versions = [f"1.{number}" for number in range(8)]
    index = memory_index(
        {
            "a/one": {v: {"requires": ["b/base<2"]} for v in versions},
            "a/two": {v: {"requires": ["b/base>=2"]} for v in versions},
            "b/base": {"1.0": {}, "2.0": {}},
        }
    )
    with pytest.raises(ResolutionConflict):
        resolve(requirements("a/one", "a/two"), index, python="3.11")
    assert len(index.read) == len(set(index.read))


def test_a_chain_of_a_thousand_operators_resolves(memory_index: type[Any]) -> None:
    operators = {
        f"chain/n{n}": {"1": {"requires": [f"chain/n{n + 1}"] if n < 999 else []}}
        for n in range(1000)
    }
    resolution = resolve(
        requirements("chain/n0"), memory_index(operators), python="3.11"
    )
    assert [str(c.name) for c in resolution.candidates] == list(operators)[::-1]


def chain(length: int, versions: int) -> dict[str, Any]:
    """Each version asks for the same one of the next; the last for one of a base."""
    operators: dict[str, Any] = {
        f"chain/n{n:03}": {
            str(v): {"requires": [f"chain/n{n + 1:03}=={v}"]}
            for v in range(1, versions + 1)
        }
        for n in range(length - 1)
    }
    last = {str(v): {"requires": [f"b/base=={v}"]} for v in range(1, versions + 1)}
    operators[f"chain/n{length - 1:03}"] = last
    return operators | {"b/base": {str(v): {} for v in range(1, versions + 1)}}


def windows(count: int, versions: int, seed: int) -> dict[str, Any]:
    """Each version asks for some range of three of the next six operators."""
    chance = random.Random(seed)  # noqa: S311

    def asked(number: int, version: int) -> list[str]:
        further = range(number + 1, min(count, number + 7))
        around = {n: version + chance.randint(-2, 2) for n in further}
        return [
            f"w/n{n:03}{chance.choice(('>=', '<=', '!='))}{max(1, around[n])}"
            for n in chance.sample(further, min(3, len(further)))
        ]

    return {
        f"w/n{number:03}": {
            str(v): {"requires": asked(number, v)} for v in range(1, versions + 1)
        }
        for number in range(count)
    }


def seconds(began: float) -> float:
    return time.process_time() - began


def test_two_hundred_operators_that_must_all_step_back_take_less_than_two_seconds(
    memory_index: type[Any],
) -> None:
    index = memory_index(chain(200, 5))
    began = time.process_time()
    found = resolve(requirements("chain/n000", "b/base<2"), index, python="3.11")
    assert seconds(began) < 2
    assert {str(each.version) for each in found.candidates} == {"1"}
    assert len(found.candidates) == 201


def test_two_hundred_operators_with_conflicts_everywhere_take_less_than_two_seconds(
    memory_index: type[Any],
) -> None:
    index = memory_index(windows(200, 8, seed=0))
    began = time.process_time()
    found = resolve(requirements("w/n000", "w/n001<8"), index, python="3.11")
    assert seconds(began) < 2
    versions = {each.name: each.version for each in found.candidates}
    assert len(versions) > 150
    assert all(
        requirement.accepts(versions[requirement.name])
        for each in found.candidates
        for requirement in each.manifest.dependencies
    )


def test_why_two_hundred_operators_disagree_is_said_in_less_than_two_seconds(
    memory_index: type[Any],
) -> None:
    """Every request of one version takes part, and not one of the others'."""
    index = memory_index(chain(200, 5))
    began = time.process_time()
    with pytest.raises(ResolutionConflict) as caught:
        resolve(requirements("chain/n000==3", "b/base<2"), index, python="3.11")
    assert seconds(began) < 2
    first, second, *others = caught.value.clauses
    assert [first, second] == [
        "you require `chain/n000==3`",
        CHAINED.format("000", "001"),
    ]
    assert len(others) == 200
    # A person is told its two ends, and a traceback has it all.
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + 20 + 1 + 20
    assert lines[21] == "  … and 162 more in between"
    assert lines[22] == f"  and {caught.value.clauses[-20]}"
    (note,) = (each for each in caught.value.__notes__ if "All of it" in each)
    assert note.count("\n  and ") == 201


def test_many_versions_that_all_take_part_cost_no_search_each(
    memory_index: type[Any],
) -> None:
    index = memory_index(chain(20, 20))
    began = time.process_time()
    with pytest.raises(ResolutionConflict) as caught:
        resolve(requirements("chain/n000>=2", "b/base<2"), index, python="3.11")
    assert seconds(began) < 2
    assert len(caught.value.clauses) == 19 * 20 + 2


CHAINED = "chain/n{} 3 requires `chain/n{}==3`"


@pytest.mark.slow
def test_a_search_without_end_is_given_up(memory_index: type[Any]) -> None:
    """Thirteen pigeons in twelve holes: nobody knows how to prove quickly that one is left."""
    index = memory_index(
        {
            f"pigeon/n{n}": {
                str(v): {"requires": [f"hole/n{v}=={n}"]} for v in range(12)
            }
            for n in range(13)
        }
        | {f"hole/n{v}": {str(n): {} for n in range(13)} for v in range(12)}
    )
    with pytest.raises(ResolutionGivenUp) as caught:
        resolve(requirements(*(f"pigeon/n{n}" for n in range(13))), index, python="3")
    assert str(caught.value) == (
        "No set of versions was found in the steps that a search may take"
    )
    assert caught.value.hint == "Ask for fewer operators, or for fewer versions of each"


def test_the_same_question_has_the_same_answer_in_every_process() -> None:
    """Names hash differently in each process; no message or order may show it."""
    script = (
        "import sys, runpy\n"
        "spec = runpy.run_path(sys.argv[1]); test = runpy.run_path(sys.argv[2])\n"
        "import tomllib\n"
        "for path in test['SCENARIOS']:\n"
        "    case = tomllib.loads(path.read_text('utf-8'))\n"
        "    print(test['answer'](case, spec['MemoryIndex']))\n"
    )
    folder = __file__.rpartition("test_resolve")[0]
    seen = {
        subprocess.run(
            [
                sys.executable,
                "-c",
                script,
                f"{folder}conftest.py",
                f"{folder}test_scenarios.py",
            ],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(seen) == 1
    assert b"Because" in next(iter(seen))
