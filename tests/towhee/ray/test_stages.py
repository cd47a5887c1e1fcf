"""Where a chain is split, how many workers there is room for, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from plugin_spec.spaces import SpacesDiffer
from towhee import DataCollection
from towhee.executors.ray.engine import RayExecutor
from towhee.executors.ray.stages import InvalidResources, Workers, stages
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_client.installed import InstalledOperator
    from towhee.bound import BoundPipeline

ECHO = """
class Subject(Operator):
    def __call__(self, value):
        return value
"""
Steps = tuple["InstalledOperator", "InstalledOperator"]


@pytest.fixture
def operators(write_operator: Callable[..., InstalledOperator]) -> Steps:
    return write_operator(ECHO, name="test/a"), write_operator(ECHO, name="test/b")


def test_whole_rows_stay_in_one_worker(
    operators: Steps, bound: Callable[..., BoundPipeline]
) -> None:
    pipeline = bound(FunctionCall("map", len), *operators)
    (stage,) = stages(pipeline, Workers(), {})
    assert stage.pipeline.steps == pipeline.steps
    (stage,) = stages(pipeline, Workers(), {"test/b": {"num_cpus": 1}})
    assert stage.workers == Workers()


def test_an_operator_that_wants_something_else_is_a_stage_with_what_follows_it(
    operators: Steps, bound: Callable[..., BoundPipeline]
) -> None:
    first, last = FunctionCall("map", len), FunctionCall("map", str)
    pipeline = bound(first, operators[0], operators[1], last)
    split = stages(pipeline, Workers(concurrency=2), {"test/b": {"num_gpus": 1}})
    assert [[str(step) for step in stage.pipeline.steps[:1]] for stage in split]
    assert [len(stage.pipeline.steps) for stage in split] == [2, 2]
    assert [stage.workers for stage in split] == [
        Workers(concurrency=2),
        Workers(num_gpus=1, concurrency=2),
    ]
    (stage,) = stages(
        bound(first, operators[0]), Workers(), {"test/a": {"num_gpus": 1}}
    )
    assert stage.workers == Workers(num_gpus=1)


def test_a_chain_without_operators_is_one_stage(
    bound: Callable[..., BoundPipeline],
) -> None:
    assert len(stages(bound(), Workers(), {})) == 1
    assert len(stages(bound(FunctionCall("map", len)), Workers(), {})) == 1


def test_workers_are_counted_node_by_node() -> None:
    nodes = [{"CPU": 3.0, "memory": 100.0}, {"CPU": 1.0, "GPU": 2.0, "memory": 100.0}]
    assert Workers().room(nodes) == 4
    assert Workers(num_cpus=2).room(nodes) == 1
    assert Workers(num_cpus=0.5, num_gpus=1).room(nodes) == 2
    assert Workers(num_cpus=0, memory=60).room(nodes) == 2
    assert Workers(num_cpus=0).room(nodes) == 4
    assert Workers(num_gpus=4).room(nodes) == 0


def test_resources_for_an_operator_that_is_not_there_are_refused(
    operators: Steps, bound: Callable[..., BoundPipeline]
) -> None:
    with pytest.raises(InvalidResources) as caught:
        stages(bound(*operators), Workers(), {"test/c": {"num_gpus": 1}})
    assert (
        str(caught.value)
        == "`resources` names `test/c`, and the chain has `test/a`, `test/b`"
    )


def test_options_of_the_engine_are_checked_when_they_are_given() -> None:
    with pytest.raises(InvalidResources) as caught:
        RayExecutor(num_cpus=-1, concurrency=(3, 1))
    assert str(caught.value) == (
        "num_cpus: expected a number, 0 or more, got -1; concurrency: expected a number,"
        " 1 or more, or the fewest and the most, got (3, 1)"
    )
    with pytest.raises(InvalidResources) as caught:
        DataCollection([1]).set_engine("ray", resources={"a/b": {"gpus": 1}})
    assert str(caught.value) == "There is no resource `gpus`"
    assert (
        caught.value.hint == "Ask for `num_cpus`, `num_gpus`, `memory`, `concurrency`"
    )
    wrong: dict[str, Any] = {
        "resources: expected a dictionary by operator, got 3": {"resources": 3},
        "resources: expected what to have, got 1": {"resources": {"a/b": 1}},
        "block_size: expected 1 or more, got '8'": {"block_size": "8"},
        "block_size: expected 1 or more, got 1.5": {"block_size": 1.5},
        "keep_order: expected True or False, got 'no'": {"keep_order": "no"},
    }
    for message, options in wrong.items():
        with pytest.raises(InvalidResources) as caught:
            DataCollection([1]).set_engine("ray", **options)
        assert str(caught.value) == message


def test_without_ray_the_engine_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from towhee.executors.ray import cluster  # noqa: PLC0415  (to patch)

    monkeypatch.setattr(cluster, "find_spec", lambda name: None if name == "ray" else 1)
    with pytest.raises(cluster.RayMissing) as caught:
        DataCollection([1]).set_engine("ray")
    assert str(caught.value) == "The engine `ray` needs `ray`, not installed here"
    assert caught.value.hint == "Run `pip install 'towhee-hub[ray]'`"


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_a_search_refuses_another_space_from_another_stage(photos: str) -> None:
    resources = {"ann-search/faiss": {"num_cpus": 0.25}}
    rows = DataCollection([1, 2]).set_engine(
        "ray", num_cpus=0.5, concurrency=1, resources=resources
    )
    options = {"path": photos, "topk": 1}
    found = rows.test.embed().ann_search.faiss(**options).to_list()
    assert [each.ids for each in found] == [[0], [1]]
    with pytest.raises(SpacesDiffer, match="layer: last, layer3"):
        rows.test.embed(layer="layer3").ann_search.faiss(**options).to_list()
