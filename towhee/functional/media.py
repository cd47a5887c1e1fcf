"""Collections made of videos, sound and cameras."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from towhee.functional.core import Core
from towhee.functional.limits import positive, whole
from towhee.reading.audio import AudioRows
from towhee.reading.camera import CameraRows
from towhee.reading.files import existing
from towhee.reading.video import VideoRows

if TYPE_CHECKING:
    from typing import Self

    from towhee.reading.files import PathLike

_HIGHEST: Final = 768_000
"""Samples a second; no sound has more, and far more fill the memory."""


class Media(Core):
    """Ways to make a collection of what is seen or heard, piece by piece."""

    __slots__ = ()

    @classmethod
    def read_video(cls, path: PathLike, *, timestamps: bool = False) -> Self:
        """Stream the frames of a video: RGB, uint8, (height, width, 3), upright.

        Needs PyAV, which the extra ``video`` brings.

        >>> DataCollection.read_video("holiday.mp4")
        Traceback (most recent call last):
        ...
        towhee.reading.files.MissingFile: There is no file `holiday.mp4` in ...

        :param timestamps: give rows with columns: ``frame``, and ``time`` in seconds.
        :raises MissingFile: at once.
        :raises UnreadableFile: when it is read, if there is no video in it.
        """
        return cls(VideoRows(existing(path), timestamps))

    @classmethod
    def read_audio(
        cls,
        path: PathLike,
        *,
        seconds: float | None = 1.0,
        rate: int | None = None,
    ) -> Self:
        """Stream sound in pieces, with the columns ``samples``, ``rate`` and ``time``.

        Samples are float32, (channels, length), within -1 and 1. ``time`` is where the
        piece begins, in seconds. Needs PyAV, which the extra ``video`` brings.

        >>> DataCollection.read_audio("bell.wav", seconds=0)
        Traceback (most recent call last):
        ...
        ValueError: seconds is 0, and has to be a number above 0

        :param seconds: how long a piece is, the last one but for what remains; None for
            all of it in one row.
        :param rate: samples a second, if they are to be another number than there are.
        :raises MissingFile: at once.
        :raises UnreadableFile: when it is read, if there is no sound in it.
        """
        if seconds is not None:
            positive("seconds", seconds)
        if rate is not None and (rate := whole("rate", rate)) > _HIGHEST:
            raise ValueError(f"rate is {rate}, and has to be {_HIGHEST} or less")
        return cls(AudioRows(existing(path), seconds, rate))

    @classmethod
    def read_camera(cls, device: int | str = 0, limit: int | None = None) -> Self:
        """Stream what a camera sees: RGB, uint8, (height, width, 3).

        Needs OpenCV, which the extra ``camera`` brings.

        >>> DataCollection.read_camera(limit=100).is_stream
        True

        :param device: its number, or its path.
        :param limit: how many pictures to take; None for as many as it gives.
        :raises MissingCamera: when pictures are asked for, if there is none.
        """
        if limit is not None:
            whole("limit", limit, least=0)
        # OpenCV ends the process at a number below 0.
        if not isinstance(device, str | PurePath):
            device = whole("device", device, least=0)
        return cls(CameraRows(device, limit))
