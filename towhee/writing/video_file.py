"""Frames into a video, through PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from towhee.extras import needed_for
from towhee.vector_files import UnwritableValue
from towhee.writing.staging import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from towhee.writing.staging import PathLike

_CODECS: Final[Mapping[str, str]] = {".webm": "libvpx-vp9", ".gif": "gif"}
_CODEC: Final = "libx264"
"""Of files with any other ending."""


def write_video(
    path: PathLike, frames: Iterable[object], *, fps: float, codec: str | None
) -> None:
    """Encode one frame after the other.

    :param frames: RGB, uint8, (height, width, 3), all of one size.
    :param codec: as FFmpeg names it; that which suits the ending, if None.
    :raises UnwritableValue: for anything else, with its number, and if there is none.
    """
    with needed_for("Writing video", extra="video"):
        import av  # noqa: PLC0415  (30 MB that only few chains need)
        import numpy as np  # noqa: F401  (by which it makes frames)
    name = codec or _CODECS.get(Path(path).suffix.lower(), _CODEC)
    checked = _checked(frames)
    with replacing(path) as staged:
        try:
            _encode(staged, checked, Fraction(fps).limit_denominator(65535), name)
        except (av.FFmpegError, av.codec.codec.UnknownCodecError) as error:
            raise UnwritableValue(
                f"`{path}` cannot hold these frames as `{name}`: {error}"
            ) from error


def _encode(
    path: Path, frames: Iterator[NDArray[Any]], fps: Fraction, codec: str
) -> None:
    import av  # noqa: PLC0415  (as above)

    with _opened(path) as container:
        first = next(frames, None)
        if first is None:
            raise UnwritableValue("there is no frame to write")
        stream: Any = container.add_stream(codec, rate=fps)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = _pixels(stream.codec, first)
        while first is not None:
            frame = av.VideoFrame.from_ndarray(first, format="rgb24")
            container.mux(stream.encode(frame))
            first = next(frames, None)
        container.mux(stream.encode(None))


def _opened(path: Path) -> Any:  # noqa: ANN401  (PyAV's)
    import av  # noqa: PLC0415  (as above)

    try:
        return av.open(path, "w")
    except ValueError as error:
        raise UnwritableValue(f"no kind of video ends in `{path.suffix}`") from error


def _pixels(codec: Any, frame: NDArray[Any]) -> str:  # noqa: ANN401  (PyAV's)
    """The form of pixels that most players know; it takes even sizes only."""
    known = [each.name for each in codec.video_formats or ()]
    odd = frame.shape[0] % 2 or frame.shape[1] % 2
    wanted = "yuv444p" if odd else "yuv420p"
    return wanted if wanted in known or not known else known[0]


def _checked(frames: Iterable[object]) -> Iterator[NDArray[Any]]:
    import numpy as np

    size = None
    for number, frame in enumerate(frames):
        array = np.asarray(frame)
        size = size or array.shape
        if array.dtype != np.uint8 or array.shape != size or array.shape[2:] != (3,):
            raise UnwritableValue(
                f"row {number} is {array.dtype} of shape {array.shape}, and frames are "
                f"uint8 of shape (height, width, 3), all of one size"
            )
        yield np.ascontiguousarray(array)
