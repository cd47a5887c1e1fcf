"""Vectors are those of transformers' own CLIP, and both towers' are of one space."""

from __future__ import annotations

import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transformers
from clip_embedding import (
    CannotRun,
    ClipEmbedding,
    OtherModality,
    TextTruncated,
    WeightsMismatch,
    WeightsUnavailable,
)
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_clip import WORDS, write_model
from transformers import BertConfig, CLIPModel, CLIPProcessor

from plugin_spec import Manifest
from plugin_spec.spaces import SpacesDiffer, check_spaces

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDING = 1e-6
TEXTS = ["the cat sat on the mat", "dog", "", "a photo of the dog on the hill on a mat"]


def images() -> list[np.ndarray]:
    """Blotches on several sizes, a single row of pixels among them."""
    generator = np.random.default_rng(0)
    sizes = [(60, 80), (80, 60), (32, 32), (3, 70), (200, 41)]
    small = generator.integers(0, 256, (len(sizes), 6, 6, 3), np.uint8)
    return [
        np.asarray(Image.fromarray(each).resize(size[::-1], Image.Resampling.BICUBIC))
        for each, size in zip(small, sizes, strict=True)
    ]


def recipe(folder: Path, modality: str, content: Any) -> np.ndarray:  # noqa: ANN401
    """The way that transformers documents, one image or text at a time."""
    model = CLIPModel.from_pretrained(folder).eval()
    processor = CLIPProcessor.from_pretrained(folder)
    with torch.inference_mode():
        if modality == "image":
            given = processor(images=Image.fromarray(content), return_tensors="pt")
            found = model.get_image_features(**given)
        else:
            given = processor(text=[content], return_tensors="pt")
            found = model.get_text_features(**given)
    # Before transformers 5, the vectors alone.
    (vector,) = getattr(found, "pooler_output", found)
    return torch.nn.functional.normalize(vector, dim=0).numpy()


def embed(folder: Path, modality: str = "image", **options: Any) -> ClipEmbedding:  # noqa: ANN401
    return ClipEmbedding(model_name=str(folder), modality=modality, **options)


def in_one_batch(operator: ClipEmbedding, contents: Sequence[Any]) -> np.ndarray:
    return np.stack(operator.predict([operator.prepare(each) for each in contents]))


def test_a_folder_that_was_written_anew_is_not_the_one_that_was_loaded(
    folder: Path,
) -> None:
    operator = embed(folder)
    assert operator.is_current
    weights = load_file(folder / "model.safetensors")
    halved = {key: value / 2 for key, value in weights.items()}
    save_file(halved, folder / "model.safetensors", {"format": "pt"})
    assert not operator.is_current
    assert embed(folder).space != operator.space


@pytest.mark.parametrize(
    ("modality", "contents"), [("image", images()), ("text", TEXTS)]
)
def test_vectors_are_those_of_transformers_own_model(
    folder: Path, modality: str, contents: Sequence[Any]
) -> None:
    operator = embed(folder, modality)
    expected = np.stack([recipe(folder, modality, each) for each in contents])
    alone = np.stack([operator(each) for each in contents])
    assert (alone.dtype, alone.shape) == (np.float32, (len(contents), 24))
    # Its processor resizes images by torchvision, within a grey level of Pillow.
    assert (alone * expected).sum(1).min() >= 0.9999
    together = in_one_batch(operator, contents)
    np.testing.assert_allclose(together, alone, rtol=0, atol=ROUNDING)
    # What is compared tells its contents apart.
    assert (expected @ expected.T)[~np.eye(len(contents), dtype=bool)].max() < 0.998


def test_towers_of_one_model_compare_wherever_its_files_lie(
    folder: Path, tmp_path: Path
) -> None:
    write_model(tmp_path / "elsewhere")
    image, text = embed(folder).space, embed(tmp_path / "elsewhere", "text").space
    assert image.conflicts(text) == text.conflicts(image) == ()
    rough = embed(folder, "text", dtype="bfloat16")
    assert 0.99 < rough.describe()["differences"]["backend"]["cosine"] < 1
    assert image.conflicts(rough.space) == ()
    plain = embed(folder, "text", normalize=False)
    assert np.linalg.norm(plain("dog")) != pytest.approx(1, abs=1e-3)
    assert image.conflicts(plain.space) == ("normalisation: L2, none",)


