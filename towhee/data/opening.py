"""Open labelled images by a name, from a folder, or from another library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.nearest import did_you_mean
from towhee.data.samples import InvalidDataset, Samples

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES: Final = ("train", "eval", "digits")
_DEFAULT_SIZE: Final = 20


def dataset(
    source: Any,  # noqa: ANN401  (whatever holds images)
    *,
    size: int | None = None,
    transform: Callable[[Any], Any] | None = None,
    split: str | None = None,
) -> Samples:
    """Open images with labels.

    >>> dataset("train", size=20)
    <fake images, train: 20 images, 10 classes>

    :param source: ``train`` or ``eval`` for fake images, which need no download and
        can be learned; ``digits`` for scikit-learn's; a folder with one of images for
        each class; a dataset of Hugging Face or torch; a list of pairs.
    :param size: how many; by default 20 fake ones, and all of any other.
    :param transform: applied to each image, which is a Pillow one; by default an
        operator prepares images itself.
    :param split: of digits: ``train`` or ``eval``, two and one of three.
    :raises InvalidDataset: if it holds no images with labels, or a name is a folder's
        too.
    """
    opened = _open(source, size, split)
    if size is not None and size > len(opened):
        raise InvalidDataset(f"{opened!r} cannot give {size:,}")
    return _first(opened, size, transform)


def _open(source: Any, size: int | None, split: str | None) -> Samples:  # noqa: ANN401
    if split is not None and source != "digits":
        raise InvalidDataset(
            f"There is no part `{split}`: digits alone have parts",
            hint="Give the images of each part by themselves",
        )
    if split is None and isinstance(source, str) and source in _NAMES:
        _check_name(source)
    if source in ("train", "eval"):
        from towhee.data.fake import fake_images  # noqa: PLC0415

        return fake_images(source, _DEFAULT_SIZE if size is None else size)
    if source == "digits":
        from towhee.data.digits import digits  # noqa: PLC0415

        return digits(split)
    if isinstance(source, (str, os.PathLike)):
        if not Path(source).is_dir():
            raise InvalidDataset(
                f"There is no folder `{source}`{did_you_mean(str(source), _NAMES)}",
                hint="Give a folder, `train` and `eval` for fake images, or `digits`",
            )
        from towhee.data.folder import image_folder  # noqa: PLC0415

        return image_folder(Path(source))
    return Samples.of(source)


def _check_name(name: str) -> None:
    """Refuse a name that stands for two things: one of them would be a surprise."""
    if Path(name).is_dir():
        known = "scikit-learn's digits" if name == "digits" else "fake images"
        raise InvalidDataset(
            f"`{name}` means {known}, and there is a folder `{name}` here",
            hint=f"Write `./{name}` for the folder; for the other, work elsewhere",
        )


def _first(
    samples: Samples, size: int | None, transform: Callable[[Any], Any] | None
) -> Samples:
    if size in {None, len(samples)} and transform is None:
        return samples
    if size is not None and size < 1:
        raise InvalidDataset(f"{samples!r} cannot give {size:,}")
    indexes = range(len(samples) if size is None else size)
    labels = samples.labels
    return Samples(
        samples.name,
        samples if len(indexes) == len(samples) else _Part(samples, indexes),
        samples.classes,
        transform,
        None if labels is None else tuple(labels[each] for each in indexes),
    )


class _Part:
    """Some of a dataset's samples."""

    def __init__(self, source: Samples, indexes: range) -> None:
        self._source, self._indexes = source, indexes

    def __len__(self) -> int:
        return len(self._indexes)

    def __getitem__(self, index: int) -> Any:  # noqa: ANN401
        return self._source[self._indexes[index]]
