"""Frames of a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towhee.columns import Entity
from towhee.reading.container import opened
from towhee.reading.files import FileRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, repr=False)
class VideoRows(FileRows):
    """Frames as they are shown: RGB, uint8, (height, width, 3), upright."""

    timestamps: bool = False
    """Whether rows have the columns ``frame`` and ``time``, in seconds."""

    def __iter__(self) -> Iterator[NDArray[np.uint8] | Entity]:
        """Decode one frame after the other."""
        with opened(self.path, "video") as (container, stream):
            for frame in container.decode(stream):
                image = _upright(frame)
                if self.timestamps:
                    yield Entity(frame=image, time=frame.time)
                else:
                    yield image


def _upright(frame: Any) -> NDArray[np.uint8]:  # noqa: ANN401  (a frame of PyAV's)
    import numpy as np

    image: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    # Telephones turn the picture by a note in the file, a quarter or more, to the left.
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
