from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

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
