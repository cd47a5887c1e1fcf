"""Sound, a piece at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towhee.columns import Entity
from towhee.reading.container import opened
from towhee.reading.files import FileRows, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True, repr=False)
class AudioRows(FileRows):
    """Pieces of equal length; the last one is what remains.

    Their columns are ``samples``, float32, (channels, length), within -1 and 1;
    ``rate``, samples a second; and ``time``, where they begin, in seconds.
    """

    seconds: float | None = 1.0
    """How long a piece is; None for the whole of it."""
    rate: int | None = None
    """Samples a second, for another number than the file has."""

    def __iter__(self) -> Iterator[Entity]:
        """Decode a piece at a time."""
        with opened(self.path, "audio") as (container, stream):
            import av  # noqa: PLC0415  (which just opened the file)

            rate, given = self.rate or stream.rate, 0
            size = 0 if self.seconds is None else max(1, round(self.seconds * rate))
            # All channels in one plane: of eight or more planes PyAV loses some.
            resampler = av.AudioResampler(format="flt", rate=rate)
            fifo = av.AudioFifo()
            frames = _alike(container.decode(stream), self.path)
            for frame in _resampled(frames, resampler):
                fifo.write(frame)
                while size and fifo.samples >= size:
                    yield _piece(fifo.read(size), rate, given)
                    given += size
            if fifo.samples:
                yield _piece(fifo.read(), rate, given)


def _alike(frames: Iterator[Any], path: Path) -> Iterator[Any]:
    first = None
    for frame in frames:
        form = (frame.sample_rate, frame.layout.nb_channels)
        first = first or form
        if form != first:
            raise UnreadableFile(
                f"The audio of `{path}` has {first[1]} channels at {first[0]} Hz, and "
                f"later {form[1]} at {form[0]} Hz",
                hint="Make files of its parts, and read each of them",
            )
        yield frame


def _resampled(frames: Iterator[Any], resampler: Any) -> Iterator[Any]:  # noqa: ANN401
    for frame in frames:
        yield from map(_without_time, resampler.resample(frame))
    yield from map(_without_time, resampler.resample(None))


def _without_time(frame: Any) -> Any:  # noqa: ANN401
    # Samples are counted here; a file's own times have gaps that a queue would refuse.
    frame.pts = None
    return frame


def _piece(frame: Any, rate: int, first: int) -> Entity:  # noqa: ANN401
    import numpy as np

    channels = frame.layout.nb_channels
    samples = np.ascontiguousarray(frame.to_ndarray().reshape(-1, channels).T)
    return Entity(samples=samples, rate=rate, time=first / rate)
