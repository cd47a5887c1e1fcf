"""Handwritten digits, 8 x 8 pixels, that come with scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from towhee.data.samples import InvalidDataset, Samples
from towhee.extras import needed_for

if TYPE_CHECKING:
    from PIL import Image

_SEED: Final = 0
_SHARE: Final = 0.33


def digits(split: str | None) -> Samples:
    """All 1,797, or the 1,203 of ``train`` and the 594 of ``eval``.

    Every class has its share in both.

    :raises MissingExtra: if scikit-learn is not installed.
    """
    if split not in {None, "train", "eval"}:
        raise InvalidDataset(f"There is no part `{split}`: digits have train and eval")
    with needed_for("Digits", extra="sklearn"):
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    found = load_digits()
    images, labels = found.images, found.target
    if split is not None:
        parts = train_test_split(
            images, labels, test_size=_SHARE, random_state=_SEED, stratify=labels
        )
        first = 0 if split == "train" else 1
        images, labels = parts[first], parts[2 + first]
    classes = tuple(str(number) for number in range(10))
    name = "digits" if split is None else f"digits, {split}"
    numbers = tuple(labels.tolist())
    return Samples(name, _Pixels(images, numbers), classes, labels=numbers)


class _Pixels:
    def __init__(self, images: Any, labels: tuple[int, ...]) -> None:  # noqa: ANN401
        self._images, self._labels = images, labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        import numpy as np
        from PIL import Image

        # Their levels are 0 to 16.
        levels = np.uint8((self._images[index] * 255 / 16).round())
        return Image.fromarray(levels).convert("RGB"), self._labels[index]
