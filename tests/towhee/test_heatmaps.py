"""Heatmaps of calls and of rows, and of a model as it is trained."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from plugin_spec.attribution.errors import CannotExplain
from plugin_spec.attribution.heatmap import Heatmap
from towhee import DataCollection, ops
from towhee.executors.explanation import Explanation
from towhee.outcome import OperatorFailed
from towhee.trainer.callbacks import Heatmaps
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODEL: dict[str, Any] = {"model_name": "test_resnet", "pretrained": False}

pytestmark = pytest.mark.filterwarnings("ignore:test_resnet")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receipts go to an environment of the test's own; packages are this one's."""
    prefix = tmp_path / "environment"
    prefix.mkdir()
    monkeypatch.setattr(sys, "prefix", str(prefix))


@pytest.fixture
def files(tmp_path: Path, environment: None) -> list[str]:
    paths = [tmp_path / f"{name}.png" for name in ("chelsea", "rocket")]
    for path in paths:
        image = Image.fromarray(getattr(skimage.data, path.stem)())
        image.resize((120, 90)).save(path)
    return list(map(str, paths))


def test_one_name_explains_the_plan_and_an_image(files: list[str]) -> None:
    op = ops.image_embedding.timm(**MODEL)
    assert isinstance(op.explain(), Explanation)
    one, other = (np.asarray(Image.open(path)) for path in files)
    forth, back = op.explain(one, other), op.explain(other, one)
    assert forth.values.shape == back.values.shape == (90, 120)
    assert abs(forth.score - float(op(one) @ op(other))) < 1e-5
    assert abs(forth.score - back.score) < 1e-5
    with pytest.raises(TypeError, match="needs an image"):
        op.explain(method="gradcam")  # type: ignore[call-overload]


def test_a_path_goes_through_the_steps_before(files: list[str]) -> None:
    op = ops.towhee.image_embedding_tiny()
    found = op.explain(files[0], files[1], "gradcam")
    assert found.values.shape == (90, 120)
    assert found.target == "similarity"
    with pytest.raises(OperatorFailed, match="image-decode/cv2"):
        op.explain("absent.png")


@pytest.mark.slow
def test_rows_are_explained_in_place_of_their_vectors(files: list[str]) -> None:
    photos = DataCollection(files).image_decode.cv2()
    vectors = photos.image_embedding.timm(**MODEL)
    assert isinstance(vectors.explain(), Explanation)
    maps = vectors.explain("gradcam", target=files[1]).to_list()
    op = ops.image_embedding.timm(**MODEL)
    images = photos.to_list()
    for image, found in zip(images, maps, strict=True):
        expected = op.explain(image, images[1], method="gradcam")
        np.testing.assert_allclose(found.values, expected.values, atol=1e-6)
    # Whatever was computed of the chain before.
    assert len(vectors.to_list()) == 2
    again = vectors.set_parallel(2).explain("gradcam", target=vectors[1])
    for found, expected in zip(again, maps, strict=True):
        np.testing.assert_allclose(found.values, expected.values, atol=1e-6)


def test_rows_with_columns_keep_them_and_show_the_map_beside_the_image(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (
        DataCollection(files)
        .as_entity(["path"])
        .image_decode.cv2["path", "image"]()
        .image_embedding.timm["image", "vector"](**MODEL)
        .explain(method="gradcam")
        .select["path", "vector", "heatmap"]()
    )
    first = rows[0]
    assert isinstance(first.heatmap, Heatmap)
    assert first.vector.ndim == 1
    rows.show(1, tablefmt="html")
    assert capsys.readouterr().out.count("<img src=") == 2
    rows.select["heatmap"]().show(1, tablefmt="plain")
    assert "<Heatmap 120x90, gradcam: similarity to itself" in capsys.readouterr().out


@pytest.mark.slow
def test_a_loaded_operator_in_a_chain_is_explained(files: list[str]) -> None:
    op = ops.image_embedding.timm(**MODEL)
    photos = DataCollection(files).image_decode.cv2()
    maps = photos.map(op).explain("gradcam").to_list()
    assert [found.target for found in maps] == ["similarity to itself"] * 2


@pytest.mark.slow
def test_a_row_that_cannot_be_explained_says_where(files: list[str]) -> None:
    photos = DataCollection(files).image_decode.cv2()
    with pytest.raises(OperatorFailed) as error:
        photos.image_embedding.timm(**MODEL).explain("attention-rollout").to_list()
    assert error.value.row == 0
    assert error.value.hint == "Choose `gradcam` or `integrated-gradients`"


def test_who_cannot_explain_says_so(publish: Callable[..., Path]) -> None:
    publish(
        """
class Subject(Operator):
    def __call__(self, value):
        return value
""",
        name="acme/same",
    )
    with pytest.raises(CannotExplain) as error:
        ops.acme.same().explain(1)
    assert str(error.value) == "`acme/same` cannot explain what it makes"
    with pytest.raises(CannotExplain) as error:
        DataCollection(["a"]).map(len).explain("gradcam")
    assert str(error.value) == (
        "There are heatmaps of what an operator makes, and here is none last"
    )
    with pytest.raises(CannotExplain) as error:
        DataCollection(["a"]).explain("grad-cam")
    assert str(error.value) == (
        "There is no method `grad-cam`: did you mean `gradcam`?"
    )


@pytest.mark.slow
def test_what_explains_rows_goes_to_other_processes(files: list[str]) -> None:
    photos = DataCollection(files).image_decode.cv2()
    rows = photos.image_embedding.timm(**MODEL).explain("gradcam")
    copied = pickle.loads(pickle.dumps(rows))  # noqa: S301  (our own bytes)
    assert (copied[0].values == rows[0].values).all()


@pytest.mark.slow
def test_a_training_writes_what_the_model_looks_at_after_each_epoch(
    tmp_path: Path, files: list[str]
) -> None:
    op = ops.image_embedding.timm(**MODEL, input_size=32)
    image = np.asarray(Image.open(files[0]))
    samples = [(Image.fromarray(image), name) for name in ("cat", "dog")] * 2
    out = tmp_path / "out"
    config = TrainingConfig(
        output_dir=str(out),
        epoch_num=2,
        batch_size=2,
        tensorboard=None,
        model_checkpoint=None,
        early_stopping=None,
        device_str="cpu",
    )
    watched = Heatmaps(op, {"cat": image}, target={"cat": "cat"}, method="gradcam")
    op.train(config, train_dataset=samples, callbacks=[watched])
    pictures = sorted((out / "heatmaps" / "cat").iterdir())
    assert [each.name for each in pictures] == [
        "epoch-000.png",
        "epoch-001.png",
        "epoch-002.png",
    ]
    # The last one is what the trained operator says of itself.
    final = np.asarray(op.explain(image, "cat", method="gradcam").picture())
    with Image.open(pictures[2]) as written:
        assert np.abs(np.asarray(written).astype(int) - final).max() <= 1
