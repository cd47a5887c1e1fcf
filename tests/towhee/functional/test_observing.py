from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from towhee import DataCollection, pipeline

if TYPE_CHECKING:
    from collections.abc import Callable


def double(value: int) -> int:
    return 2 * value


def test_a_profile_sees_the_chains_that_a_chain_starts_from() -> None:
    chain = DataCollection.range(6).map(double).batch(2).map(sum)
    stages = {each.stage: each.rows for each in chain.profile().stages}
    assert stages["map(double)"] == 6
    assert stages["map(sum)"] == 3


def test_an_explanation_and_a_profile_see_every_part_of_a_chain() -> None:
    left, right = DataCollection(range(6)).map(double), DataCollection(range(6))
    both = left.zip(right.map(str)) + left.batch(3).map(sum)
    chain = both.map(repr).head(4).map(len)
    words = [each.steps for each in chain.explain().stages]
    assert words == ["map(double)", "map(str)", "map(sum)", "map(repr)", "map(len)"]
    stages = [(each.stage, each.rows) for each in chain.profile().stages]
    assert stages[:3] == [("source", 8), ("map(double)", 4), ("map(str)", 4)]
    assert stages[-3:] == [("map(repr)", 4), ("the first 4", 4), ("map(len)", 4)]


def test_an_explanation_sees_what_is_done_to_columns() -> None:
    rows = DataCollection(range(4)).as_entity("a").set_chunksize(2)
    roots = rows.cmap["a", "b"](np.sqrt)
    words = [each.steps for each in roots.explain().stages]
    assert words == ["as_entity()", "cmap['a', 'b'](sqrt)"]
    seen = {each.stage: each.rows for each in roots.profile().stages}
    assert (seen["set_chunksize(2)"], seen[words[1]], seen["source"]) == (2, 2, 4)


def test_branches_are_explained_once_and_profiled_as_they_are_computed() -> None:
    calls = list[int]()
    rows = DataCollection([1, 2]).map(calls.append)
    for both in (rows.zip(rows.map(str)), rows.map(str, repr)[0].zip(rows.map(repr))):
        words = [each.steps for each in both.explain().stages]
        assert [word for word in words if "append" in word] == words[:1]
        both.profile()
    assert calls == [1, 2, 1, 2]


def test_a_shared_stream_is_explained_and_has_its_rows_after_a_profile() -> None:
    left, right = DataCollection(iter(range(3))).map(double).map(str, float)
    words = [each.steps for each in left.explain().stages]
    assert words == ["map(double)", "map(str)"]
    left.profile()
    assert right.to_list() == [0.0, 2.0, 4.0]


def test_a_profile_leaves_a_collection_as_it_was() -> None:
    chain = DataCollection([1, 2]).map(double)
    chain.profile()
    assert chain.to_list() == [2, 4]


def test_a_pipeline_is_explained_and_its_profile_is_a_chrome_trace(
    publish: Callable[..., Path],
) -> None:
    publish(
        """
class Subject(ModelOperator):
    def prepare(self, value):
        return value

    def predict(self, batch):
        return [2 * value for value in batch]
""",
        name="acme/double",
    )
    twice = pipeline("acme/double")
    profile = twice.profile([1, 2, 3])
    rows = {each.stage: each.rows for each in profile.stages}
    assert rows["acme/double predict"] == 3
    assert str(twice.explain()).startswith("1. acme/double\n")
    profile.to_chrome_trace("trace.json")
    events = json.loads(Path("trace.json").read_text())["traceEvents"]
    assert "acme/double predict" in {each["name"] for each in events}
