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
        # A colon in a name would make an address of it, and old tags are not UTF-8.
        with av.open(path.absolute(), metadata_errors="replace") as container:
            streams = getattr(container.streams, kind)
            if not streams:
                raise UnreadableFile(
                    f"`{path}` has no {kind}", hint=_other_way(container, kind)
                )
            yield container, streams[0]
    except av.FFmpegError as error:
        raise UnreadableFile(
            f"The {kind} of `{path}` cannot be read: {error.strerror}",
            hint=f"Make it again: it is damaged, or no {kind}"
            if isinstance(error, av.InvalidDataError)
            else None,
        ) from error


def _other_way(container: Any, kind: str) -> str | None:  # noqa: ANN401  (PyAV's)
    other = "audio" if kind == "video" else "video"
    there = getattr(container.streams, other)
    return f"Call `read_{other}`: it has {other}" if there else None
