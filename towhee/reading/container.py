"""Containers of sound and pictures, opened through PyAV."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from towhee.extras import needed_for
from towhee.reading.files import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def opened(path: Path, kind: Literal["audio", "video"]) -> Iterator[tuple[Any, Any]]:
    """A container, and its first stream of that kind; closed at the end.

    :raises MissingExtra: without PyAV.
    :raises UnreadableFile: if the file is none, has no such stream, or is damaged.
    """
    with needed_for(f"Reading {kind}", extra="video"):
        import av  # noqa: PLC0415  (30 MB that only few chains need)
    try:
        with av.open(path) as container:
            streams = getattr(container.streams, kind)
            if not streams:
                raise UnreadableFile(f"`{path}` has no {kind}")
            yield container, streams[0]
    except av.FFmpegError as error:
        raise UnreadableFile(
            f"The {kind} of `{path}` cannot be read: {error.strerror}"
        ) from error
