"""Pictures, sound and video inside a page: nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
import io
import mimetypes
import wave
from html import escape
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from towhee.extras import needed_for

if TYPE_CHECKING:
    from typing import Literal

_SIDE: Final = 128
"""The longer side of a thumbnail, in pixels."""
_LARGEST: Final = 16 * 2**20
"""Bytes of a file that goes into a page."""
_UNREADABLE: Final = (RuntimeError, TypeError, ValueError)
"""What NumPy, and what it asks, raise at what is no array."""


class Unshowable(HubError, ValueError):
    """A value is no picture, sound or video."""


def image_tag(value: Any) -> str:  # noqa: ANN401  (an array, a picture of Pillow's, or a path)
    """A thumbnail.

    :param value: RGB, uint8, (height, width, 3); Pillow's; or where a file is.
    :raises MissingExtra: without Pillow.
    :raises Unshowable: for anything else.
    """
    with needed_for("Showing pictures", extra="display"):
        import numpy as np  # noqa: F401  (by which arrays become pictures)
        from PIL import Image, ImageOps
    try:
        if isinstance(value, str | Path):
            with Image.open(value) as file:
                file.draft("RGB", (2 * _SIDE, 2 * _SIDE))
                picture = ImageOps.exif_transpose(file).convert("RGB")
        else:
            picture = value if isinstance(value, Image.Image) else _from_array(value)
            picture = picture.convert("RGB")
        picture.thumbnail((_SIDE, _SIDE))
        content = io.BytesIO()
        picture.save(content, "PNG")
    except (OSError, *_UNREADABLE, Image.DecompressionBombError) as error:
        raise Unshowable(str(error)) from error
    name = escape(str(value)) if isinstance(value, str | Path) else ""
    return (
        f'<img src="{_inline(content.getvalue(), "image/png")}" alt="{name}" '
        f'title="{name}" width="{picture.width}" height="{picture.height}">'
    )


def player_tag(value: Any, kind: Literal["audio", "video"]) -> str:  # noqa: ANN401  (a path)
    """A player for a file, whose bytes go into the page.

    :raises Unshowable: if it is not of that kind, too large, or not there.
    """
    path = Path(value) if isinstance(value, str | Path) else None
    media = mimetypes.guess_type(path)[0] if path else None
    if path is None or media is None or not media.startswith(f"{kind}/"):
        raise Unshowable(f"no {kind} file")
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise Unshowable(f"{size / 2**20:.0f} MiB are too much for a page")
        content = path.read_bytes()
    except OSError as error:
        raise Unshowable(error.strerror or str(error)) from error
    return _player(kind, content, media, escape(str(value)))


def sound_tag(samples: Any, rate: object) -> str:  # noqa: ANN401  (an array)
    """A player for sound.

    :param samples: floats within -1 and 1, (channels, length), or of one channel.
    :param rate: samples a second.
    :raises Unshowable: for anything else.
    """
    import numpy as np

    try:
        array = np.atleast_2d(np.asarray(samples))
    except _UNREADABLE as error:
        raise Unshowable(f"no sound: {error}") from error
    channels = len(array)
    if array.dtype.kind != "f" or array.ndim > 2 or not 0 < channels <= 8:  # noqa: PLR2004  (axes, speakers)
        raise Unshowable(f"no sound: {array.dtype} of shape {array.shape}")
    count = _whole(rate)
    if not 0 < count < 2**31 // (2 * channels):
        raise Unshowable("the column `rate` says no number of samples a second")
    if (size := 2 * array.size) > _LARGEST:
        raise Unshowable(f"{size / 2**20:.0f} MiB are too much for a page")
    levels = np.clip(np.nan_to_num(array), -1, 1) * (2**15 - 1)
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((channels, 2, count, 0, "NONE", "not compressed"))
        file.writeframes(levels.T.astype("<i2").tobytes())
    return _player("audio", content.getvalue(), "audio/wav", "")


def _whole(rate: Any) -> int:  # noqa: ANN401  (NumPy has whole numbers of its own)
    try:
        return 0 if isinstance(rate, bool) else index(rate)
    except TypeError:
        return 0


def _from_array(value: Any) -> Any:  # noqa: ANN401
    import numpy as np
    from PIL import Image

    array = np.asarray(value)
    if array.ndim < 2:  # noqa: PLR2004  (axes)
        raise ValueError("no picture, nor where one is")
    step = max(1, max(array.shape[:2]) // (4 * _SIDE))
    return Image.fromarray(np.ascontiguousarray(array[::step, ::step]))


def _player(kind: str, content: bytes, media: str, name: str) -> str:
    return (
        f'<{kind} controls preload="metadata" title="{name}" style="max-width:256px" '
        f'src="{_inline(content, media)}"></{kind}>'
    )


def _inline(content: bytes, media: str) -> str:
    return f"data:{media};base64,{base64.b64encode(content).decode()}"
