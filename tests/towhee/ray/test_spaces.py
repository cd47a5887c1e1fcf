"""Vectors of another space are refused on a cluster as they are here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugin_spec.spaces import SpacesDiffer
from towhee import DataCollection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EMBED = """
import numpy as np
from plugin_spec import EmbeddingSpace

class Subject(Operator):
    def __init__(self, layer="last"):
        self.layer = layer

    @property
    def space(self):
        return EmbeddingSpace("test/embed", "tiny", "sha256:00", layer=self.layer)

    def __call__(self, value):
        return np.array([value, 1.0])
"""


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_a_search_refuses_another_space_from_another_stage(
    publish: Callable[..., Path], tmp_path: Path
) -> None:
    parameters = {"layer": {"type": "string"}}
    vector = [{"name": "vector", "type": "vector"}]
    publish(EMBED, name="test/embed", outputs=vector, parameters=parameters)
    source = f"dir:{tmp_path / 'source'}"
    (tmp_path / "work" / "hub.toml").write_text(f'[sources]\n"test/*" = "{source}"\n')
    DataCollection([1, 2]).test.embed().to_faiss(tmp_path / "photos")
    resources = {"ann-search/faiss": {"num_cpus": 0.25}}
    rows = DataCollection([1, 2]).set_engine(
        "ray", num_cpus=0.5, concurrency=1, resources=resources
    )
    options = {"path": str(tmp_path / "photos"), "topk": 1}
    found = rows.test.embed().ann_search.faiss(**options).to_list()
    assert [each.ids for each in found] == [[0], [1]]
    with pytest.raises(SpacesDiffer, match="layer: last, layer3"):
        rows.test.embed(layer="layer3").ann_search.faiss(**options).to_list()
