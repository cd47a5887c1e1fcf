"""A model on a GPU gives a processor's vectors, and makes do with the memory there."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from skimage import data
from timm_embedding import CannotRun, TimmEmbedding

from plugin_spec import OutOfMemory
from plugin_spec.inference.agreement import compare
from towhee import pipeline
from towhee.executors.plan import Plan
from towhee.executors.run import BatchHalved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODELS = ("resnet18", "mobilenetv3_small_050", "vit_tiny_patch16_224", "convnext_atto")
PHOTOGRAPH = data.chelsea()
PARTS = [
    np.ascontiguousarray(PHOTOGRAPH[top : top + 200, left : left + 200])
    for top in (0, 50, 100)
    for left in (0, 80, 160, 240)
]


def embed(
    model_name: str = "resnet18",
    **options: Any,  # noqa: ANN401  (as the operator takes them)
) -> TimmEmbedding:
    return TimmEmbedding(model_name=model_name, pretrained=False, **options)


def vectors(operator: TimmEmbedding) -> torch.Tensor:
    batch = [operator.prepare(part) for part in PARTS]
    return torch.from_numpy(np.stack(operator.predict(batch)))


def test_it_is_taken_where_there_is_one() -> None:
    assert embed()._backend.workload.device == "cuda"


@pytest.mark.parametrize("name", MODELS)
def test_vectors_are_those_of_the_processor(name: str) -> None:
    found, expected = vectors(embed(name)), vectors(embed(name, device="cpu"))
    agreement = compare(found, expected)
    assert agreement.cosine > 0.999999
    assert agreement.centred > 0.99999


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("autocast", [False, True])
def test_a_lower_precision_says_what_it_changes(dtype: str, *, autocast: bool) -> None:
    operator = embed(dtype=dtype, autocast=autocast)
    (found,) = operator.describe()["differences"].values()
    assert 0.99 < found["cosine"] <= 1
    assert compare(vectors(operator), vectors(embed(device="cpu"))).cosine > 0.99


def test_what_is_compiled_for_it_agrees() -> None:
    operator = embed(backend="compiled")
    assert compare(vectors(operator), vectors(embed(device="cpu"))).cosine > 0.999999
    alone = torch.from_numpy(operator.predict([operator.prepare(PARTS[0])])[0])
    torch.testing.assert_close(alone, vectors(operator)[0], rtol=0, atol=1e-4)
    operator.close()


@pytest.mark.parametrize("device", ["cuda:0,cuda:0", "cuda,cpu"])
def test_several_devices_share_a_batch_in_order(device: str) -> None:
    found = vectors(embed(device=device))
    assert compare(found, vectors(embed(device="cpu"))).cosine > 0.999999


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(CannotRun, match="cannot run on `cuda:99`"):
        embed(device="cuda:99")


def test_another_process_has_it_again() -> None:
    operator = embed()
    again = pickle.loads(pickle.dumps(operator))  # noqa: S301  (our own)
    np.testing.assert_allclose(vectors(again), vectors(operator), rtol=0, atol=1e-6)


def test_heatmaps_and_layers_and_weights(tmp_path: Path) -> None:
    operator, other = embed(), embed(device="cpu")
    found, expected = operator.explain(PHOTOGRAPH), other.explain(PHOTOGRAPH)
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-3)
    earlier = operator.at_layer("layer3")
    assert (
        compare(vectors(earlier), vectors(other.at_layer("layer3"))).cosine > 0.999999
    )
    operator.save(tmp_path)
    again = TimmEmbedding(checkpoint_path=str(tmp_path))
    assert torch.equal(vectors(again), vectors(operator))
    assert operator.space.fingerprint == other.space.fingerprint


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Half a gigabyte for this process, whatever the card has."""
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    taken = torch.cuda.memory_allocated()
    torch.cuda.set_per_process_memory_fraction((taken + (512 << 20)) / whole)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.usefixtures("little_memory")
def test_a_batch_that_does_not_fit_says_so() -> None:
    operator = embed("resnet50")
    prepared = operator.prepare(PHOTOGRAPH)
    with pytest.raises(OutOfMemory, match="A batch of 256 does not fit"):
        operator.predict([prepared] * 256)
    assert len(operator.predict([prepared])) == 1


@pytest.mark.usefixtures("little_memory")
def test_batches_that_do_not_fit_are_halved() -> None:
    embed_all = pipeline(
        "image-embedding/timm", model_name="resnet50", pretrained=False
    )
    plan = Plan("overlap", batch_size=256, threads=4)
    many = PARTS * 64
    with pytest.warns(BatchHalved):
        found = embed_all.set_engine("local", plan=plan)(many)
    assert len(found) == len(many)
    expected = vectors(embed("resnet50", device="cpu"))
    assert compare(torch.from_numpy(np.stack(found[-12:])), expected).cosine > 0.99999
