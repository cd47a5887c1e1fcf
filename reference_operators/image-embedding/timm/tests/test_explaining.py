"""What is marked on an image is what makes its vector what it is."""

from __future__ import annotations

import pickle
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from timm_embedding import TimmEmbedding

from plugin_spec.attribution.errors import CannotExplain
from plugin_spec.attribution.subject import Explains

if TYPE_CHECKING:
    from numpy.typing import NDArray

TINY = Path(__file__).parents[3] / "towhee" / "image-embedding-tiny" / "weights"
PHOTOGRAPHS = {
    name: np.asarray(getattr(skimage.data, name)())
    for name in ("chelsea", "coffee", "rocket", "astronaut")
}

ROLLOUT_REFUSED = (
    "Attention rollout needs attention from each patch to each, in every layer, which "
    "this model has not"
)

pytestmark = pytest.mark.filterwarnings("ignore:test_(resnet|vit)")


@pytest.fixture(scope="module")
def tiny() -> TimmEmbedding:
    """The weights that come with this repository: trained on other photographs."""
    return TimmEmbedding(
        model_name="test_resnet", checkpoint_path=str(TINY / "model.safetensors")
    )


def random_model(name: str = "test_resnet", **options: object) -> TimmEmbedding:
    return TimmEmbedding(model_name=name, pretrained=False, **options)


