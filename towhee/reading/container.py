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
    # Old tags are not UTF-8, which releases before 19 have to be told.
    before_19 = int(av.__version__.partition(".")[0]) < 19  # noqa: PLR2004
    lenient: dict[str, Any] = {"metadata_errors": "replace"} if before_19 else {}
    try:
        # A colon in a name would make an address of it.
        with av.open(path.absolute(), **lenient) as container:
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
