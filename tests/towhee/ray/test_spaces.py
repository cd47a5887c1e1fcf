"""Vectors of another space are refused on a cluster as they are here."""

from __future__ import annotations

import pytest

from plugin_spec.spaces import SpacesDiffer
from towhee import DataCollection


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_a_search_refuses_another_space_from_another_stage(
    photos: str,
) -> None:
    resources = {"ann-search/faiss": {"num_cpus": 0.25}}
    rows = DataCollection([1, 2]).set_engine(
        "ray", num_cpus=0.5, concurrency=1, resources=resources
    )
    options = {"path": photos, "topk": 1}
    found = rows.test.embed().ann_search.faiss(**options).to_list()
    assert [each.ids for each in found] == [[0], [1]]
    with pytest.raises(SpacesDiffer, match="layer: last, layer3"):
        rows.test.embed(layer="layer3").ann_search.faiss(**options).to_list()
