"""The operator: any source of one image in, its pixels out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL.Image import Image

from plugin_spec import Operator

from .errors import UnreadableImage
from .pixels import from_array, from_bytes, from_image
from .reading import download, read_file

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from numpy.typing import NDArray

    Encoded: TypeAlias = bytes | bytearray | memoryview
    Source: TypeAlias = str | Path | Encoded | Image | NDArray[Any]


class Decode(Operator):
    """Decode one image to RGB, uint8, (H, W, 3).

    :param max_pixels: width times height that may be decoded, judged by the header.
    :param timeout: seconds for a whole download.
    :param max_bytes: the largest download.
    """

    concurrent = True  # both libraries release the interpreter's lock

    def __init__(
        self,
        *,
        max_pixels: int = 178_956_970,
        timeout: float = 30.0,
        max_bytes: int = 1 << 28,
    ) -> None:
        self.max_pixels = max_pixels
        self.timeout = timeout
        self.max_bytes = max_bytes

    def __call__(self, source: Source) -> NDArray[np.uint8]:
        """Decode.

        :param source: a path, an http(s) URL, an encoded file's bytes, a Pillow image,
            or an array: RGB, RGBA or grey.
        :raises UnreadableImage: never a part of an image, never a guess.
        """
        match source:
            case str() if source.lower().startswith(("http://", "https://")):
                data = download(source, timeout=self.timeout, max_bytes=self.max_bytes)
                return from_bytes(data, f"`{source}`", max_pixels=self.max_pixels)
            case str() | Path():
                data = read_file(Path(source))
                return from_bytes(data, f"`{source}`", max_pixels=self.max_pixels)
            case bytes() | bytearray() | memoryview():
                data = bytes(source)
                label = f"{len(data)} bytes"
                return from_bytes(data, label, max_pixels=self.max_pixels)
            case Image():
                return from_image(source, "a Pillow image", max_pixels=self.max_pixels)
            case np.ndarray():
                return from_array(source, "an array")
        raise UnreadableImage(
            f"a value of type `{type(source).__name__}`",
            "expected a path, a URL, bytes, a Pillow image or an array",
        )
