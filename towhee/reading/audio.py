"""Sound, a piece at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towhee.columns import Entity
from towhee.reading.container import opened
from towhee.reading.files import FileRows

if TYPE_CHECKING:
    from collections.abc import Iterator


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
            resampler = av.AudioResampler(format="fltp", rate=rate)
            fifo = av.AudioFifo()
            for frame in _resampled(container.decode(stream), resampler):
                fifo.write(frame)
                while size and fifo.samples >= size:
                    yield _piece(fifo.read(size), rate, given)
                    given += size
            if fifo.samples:
                yield _piece(fifo.read(), rate, given)


def _resampled(frames: Iterator[Any], resampler: Any) -> Iterator[Any]:  # noqa: ANN401
    for frame in frames:
        yield from map(_without_time, resampler.resample(frame))
    yield from map(_without_time, resampler.resample(None))


def _without_time(frame: Any) -> Any:  # noqa: ANN401
    # Samples are counted here; a file's own times have gaps that a queue would refuse.
    frame.pts = None
    return frame


def _piece(frame: Any, rate: int, first: int) -> Entity:  # noqa: ANN401
    return Entity(samples=frame.to_ndarray(), rate=rate, time=first / rate)
