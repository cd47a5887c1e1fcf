"""From a bundled pipeline to a store: what compares, and what is refused."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from vector_stores import Store, store_in

from plugin_spec.spaces import SpacesDiffer
from towhee import DataCollection, ops, pipeline

if TYPE_CHECKING:
    from pathlib import Path

TINY = "image-embedding-tiny"
GENERATOR = np.random.default_rng(0)
IMAGES = [GENERATOR.integers(0, 256, (40, 40, 3), np.uint8) for _ in range(3)]


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tmp_path / "environment"
    prefix.mkdir()
    monkeypatch.setattr(sys, "prefix", str(prefix))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_in(tmp_path, "faiss")


def embedded(**options: object) -> Any:  # noqa: ANN401
    return DataCollection(IMAGES).towhee.image_embedding_tiny(**options)


def search(store: Store, rows: Any, **options: object) -> list[Any]:  # noqa: ANN401
    found = getattr(rows.ann_search, store.kind)
    return list(found(**store.place, topk=1, **options))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*interpolation is nearest")
def test_images_are_found_in_their_own_space_and_refused_in_another(
    store: Store,
) -> None:
    space = pipeline(TINY).space
    assert space is not None
    assert space == embedded().space
    assert space == pipeline(TINY).operators[-1].declared.space
    assert (space.operator, space.normalisation) == ("image-embedding/timm", "L2")
    getattr(embedded(), f"to_{store.kind}")(*store.place.values())
    for options in ({}, {"dtype": "bfloat16"}):
        assert [each.ids for each in search(store, embedded(**options))] == [
            [0],
            [1],
            [2],
        ]
    nearest = embedded(interpolation="nearest")
    with pytest.raises(SpacesDiffer, match=r"\n  interpolation: \w+, nearest\n"):
        search(store, nearest)
    assert len(search(store, nearest, allow_mixed_spaces=True)) == 3
    before = len(search(store, embedded()))
    with pytest.raises(SpacesDiffer):
        getattr(nearest, f"to_{store.kind}")(*store.place.values())
    assert len(search(store, embedded())) == before


@pytest.mark.slow
def test_an_operator_that_was_trained_is_refused_by_the_index_that_it_filled(
    tmp_path: Path,
) -> None:
    embed = ops.towhee.image_embedding_tiny()
    images = DataCollection(IMAGES)
    images.map(embed).to_faiss(tmp_path / "photos")
    chain = images.stream().map(embed).ann_search.faiss(path=str(tmp_path / "photos"))
    assert len(chain.to_list()) == 3
    step = embed.bound.steps[-1]
    trained = step.own().operator  # type: ignore[union-attr]  # it is an operator
    trainee = trained.trainee()  # type: ignore[attr-defined]  # timm's
    for weight in trainee.network.parameters():
        weight.data.add_(0.01)
    trained.adopt(trainee)  # type: ignore[attr-defined]
    with pytest.raises(SpacesDiffer, match=r"\n  weights: sha256:\w{12} \("):
        chain.to_list()
    # Others with the same options share what was not trained.
    assert embedded().space == pipeline(TINY).space != embed.space
