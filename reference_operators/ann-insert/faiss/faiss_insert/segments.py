"""Files of vectors: one a batch, merged as they become many."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import faiss

from plugin_spec.vector_stores import StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from plugin_spec.records import Vector

    from .catalogue import Segment, Writer

_MANY: Final = 16
"""Files of about one size that become one: a vector is rewritten a few times in all."""


def write_segment(folder: Path, first: int, vectors: Vector, metric: str) -> str:
    """Write vectors as an index that faiss reads, complete before it has its name.

    :returns: the file's name in the folder.
    """
    kind = faiss.METRIC_L2 if metric == "L2" else faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexFlat(vectors.shape[1], kind)
    index.add(vectors)
    return _write(folder, first, index)


def merge_small(folder: Path, writer: Writer, *, fewest: int = 0) -> list[str]:
    """Merge the newest files while there are many of about their size.

    :param fewest: merge all, if they are so many; 0 merges small ones only.
    :returns: files that count no more once the transaction is over.
    """
    merged: list[str] = []
    while run := _run(writer.segments, fewest):
        index = faiss.read_index(str(folder / run[0].file))
        for segment in run[1:]:
            index.merge_from(faiss.read_index(str(folder / segment.file)), 0)
        writer.merge(run, _write(folder, run[0].first, index))
        merged += [segment.file for segment in run]
    return merged


def _run(segments: list[Segment], fewest: int) -> list[Segment]:
    if fewest:
        return segments if len(segments) >= fewest else []
    largest = _MANY * segments[-1].count if segments else 0
    run: list[Segment] = []
    for segment in reversed(segments):
        if segment.count >= largest:
            break
        run.insert(0, segment)
    return run if len(run) >= _MANY else []


def _write(folder: Path, first: int, index: faiss.Index) -> str:
    name = f"{first:012}-{first + index.ntotal:012}.faiss"
    staged = folder / f".{name}.tmp"
    try:
        faiss.write_index(index, str(staged))
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        staged.replace(folder / name)
    except (OSError, RuntimeError) as error:
        staged.unlink(missing_ok=True)
        # What the system said stands at the end, in brackets.
        said = str(error).rpartition("(")[2].rstrip(")")
        raise StoreUnavailable(f"Cannot write to `{folder}`: {said}") from error
    return name
