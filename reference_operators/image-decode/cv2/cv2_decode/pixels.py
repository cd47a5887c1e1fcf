"""Pixels from encoded bytes, from a Pillow image, or from an array.

Models are trained on what Pillow's ``convert("RGB")`` gives, so that is what this
module gives, bit for bit, with three rules of its own: EXIF orientation is applied,
16 bits become 8 by dropping the low ones, and what has no range to scale from is
refused.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import UnreadableImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = 1
_CHANNELS: Final = {(), (1,), (3,), (4,)}
_END_OF_JPEG: Final = b"\xff\xd9"


def from_bytes(data: bytes, label: str, *, max_pixels: int) -> NDArray[np.uint8]:
    """Decode an encoded image; of an animation, the first frame.

    :param label: names the source in errors.
    """
    if not data:
        raise UnreadableImage(label, "it is empty")
    try:
        with Image.open(io.BytesIO(data)) as image:
            _check_size(image, label, max_pixels)
            if _opencv_is_exact(image, data):
                pixels = np.frombuffer(data, np.uint8)
                flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
                decoded = cv2.imdecode(pixels, flags)
                if decoded is not None:
                    return np.asarray(decoded, dtype=np.uint8)
            return from_image(image, label, max_pixels=max_pixels)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImage(label, "it is not an image of a known format") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(
            label,
            "Pillow refuses its number of pixels",
            hint="Set `PIL.Image.MAX_IMAGE_PIXELS` and `max_pixels` to allow it",
        ) from error
    except Exception as error:  # bad bytes raise anything, from struct.error up
        raise UnreadableImage(label, str(error) or type(error).__name__) from error


def from_image(image: Image.Image, label: str, *, max_pixels: int) -> NDArray[np.uint8]:
    """Take the pixels of a Pillow image, which stays as it is."""
    _check_size(image, label, max_pixels)
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith(("I", "F")):
            pixels = np.asarray(upright)
            # Pillow holds the 16 bits of some files in 32.
            wide = upright.mode == "I" and image.format in {"PNG", "PPM"}
            return from_array(pixels.astype(np.uint16) if wide else pixels, label)
        # Alpha is dropped, as in training; Pillow warns of one kind of it.
        upright.info.pop("transparency", None)
        return np.array(upright.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, UnreadableImage):
            raise
        raise UnreadableImage(label, str(error)) from error


def from_array(array: NDArray[Any], label: str) -> NDArray[np.uint8]:
    """Take RGB, RGBA or grey pixels: (H, W, 3), (H, W, 4), (H, W, 1) or (H, W)."""
    if array.ndim not in {2, 3} or array.shape[2:] not in _CHANNELS:
        reason = f"its shape is {array.shape}, not (H, W), (H, W, 3) or (H, W, 4)"
        raise UnreadableImage(label, reason)
    if array.size == 0:
        raise UnreadableImage(
            label, f"it is {array.shape[1]} x {array.shape[0]} pixels"
        )
    pixels = _eight_bit(array, label)
    if pixels.ndim == 2:  # noqa: PLR2004  (rows and columns)
        pixels = pixels[:, :, np.newaxis]
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    return pixels[:, :, :3]


def _eight_bit(array: NDArray[Any], label: str) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype in (np.dtype("<u2"), np.dtype(">u2")):
        return (array >> 8).astype(np.uint8)
    raise UnreadableImage(
        label,
        f"{array.dtype} pixels have no fixed range",
        hint="Scale the pixels to uint8, 0 to 255, and pass the array",
    )


def _opencv_is_exact(image: Image.Image, data: bytes) -> bool:
    """Whether OpenCV gives Pillow's pixels, and would notice what Pillow would.

    For upright RGB and grey JPEG files it does, and is faster. OpenCV paints the
    missing part of a truncated one grey, so the end must be there.
    """
    return (
        image.format == "JPEG"
        and image.mode in {"RGB", "L"}
        and data.endswith(_END_OF_JPEG)
        and image.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT
    )


def _check_size(image: Image.Image, label: str, max_pixels: int) -> None:
    width, height = image.size
    if not width * height:
        raise UnreadableImage(label, f"it is {width} x {height} pixels")
    if width * height > max_pixels:
        raise UnreadableImage(
            label,
            f"its {width} x {height} pixels are more than {max_pixels}",
            hint="Raise `max_pixels` to allow it",
        )