def without(image: NDArray[np.uint8], marked: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image, with its mean colour where it is marked."""
    masked = image.copy()
    masked[marked] = image.mean(axis=(0, 1))
    return masked


def random_regions(
    seen: NDArray[np.bool_], share: float, count: int
) -> list[NDArray[np.bool_]]:
    """Blotches of what the model saw, as large together as what a map marks."""
    draws = np.random.default_rng(0)
    regions = []
    for _ in range(count):
        noise = Image.fromarray(draws.random((7, 7)).astype(np.float32))
        height, width = seen.shape
        smooth = np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC))
        smooth = np.where(seen, smooth, -np.inf)
        limit = np.sort(smooth, axis=None)[-round(share * seen.size)]
        regions.append(smooth >= limit)
    return regions


def halves(left: str, right: str) -> NDArray[np.uint8]:
    """The middles of two photographs, side by side."""
    pieces = []
    for name in (left, right):
        image = PHOTOGRAPHS[name]
        height, width = image.shape[:2]
        start = width // 2 - height // 4
        piece = Image.fromarray(image[:, start : start + height // 2])
        pieces.append(np.asarray(piece.resize((128, 256))))
    return np.concatenate(pieces, axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradcam", "integrated-gradients"])
def test_masking_what_is_marked_lowers_the_similarity_more_than_masking_at_random(
    tiny: TimmEmbedding, method: str
) -> None:
    ahead, shares = [], []
    seen = np.ones((256, 256), bool)
    for left, right in permutations(PHOTOGRAPHS, 2):
        image, other = halves(left, right), PHOTOGRAPHS[left]
        target = tiny(other)
        found = tiny.explain(image, other, method=method)
        similarity = float(tiny(image) @ target)
        assert abs(found.score - similarity) < 1e-5
        marked = float(tiny(without(image, found.strongest(0.2))) @ target)
        masked = [
            float(tiny(without(image, region)) @ target)
            for region in random_regions(seen, 0.2, 8)
        ]
        ahead.append(np.mean(masked) - marked)
        shares.append(found.values[:, :128].sum() / found.values.sum())
    # The model's map has three places a side, and it finds some pairs alike: so not
    # each of the twelve, but two of three, and all together.
    assert np.mean(ahead) > 0.02
    assert np.sum(np.array(ahead) > 0) >= 8
    assert np.mean(shares) > 0.55


def test_a_map_lies_on_the_image_as_it_was_given(tiny: TimmEmbedding) -> None:
    image = PHOTOGRAPHS["chelsea"]
    found = tiny.explain(image)
    assert found.values.shape == image.shape[:2] == (300, 451)
    assert found.values.dtype == np.float32
    assert (found.image == image).all()
    assert found.picture().size == (451, 300)
    # The square at the centre is seen, and nothing beside it.
    assert not found.values[:, :74].any()
    assert not found.values[:, 377:].any()
    assert found.values.max() > 0
    assert repr(found) == "<Heatmap 451x300, gradcam: similarity to itself 1.000>"


def test_an_image_of_pillow_and_a_vector_as_target_give_the_same_map(
    tiny: TimmEmbedding,
) -> None:
    image, other = PHOTOGRAPHS["chelsea"], PHOTOGRAPHS["rocket"]
    expected = tiny.explain(image, other)
    found = tiny.explain(Image.fromarray(image), tiny(other))
    np.testing.assert_allclose(found.values, expected.values, atol=1e-6)
    assert abs(found.score - expected.score) < 1e-6


def test_a_class_is_explained_by_name_and_number(tmp_path: Path) -> None:
    operator = random_model(input_size=64)
    operator.adopt(operator.trainee(("cat", "dog")))
    image = PHOTOGRAPHS["chelsea"]
    named, numbered = operator.explain(image, "dog"), operator.explain(image, 1)
    assert (named.values == numbered.values).all()
    assert named.target == "class dog"
    with torch.no_grad():
        vector = operator.network(operator.prepare(image)[None])
        expected = operator.trainee(("cat", "dog")).head(vector)[0, 1]
    assert abs(named.score - float(expected)) < 1e-5
    named.save(tmp_path / "dog.npy")
    assert (np.load(tmp_path / "dog.npy") == named.values).all()
    with pytest.raises(CannotExplain) as error:
        operator.explain(image, "dot")
    assert str(error.value) == "There is no class 'dot': did you mean `dog`?"
    assert error.value.hint == "Choose one of `cat`, `dog`"


def test_a_model_in_training_is_explained_in_place_of_the_operators() -> None:
    operator = random_model(input_size=64)
    trainee = operator.trainee(("cat", "dog"))
    with torch.no_grad():
        trainee.head.weight.mul_(2)
    trainee.network.train()
    found = operator.explain(PHOTOGRAPHS["chelsea"], "cat", trainee=trainee)
    assert trainee.network.training
    operator.adopt(trainee)
    expected = operator.explain(PHOTOGRAPHS["chelsea"], "cat")
    np.testing.assert_allclose(found.values, expected.values, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "target", "method"),
    [
        ({}, None, "gradcam"),
        ({"layer": "layer3"}, None, "gradcam"),
        ({"name": "test_vit"}, None, "attention-rollout"),
        pytest.param(
            {"name": "test_vit"},
            PHOTOGRAPHS["rocket"],
            "integrated-gradients",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["convolutions", "stage", "transformer", "transformer-target"],
)
def test_the_first_method_that_fits_is_taken(
    options: dict[str, Any], target: object, method: str
) -> None:
    found = random_model(**options).explain(PHOTOGRAPHS["chelsea"], target)
    assert found.method == method
    assert found.values.max() > 0


@pytest.mark.parametrize(
    ("name", "target", "method", "message", "hint"),
    [
        (
            "test_resnet",
            None,
            "attention-rollout",
            ROLLOUT_REFUSED,
            "Choose `gradcam` or `integrated-gradients`",
        ),
        (
            "test_vit",
            None,
            "gradcam",
            "Grad-CAM needs a feature map, which this model has not",
            "Choose `attention-rollout` or `integrated-gradients`",
        ),
        (
            "test_vit",
            PHOTOGRAPHS["rocket"],
            "attention-rollout",
            "Attention rollout shows where a model looks, whatever the target",
            "Choose `integrated-gradients`",
        ),
        (
            "test_resnet",
            None,
            "rollout",
            "There is no method `rollout`",
            "Choose one of `gradcam`, `attention-rollout`, `integrated-gradients`",
        ),
        (
            "test_resnet",
            "cat",
            None,
            "This model tells no classes apart, and 'cat' is none of them",
            "Train it with classes, or give an image that it is similar to",
        ),
        (
            "test_resnet",
            np.ones(3, np.float32),
            None,
            "The target has 3 numbers, and the vector of the image 96",
            None,
        ),
    ],
    ids=["no-attention", "no-map", "no-target", "unknown", "no-class", "short"],
)
def test_what_does_not_fit_is_refused_naming_what_does(
    name: str, target: object, method: str | None, message: str, hint: str | None
) -> None:
    operator = random_model(name)
    with pytest.raises(CannotExplain) as error:
        operator.explain(PHOTOGRAPHS["chelsea"], target, method=method)
    assert (str(error.value), error.value.hint) == (message, hint)


def test_explaining_leaves_vectors_as_they_are() -> None:
    operator = random_model("test_vit")
    assert isinstance(operator, Explains)
    before = operator(PHOTOGRAPHS["rocket"])
    operator.explain(PHOTOGRAPHS["rocket"], method="attention-rollout")
    assert (operator(PHOTOGRAPHS["rocket"]) == before).all()


def test_a_heatmap_goes_through_pickle(tiny: TimmEmbedding) -> None:
    found = tiny.explain(PHOTOGRAPHS["rocket"])
    again = pickle.loads(pickle.dumps(found))  # noqa: S301  (our own bytes)
    assert (again.values == found.values).all()
    assert repr(again) == repr(found)
