"""Pictures of a camera, as they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError
from towhee.extras import needed_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray


class MissingCamera(HubError, OSError):
    """No camera answers at a device."""


@dataclass(frozen=True, slots=True, repr=False)
class CameraRows:
    """Pictures, RGB, uint8, (height, width, 3), until the camera gives no more."""

    device: int | str = 0
    limit: int | None = None

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Open the device, and take a picture whenever one is asked for."""
        with needed_for("Reading a camera", extra="camera"):
            import cv2
        capture = cv2.VideoCapture(self.device)
        try:
            if not capture.isOpened():
                raise MissingCamera(
                    f"No camera answers at device `{self.device}`",
                    hint="Give the number of another, or the path of its device",
                )
            yield from _pictures(capture, cv2, self.limit)
        finally:
            capture.release()

    def __repr__(self) -> str:
        return f"<camera {self.device}>"


def _pictures(
    capture: Any,  # noqa: ANN401  (OpenCV has no types)
    cv2: Any,  # noqa: ANN401
    limit: int | None,
) -> Iterator[NDArray[np.uint8]]:
    taken = 0
    while limit is None or taken < limit:
        there, picture = capture.read()
        if not there:
            return
        taken += 1
        yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
