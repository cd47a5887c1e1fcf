"""How far vectors move, and what is said of an index: measured, and by a stated rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from docs.json_shapes import differences, read_shapes
from PIL import Image

from hub_client.environment import Environment
from plugin_spec import EmbeddingSpace
from plugin_spec.names import OperatorName
from towhee.cli import main
from towhee.studies.drift import measure_drift
from towhee.studies.drift_page import drift_page
from towhee.studies.errors import CannotStudy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SPACE = EmbeddingSpace("test/colour", "small", "sha256:0")
COLOUR = """
import numpy as np

class Subject(Operator):
    def __init__(self, turn=0, length=3):
        self.turn, self.length = turn, length

    def __call__(self, image):
        mean = image.reshape(-1, 3).mean(axis=0) - 127
        return np.roll(mean, self.turn)[: self.length].astype(np.float32)
"""
OPTIONS = {"turn": {"type": "integer"}, "length": {"type": "integer"}}
IMAGE = [{"name": "image", "type": "image"}]
VECTOR = [{"name": "vector", "type": "vector"}]


def random_vectors(seed: int = 0, count: int = 30) -> list[Any]:
    return list(np.random.default_rng(seed).normal(size=(count, 8)))


def test_the_same_vectors_keep_every_neighbour_and_the_index() -> None:
    old = random_vectors()
    drift = measure_drift(old, [3 * each for each in old], (SPACE, SPACE))
    assert drift.cosine is not None
    assert (drift.cosine.mean, drift.cosine.least) == (1, 1)
    assert [(each.neighbours, each.kept, each.rebuilt) for each in drift.overlaps] == [
        (5, 1, 1),
        (10, 1, 1),
    ]
    assert not drift.must_rebuild
    assert drift.reason == (
        "The index can stay: new vectors find 1.000 of the nearest neighbours among old "
        "ones, and 0.95 is what it takes"
    )


def test_turned_vectors_keep_their_neighbours_and_not_the_index() -> None:
    old = random_vectors()
    drift = measure_drift(old, [np.roll(each, 1) for each in old])
    assert [each.rebuilt for each in drift.overlaps] == [1, 1]
    assert max(each.kept or 0 for each in drift.overlaps) < 0.6
    assert drift.must_rebuild
    assert drift.reason.startswith(
        "The index must be rebuilt: new vectors find only 0."
    )


def test_other_vectors_share_neighbours_as_chance_would_have_it() -> None:
    old, new = random_vectors(0, 300), random_vectors(1, 300)
    for each in measure_drift(old, new).overlaps:
        assert each.rebuilt == pytest.approx(each.by_chance, abs=0.02)
        assert each.kept == pytest.approx(each.by_chance, abs=0.02)


def test_spaces_that_do_not_compare_call_for_a_new_index_whatever_is_measured() -> None:
    old = random_vectors()
    drift = measure_drift(old, old, (SPACE, SPACE.but(layer="layer3")))
    assert drift.differences == ("layer: none, layer3",)
    assert drift.must_rebuild
    assert drift.reason == (
        "The index must be rebuilt: the spaces do not compare, and search refuses to mix "
        "them; new vectors find 1.000 of the nearest neighbours among old ones"
    )


def test_another_precision_is_measured_and_not_refused() -> None:
    old = random_vectors()
    rounded = [np.round(each, 2) for each in old]
    drift = measure_drift(old, rounded, (SPACE, SPACE.but(precision="bfloat16")))
    assert drift.compatible
    assert not drift.must_rebuild


def test_another_length_calls_for_a_new_index() -> None:
    old = random_vectors()
    drift = measure_drift(old, [each[:4] for each in old])
    assert drift.cosine is None
    assert [each.kept for each in drift.overlaps] == [None, None]
    assert drift.reason == (
        "The index must be rebuilt: a vector has 4 numbers, and had 8"
    )


def test_the_worst_are_those_whose_neighbours_changed() -> None:
    old = random_vectors()
    new = [each.copy() for each in old]
    new[7] = -new[7]
    worst = measure_drift(old, new).worst[0]
    assert (worst.image, worst.cosine) == (7, -1)
    assert set(worst.old) != set(worst.new)


def test_few_images_have_ten_neighbours_and_fewer_none() -> None:
    drift = measure_drift(random_vectors(count=11), random_vectors(count=11))
    assert [each.neighbours for each in drift.overlaps] == [5]
    with pytest.raises(CannotStudy, match="10 images are too few"):
        measure_drift(random_vectors(count=10), random_vectors(count=10))


def test_names_on_the_page_are_escaped() -> None:
    old = random_vectors()
    drift = measure_drift(old, random_vectors(1), (SPACE, SPACE.but(layer="<b>")))
    files = [Path(f"<script>alert({number})</script>.png") for number in range(30)]
    page = drift_page(drift, files, ("<i>old</i>", "new & newer"))
    assert "<script" not in page
    assert "<i>" not in page
    assert "layer: none, &lt;b&gt;" in page
    assert "new &amp; newer" in page
    assert "(cannot be shown)" in page


@pytest.fixture
def photographs() -> list[Path]:
    """Twelve colours, and a file that is no image."""
    colours = np.random.default_rng(0).integers(0, 255, (12, 3), np.uint8)
    folder = Path("photos", "deep")
    folder.mkdir(parents=True)
    for number, colour in enumerate(colours):
        Image.new("RGB", (4, 4), tuple(map(int, colour))).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


@pytest.fixture
def colour(publish: Callable[..., Path]) -> Callable[[str], Path]:
    def write(version: str, code: str = COLOUR) -> Path:
        return publish(
            code,
            name="test/colour",
            version=version,
            parameters=OPTIONS,
            inputs=IMAGE,
            outputs=VECTOR,
        )

    return write


def run(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main(["drift", *words, "--images", "photos", "--no-progress"])
    said = capsys.readouterr()
    return status, said.out or said.err


@pytest.mark.usefixtures("photographs")
def test_hub_drift_tells_in_words_and_pictures(
    colour: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    colour("1.0.0")
    Path("photos", "bad.png").write_text("no image", encoding="utf-8")
    words = [
        "test/colour",
        "test/colour",
        "--option",
        "length=3",
        "--page",
        "drift.html",
    ]
    status, said = run([*words, "--new", "turn=1"], capsys)
    assert status == 1
    assert said.startswith(
        "test/colour 1.0.0 (length=3) → test/colour 1.0.0 (length=3, turn=1), 12 images"
        "\n\nWhat spaces the vectors are of is not known\n\ncosine between old and new: "
    )
    assert "neighbours kept  in the old index  after rebuilding  by chance\n" in said
    assert said.splitlines()[-1].startswith(
        "The index must be rebuilt: new vectors find"
    )
    page = Path("drift.html").read_text(encoding="utf-8")
    assert page.count("<section>") == 12
    assert page.count("data:image/png;base64,") == 12 * 16
    assert run(words, capsys)[0] == 0


@pytest.mark.usefixtures("photographs")
def test_hub_drift_of_two_versions_installs_neither_anew(
    colour: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    colour("1.0.0")
    colour("1.1.0", COLOUR.replace("- 127", "- 100"))
    assert run(["test/colour", "test/colour==1.1.0", "--json"], capsys)[0] in {0, 1}
    words = ["test/colour==1.0.0", "test/colour==1.1.0", "--json"]
    status, said = run(words, capsys)
    report = json.loads(said)
    assert list(differences(read_shapes()["drift"], report)) == []
    assert (report["old"], report["new"]) == ("test/colour 1.0.0", "test/colour 1.1.0")
    assert report["cosine"]["least"] < 1
    assert status == int(report["must_rebuild"])
    receipt = Environment.current().receipt(OperatorName.parse("test/colour"))
    assert receipt is not None
    assert str(receipt.version) == "1.1.0"


@pytest.mark.usefixtures("photographs")
def test_a_version_whose_packages_are_missing_is_refused(
    colour: Callable[..., Path],
    publish: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    colour("1.0.0")
    publish(
        COLOUR, name="test/colour", version="2.0.0", requires={"packages": ["feathers"]}
    )
    status, said = run(["test/colour==1.0.0", "test/colour==2.0.0"], capsys)
    assert status == 1
    assert "error: test/colour 2.0.0 needs `feathers`, which is not installed\n" in said
