"""Files through the hub give the vectors of timm's documented recipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage.data
import timm
import torch
from PIL import Image, ImageOps
from timm.data import create_transform, resolve_model_data_config

import towhee
from towhee import DataCollection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

ROUNDING = 1e-6
ORIENTATION = 0x0112
TRAINED = (
    Path(towhee.__file__).parent.parent
    / "reference_operators/towhee/image-embedding-tiny/weights"
)


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receipts go to an environment of the test's own; packages are this one's."""
    prefix = tmp_path / "environment"
    prefix.mkdir()
    monkeypatch.setattr(sys, "prefix", str(prefix))


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def varied_images() -> Iterator[tuple[str, Image.Image, dict[str, Any]]]:
    """Fifty-two images: name, pixels, and how they are saved."""
    names = ("astronaut", "chelsea", "coffee", "rocket")
    for name in names:
        photograph = Image.fromarray(getattr(skimage.data, name)())
        width, height = photograph.size
        grey = photograph.convert("L")
        deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257 - 5)
        fading = Image.linear_gradient("L").resize(photograph.size)
        clear = photograph.copy()
        clear.putalpha(fading)
        yield f"{name}.jpg", photograph, {"quality": 90}
        yield f"{name}-progressive.jpg", photograph, {"progressive": True}
        yield f"{name}-large.jpg", photograph.resize((width * 3, height * 3)), {}
        yield f"{name}-small.png", photograph.resize((31, 23)), {}
        yield f"{name}-tall.webp", photograph.crop((40, 0, 100, height)), {}
        yield f"{name}-wide.bmp", photograph.crop((0, 40, width, 75)), {}
        yield f"{name}-grey.jpg", grey, {}
        yield f"{name}-cmyk.jpg", photograph.convert("CMYK"), {}
        yield f"{name}-palette.png", photograph.quantize(32), {"transparency": 3}
        yield f"{name}-clear.png", clear, {}
        yield f"{name}-turned.jpg", photograph, {"exif": turned(6)}
        yield f"{name}-mirrored.tif", photograph, {"exif": turned(5)}
        yield f"{name}-deep.png", deep, {}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("varied")
    paths = []
    for name, image, options in varied_images():
        paths.append(folder / name)
        image.save(paths[-1], **options)
    return paths


def opened(path: Path) -> Image.Image:
    """What a model is to see: upright, 8 bits a channel, RGB."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
    if upright.mode == "I;16":
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    upright.info.pop("transparency", None)
    return upright.convert("RGB")


def recipe(folder: Path, paths: list[Path], **changes: str) -> NDArray[np.float32]:
    """timm's documented way from files to vectors, one image at a time."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0)
    conditions = {**resolve_model_data_config(model), **changes}
    transform = create_transform(**conditions, is_training=False)
    with torch.inference_mode():
        rows = [model.eval()(transform(opened(path)).unsqueeze(0))[0] for path in paths]
    return torch.nn.functional.normalize(torch.stack(rows)).numpy()


@pytest.fixture(
    params=["test_resnet", pytest.param("test_vit", marks=pytest.mark.slow)],
    ids=["test_resnet", "test_vit"],
)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A model in timm's own layout: the trained one of the demo, or a random one."""
    if request.param == "test_resnet":
        return TRAINED
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = timm.create_model(request.param)
    timm.models.save_for_hf(model, tmp_path / "vit", safe_serialization=True)
    return tmp_path / "vit"


def embedded(paths: list[Path], folder: Path, **options: object) -> NDArray[np.float32]:
    chain = DataCollection(paths).image_decode.cv2()
    return np.stack(
        chain.image_embedding.timm(checkpoint_path=str(folder), **options).to_list()
    )


def test_fifty_varied_images_have_the_vectors_of_timms_recipe(
    images: list[Path], folder: Path
) -> None:
    vectors = embedded(images, folder)
    assert len(vectors) == 52
    difference = np.abs(vectors - recipe(folder, images)).max(axis=1)
    print(f"largest difference: {difference.max():.1e}")
    wrong = [
        path.name
        for path, size in zip(images, difference, strict=True)
        if size > ROUNDING
    ]
    assert wrong == []


def test_nearest_in_place_of_bicubic_changes_every_vector(images: list[Path]) -> None:
    """As in the article's table."""
    photographs = images[::13]
    bicubic = embedded(photographs, TRAINED)
    with pytest.warns(UserWarning, match="interpolation") as caught:
        nearest = embedded(photographs, TRAINED, interpolation="nearest")
    assert [str(warning.message) for warning in caught] == [
        "test_resnet: interpolation is nearest, trained with bicubic"
    ]
    by_hand = recipe(TRAINED, photographs, interpolation="nearest")
    np.testing.assert_allclose(nearest, by_hand, rtol=0, atol=ROUNDING)
    print("cosines of bicubic and nearest:", (bicubic * nearest).sum(axis=1))
    print("largest changes:", np.abs(bicubic - nearest).max(axis=1))
    assert (np.abs(bicubic - nearest).max(axis=1) > 0.01).all()