def test_towers_of_two_models_are_refused_with_both(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    write_model(other, seed=1)
    image, text = embed(folder).space, embed(other, "text").space
    with pytest.raises(SpacesDiffer) as caught:
        check_spaces("photos", held=image, given=text)
    names = [f"{each.joint[:19]} ({each.origin})" for each in (image, text)]  # type: ignore[index]  # they have one
    assert str(caught.value).splitlines()[1:] == [f"  joint: {', '.join(names)}"]


def test_other_weights_of_one_tower_are_another_joint_space(folder: Path) -> None:
    image, text = embed(folder).space, embed(folder, "text").space
    weights = load_file(folder / "model.safetensors")
    weights["text_model.final_layer_norm.bias"].add_(0.01)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert [line[:14] for line in image.conflicts(embed(folder, "text").space)] == [
        "joint: sha256:"
    ]
    # The image tower is as it was: only the space that it shares is another.
    again = embed(folder).space
    assert (again.weights, again.joint == image.joint) == (image.weights, False)
    assert not again.compatible_with(text)


def test_the_scale_of_similarities_is_no_part_of_a_space(folder: Path) -> None:
    image = embed(folder).space
    weights = load_file(folder / "model.safetensors")
    weights["logit_scale"].add_(1)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert embed(folder).space == image


def test_what_the_other_tower_takes_is_refused(folder: Path) -> None:
    with pytest.raises(OtherModality) as caught:
        embed(folder)("dog")
    assert str(caught.value) == (
        "`modality='image'` takes an image, (H, W, 3), got `str`"
    )
    assert caught.value.hint == "The other tower, `modality='text'`, takes texts"
    with pytest.raises(OtherModality, match=r"takes a text, got `ndarray`"):
        embed(folder, "text")(images()[0])


def test_a_longer_text_is_cut_with_its_end_kept_and_warned_of_once(
    folder: Path,
) -> None:
    operator = embed(folder, "text")
    text = " ".join(WORDS * 2)
    with pytest.warns(TextTruncated) as caught:
        vectors = [operator(text), operator(text)]
    (warning,) = caught
    assert str(warning.message) == (
        f"`{folder}` reads 16 tokens, and of a longer text the end does not count: "
        f"{text[:40]!r}"
    )
    short = operator(" ".join((WORDS * 2)[:14]))
    for vector in vectors:
        np.testing.assert_array_equal(vector, short)


@pytest.mark.parametrize(
    ("modality", "contents"), [("image", images()), ("text", TEXTS)]
)
def test_many_threads_embed_at_once_also_in_a_copy(
    folder: Path, modality: str, contents: Sequence[Any]
) -> None:
    operator = embed(folder, modality)
    expected = [operator(each) for each in contents]
    copy = pickle.loads(pickle.dumps(operator))  # noqa: S301  (our own)
    assert copy.space == operator.space
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(copy, [*contents] * 10))
    np.testing.assert_allclose(found, expected * 10, rtol=0, atol=ROUNDING)


def test_another_kind_of_model_is_refused(folder: Path) -> None:
    BertConfig().save_pretrained(folder)
    with pytest.raises(CannotRun) as caught:
        embed(folder)
    assert str(caught.value) == (f"`{folder}` is no CLIP model, but of the type `bert`")


def test_a_missing_tensor_is_never_made_up(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    # Of the other tower, too: it names the space.
    with pytest.raises(WeightsMismatch) as caught:
        embed(folder)
    assert str(caught.value) == (
        f"The weights of `{folder}` leave out 1 tensors of the model, "
        "`text_projection.weight` first"
    )


def test_a_pickle_is_never_read(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsUnavailable, match=r"model\.safetensors"):
        embed(folder)


def test_a_device_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(CannotRun, match="cannot run on `banana` in float32"):
        embed(folder, device="banana")


def test_describe_says_what_decides_the_vectors(folder: Path) -> None:
    description = embed(folder, device=["cpu", "cpu"]).describe()
    assert description.pop("weights").startswith("sha256:")
    assert description == {
        "model": str(folder),
        "modality": "image",
        "normalize": True,
        "preprocessing": {
            "size": {"shortest_edge": 32},
            "resample": "bicubic",
            "crop_size": {"height": 32, "width": 32},
            "rescale_factor": 1 / 255,
            "image_mean": [0.48145466, 0.4578275, 0.40821073],
            "image_std": [0.26862954, 0.26130258, 0.27577711],
            "colour": "RGB",
        },
        "dtype": "float32",
        "differences": {},
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }


def test_the_manifest_names_every_option_with_its_default() -> None:
    manifest = Path(__file__).parent.parent / "operator.yaml"
    stated = {
        name: schema["default"]
        for name, schema in Manifest.from_yaml(manifest.read_bytes()).parameters.items()
    }
    options = inspect.signature(ClipEmbedding).parameters
    assert stated == {name: option.default for name, option in options.items()}
