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
_MOST: Final = 2**15 - 1
"""Frames a second, or seconds a frame: FFmpeg's fractions have 32 bits."""


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
    if not 1 / _MOST <= fps <= _MOST:
        raise ValueError(f"fps is {fps!r}, and has to be from 1/{_MOST} to {_MOST}")
    rate = Fraction(float(fps)).limit_denominator(_MOST)
    checked = _checked(frames)
    with replacing(path) as staged:
        try:
            _encode(staged, checked, rate, name, Path(path))
        except av.FFmpegError as error:
            raise _unfit(Path(path), name, error) from error


def _encode(
    staged: Path, frames: Iterator[NDArray[Any]], fps: Fraction, codec: str, path: Path
) -> None:
    import av  # noqa: PLC0415  (as above)

    with _opened(staged, path.suffix) as container:
        first = next(frames, None)
        if first is None:
            raise UnwritableValue("there is no frame to write")
        try:
            stream: Any = container.add_stream(codec, rate=fps)
        except (TypeError, ValueError) as error:
            # Sound takes no fraction; a kind of file has codecs of its own.
            raise _unfit(path, codec, error) from error
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = _pixels(stream.codec, first)
        while first is not None:
            frame = av.VideoFrame.from_ndarray(first, format="rgb24")
            container.mux(stream.encode(frame))
            first = next(frames, None)
        container.mux(stream.encode(None))


def _unfit(path: Path, codec: str, error: Exception) -> UnwritableValue:
    return UnwritableValue(
        f"`{path}` cannot hold these frames as `{codec}`: {error}",
        hint="Give another `codec`, another ending, or frames of another size",
    )


def _opened(path: Path, ending: str) -> Any:  # noqa: ANN401  (PyAV's)
    import av  # noqa: PLC0415  (as above)

    hint = "Give a name that ends in `.mp4`, `.mkv`, `.webm` or `.gif`"
    try:
        container: Any = av.open(path, "w")
    except ValueError as error:
        raise UnwritableValue(
            f"no kind of video ends in `{ending}`", hint=hint
        ) from error
    if container.format.flags & av.format.Flags.no_file.value:
        container.close()
        # What lies beside it would have the staged name, and never move.
        raise UnwritableValue(f"`{ending}` is no video in one file", hint=hint)
    return container


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
        try:
            array = np.asarray(frame)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UnwritableValue(f"row {number} is no frame: {error}") from error
        size = size or array.shape
        fits = array.shape == size and array.shape[2:] == (3,) and array.size > 0
        if array.dtype != np.uint8 or not fits:
            raise UnwritableValue(
                f"row {number} is {array.dtype} of shape {array.shape}, and frames are "
                f"uint8 of shape (height, width, 3), all of one size"
            )
        yield np.ascontiguousarray(array)
