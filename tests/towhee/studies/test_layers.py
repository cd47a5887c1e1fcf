"""Which layer serves images best: measured as it is defined, and told in plain words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from docs.json_shapes import differences, read_shapes
from PIL import Image

from plugin_spec import EmbeddingSpace, ModelOperator
from towhee.cli import main
from towhee.data import Samples, dataset
from towhee.studies.errors import CannotStudy
from towhee.studies.layers import study_layers
from towhee.studies.neighbours import nearest_others, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LAYERED = """
import numpy as np
from plugin_spec import EmbeddingSpace

class Subject(ModelOperator):
    def __init__(self, layer="bright", model_name="small", batch_size=3):
        self.layer, self.model_name, self.batch_size = layer, model_name, batch_size

    @property
    def space(self):
        return EmbeddingSpace("test/layered", self.model_name, "sha256:0", self.layer)

    def layer_names(self):
        return ["colour", "bright"]

    def at_layer(self, layer):
        return Subject(layer, self.model_name, self.batch_size)

    def prepare(self, image):
        assert image.dtype == np.uint8
        return image.reshape(-1, 3).mean(axis=0)

    def predict(self, batch):
        return [each if self.layer == "colour" else each.sum(keepdims=True)
                for each in map(np.float32, batch)]
"""
OPTIONS = {"layer": {"type": "string"}, "model_name": {"type": "string"}}
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0)}


class Layered(ModelOperator):
    """Two layers: a colour itself, and its brightness, in which all are alike."""

    batch_size = 4

    def __init__(self, layer: str = "bright") -> None:
        self.layer, self.prepared = layer, 0

    @property
    def space(self) -> EmbeddingSpace:
        return EmbeddingSpace("test/layered", "small", "sha256:0", self.layer)

    def layer_names(self) -> list[str]:
        return ["colour", "bright"]

    def at_layer(self, layer: str) -> Layered:
        return Layered(layer)

    def prepare(self, image: Any) -> Any:  # noqa: ANN401
        self.prepared += 1
        return np.float32(image.reshape(-1, 3).mean(axis=0))

    def predict(self, batch: Sequence[Any]) -> list[Any]:
        whole = self.layer == "colour"
        return [each if whole else each.sum(keepdims=True) for each in batch]


@pytest.fixture
def logos() -> Path:
    """Six images of each of two colours, one of them a little off, by turns."""
    for number in range(6):
        for name, colour in COLOURS.items():
            Path("logos", name).mkdir(parents=True, exist_ok=True)
            level = [max(0, each - 5 * number) for each in colour]
            image = Image.new("RGB", (8, 8), tuple(level))
            image.save(Path("logos", name, f"{number}.png"))
    return Path("logos")


def test_precision_is_the_part_of_the_nearest_that_have_the_label(logos: Path) -> None:
    operator = Layered()
    study = study_layers(operator, dataset(logos))
    colour, bright = study.results
    assert (colour.layer, colour.precision, colour.error, colour.size) == (
        "colour",
        1,
        0,
        3,
    )
    # All are alike there, so that the first five in order are the nearest.
    assert bright.precision == pytest.approx((6 * 5 + 6 * 0) / (12 * 5), abs=1e-4)
    assert (study.best.layer, study.in_use, study.is_clear) == (
        "colour",
        "bright",
        True,
    )
    assert (study.images, study.classes, study.possible) == (12, 2, 1)
    assert study.by_chance == pytest.approx(5 / 11, abs=1e-4)
    assert operator.prepared == 12, "each image is prepared once for all layers"


def test_an_image_is_no_neighbour_of_itself_and_order_decides_between_equals() -> None:
    rows = unit_vectors([[1, 0], [2, 0], [0, 3], [0, 0]], "it")
    assert nearest_others(rows, rows, 2).tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]


def test_blocks_of_queries_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit_vectors(list(np.random.default_rng(0).normal(size=(23, 4))), "it")
    whole = nearest_others(vectors, vectors, 5)
    monkeypatch.setattr("towhee.studies.neighbours._BLOCK", 7)
    assert nearest_others(vectors, vectors, 5).tolist() == whole.tolist()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1.0], [1.0, 2.0]], "It gives vectors of several lengths, 1 to 2"),
        ([[1.0], [np.nan]], "It gives vectors with NaN or infinities"),
    ],
)
def test_what_cannot_be_compared_is_refused(vectors: list[Any], message: str) -> None:
    with pytest.raises(CannotStudy) as refused:
        unit_vectors(vectors, "It")
    assert str(refused.value) == message


def test_an_operator_without_layers_and_too_few_images_are_refused(logos: Path) -> None:
    with pytest.raises(CannotStudy, match="This operator has no layers to choose from"):
        study_layers(object(), dataset(logos))
    few = Samples.of([(np.zeros((2, 2, 3), np.uint8), 0)] * 9)
    with pytest.raises(CannotStudy, match="9 images, 1 classes> are too few"):
        study_layers(Layered(), few)


def test_hub_layers_prints_a_table_and_draws_it(
    logos: Path, publish: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    publish(LAYERED, name="test/layered", parameters=OPTIONS)
    words = ["layers", "test/layered", "--data", str(logos), "--quiet"]
    assert main([*words, "--plot", "layers.png"]) == 0
    said = capsys.readouterr()
    assert re.fullmatch(
        r"layer   precision@5    size  ms per image\n"
        r"colour  1\.000 ± 0\.000  3     \d+\.\d\n"
        r"bright  0\.500 ± 0\.144  1     \d+\.\d           in use\n\n"
        r"`colour` serves these 12 images in 2 classes best, clearly better than "
        r"`bright`, which is in use; chance alone gives 0\.455\n",
        said.out,
    )
    with Image.open("layers.png") as plot:
        assert min(plot.size) > 100


def test_hub_layers_as_json_with_options(
    logos: Path, publish: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    publish(LAYERED, name="test/layered", parameters=OPTIONS)
    words = ["layers", "test/layered", "--data", str(logos), "--model", "other"]
    words += ["--option", "layer=colour", "--neighbours", "8", "--json", "--quiet"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(differences(read_shapes()["layers"], report)) == []
    assert (report["in_use"], report["best"], report["neighbours"]) == (
        "colour",
        "colour",
        8,
    )
    assert report["possible"] == 0.625


def test_hub_layers_refuses_a_plot_of_no_kind_before_anything_runs(
    logos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["layers", "test/none", "--data", str(logos), "--plot", "layers.doc"]
    assert main(words) == 1
    assert capsys.readouterr().err == (
        "error: A plot's name ends in one of `.png`, `.svg`, `.pdf`, not `layers.doc`\n"
    )
