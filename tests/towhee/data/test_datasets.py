"""Labelled images from wherever they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from towhee.data import Samples, dataset
from towhee.data.samples import InvalidDataset


def write_images(folder: Path) -> None:
    for name, grey in (("cat", 10), ("dog", 200), ("cat", 30)):
        path = folder / name / "deep" / f"{grey}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 6), grey).save(path)
    for hidden in ("cat/._10.png", ".trash/cat.png", "cat/.copies/10.png"):
        (folder / hidden).parent.mkdir(exist_ok=True)
        Image.new("L", (4, 6)).save(folder / hidden)
    (folder / "cat" / "notes.txt").write_text("no image")
    Image.new("L", (4, 6)).save(folder / "of no class.png")


def test_fake_images_are_the_same_every_time_and_differ_between_parts() -> None:
    train, again = dataset("train", size=20), dataset("train", size=20)
    assert len(train) == 20
    assert np.array_equal(train[3][0], again[3][0])
    assert not np.array_equal(train[3][0], dataset("eval", size=10)[3][0])
    assert train[13][1] == 3


def test_a_transform_is_applied_as_an_image_is_read() -> None:
    images = dataset("train", size=2, transform=lambda image: image.size)
    assert list(images) == [((224, 224), 0), ((224, 224), 1)]


def test_digits_have_two_parts_that_share_nothing() -> None:
    train, evaluation = (dataset("digits", split=each) for each in ("train", "eval"))
    assert (len(train), len(evaluation), len(dataset("digits"))) == (1203, 594, 1797)
    assert train.classes == tuple("0123456789")
    image, label = evaluation[0]
    assert (image.mode, image.size, label) == ("RGB", (8, 8), evaluation.labels[0])
    with pytest.raises(InvalidDataset, match="There is no part `test`"):
        dataset("digits", split="test")


def test_a_folder_has_a_class_for_each_folder_in_it(tmp_path: Path) -> None:
    write_images(tmp_path)
    images = dataset(tmp_path)
    assert (len(images), images.classes, images.labels) == (
        3,
        ("cat", "dog"),
        (0, 0, 1),
    )
    assert [(image.mode, image.getpixel((0, 0))[0]) for image, _ in images] == [
        ("RGB", 10),
        ("RGB", 30),
        ("RGB", 200),
    ]
    assert len(dataset(str(tmp_path), size=2)) == 2


def test_a_name_that_is_a_folder_too_is_refused() -> None:
    write_images(Path("train"))
    with pytest.raises(InvalidDataset) as caught:
        dataset("train")
    assert str(caught.value) == (
        "`train` means fake images, and there is a folder `train` here"
    )
    assert caught.value.hint == (
        "Write `./train` for the folder; for the other, work elsewhere"
    )
    assert (
        dataset("./train").classes == dataset(Path("train")).classes == ("cat", "dog")
    )


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    write_images(tmp_path)
    broken = tmp_path / "cat" / "a.png"
    broken.write_text("no image")
    with pytest.raises(InvalidDataset, match=f"`{broken}` is no image"):
        dataset(tmp_path)[0]


@pytest.mark.slow
def test_a_dataset_of_hugging_face_keeps_its_names() -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    rows = {"image": [Image.new("RGB", (2, 2))] * 3, "label": [1, 0, 1]}
    images = dataset(datasets.Dataset.from_dict(rows, features=features))
    assert (images.classes, images.labels) == (("cat", "dog"), (1, 0, 1))
    assert images[0][0].size == (2, 2)


@pytest.mark.parametrize(
    ("source", "classes", "labels"),
    [
        (TensorDataset(torch.zeros(3, 2), torch.tensor([0, 2, 1])), "012", [0, 2, 1]),
        ([("a", "dog"), ("b", "cat")], ["cat", "dog"], [1, 0]),
        ([{"image": "a", "label": 1}], "01", [1]),
    ],
    ids=["torch", "names", "mappings"],
)
def test_any_dataset_by_index_will_do(
    source: object, classes: list[str], labels: list[int]
) -> None:
    images = dataset(source)
    assert images.classes == tuple(classes)
    assert [label for _, label in images] == labels


def test_classes_of_another_order_are_numbered_anew() -> None:
    images = Samples.of([("a", "dog"), ("b", "cat")])
    assert list(images.with_classes(("bird", "cat", "dog"))) == [("a", 2), ("b", 1)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "The list holds no image"),
        (iter([]), "has no length, or cannot be read by index"),
        (["a.jpg"], "A sample is a str, not an image with its label"),
        ([{"picture": 1}], "A sample has no `image`: it has `picture`"),
        ([("a", -1)], "There is a label -1, below 0"),
        ("trian", "There is no folder `trian`: did you mean `train`?"),
    ],
)
def test_what_holds_no_labelled_images_is_told(source: object, message: str) -> None:
    with pytest.raises(InvalidDataset) as caught:
        dataset(source)
    assert message in str(caught.value)


@pytest.mark.parametrize("source", ["train", [("a", 0)]], ids=["fake", "pairs"])
def test_a_part_of_what_has_none_is_refused(source: object) -> None:
    with pytest.raises(InvalidDataset) as caught:
        dataset(source, split="eval")
    assert str(caught.value) == "There is no part `eval`: digits alone have parts"


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset) as caught:
        dataset(tmp_path)
    assert caught.value.hint == (
        "Put the images of each class into a folder named after it"
    )


def test_more_than_there_is_cannot_be_had() -> None:
    with pytest.raises(InvalidDataset, match="1 images, 1 classes> cannot give 2"):
        dataset([("a", 0)], size=2)
