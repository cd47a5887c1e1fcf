"""A folder of folders: each is a class, and holds its images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from towhee.data.samples import InvalidDataset, Samples
from towhee.extras import needed_for

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

SUFFIXES: Final = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def image_folder(folder: Path) -> Samples:
    """Images by class, classes and files by their names' order; none that is hidden.

    :raises InvalidDataset: if no folder in it holds an image.
    """
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.parent != folder
        and not _is_hidden(path.relative_to(folder))
        and path.is_file()
    )
    if not files:
        raise InvalidDataset(
            f"No folder in `{folder}` holds an image",
            hint="Put the images of each class into a folder named after it",
        )
    names = [path.relative_to(folder).parts[0] for path in files]
    classes = tuple(sorted(set(names)))
    labels = tuple(classes.index(name) for name in names)
    return Samples(folder.name, _Files(files, labels), classes, labels=labels)


def _is_hidden(path: Path) -> bool:
    """Whether it is of a notebook's copies, or of what archives add beside images."""
    return any(part.startswith(".") for part in path.parts)


class _Files:
    def __init__(self, files: list[Path], labels: tuple[int, ...]) -> None:
        self._files, self._labels = files, labels

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return read_image(self._files[index]), self._labels[index]


def read_image(file: Path) -> Image.Image:
    """Read one, upright and in RGB.

    :raises InvalidDataset: if it is none.
    """
    with needed_for("Reading images", extra="display"):
        from PIL import Image, ImageOps
    try:
        with Image.open(file) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError) as error:
        raise InvalidDataset(f"`{file}` is no image: {error}") from error
