"""Rows into files, and into pandas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from towhee.columnar.rows import in_batches
from towhee.functional.core import Core
from towhee.functional.limits import positive, whole
from towhee.maybe import values_of
from towhee.writing.csv_file import write_csv
from towhee.writing.frame import as_frame
from towhee.writing.parquet_file import write_parquet
from towhee.writing.progress import watched
from towhee.writing.video_file import write_video

if TYPE_CHECKING:
    from collections.abc import Iterator

    from towhee.writing.staging import PathLike


class Writing(Core):
    """Rows leave the chain, computed one after the other.

    Those that write a file write it beside its place, and give its path: a failure or
    Ctrl-C leaves no half file, and the old one as it was. On a terminal they show how
    far they are. A row that failed stops them, also if failures are kept: settle these
    first, with ``drop_empty`` or ``fill_empty``.
    """

    __slots__ = ()

    def to_csv(
        self, path: PathLike, *, delimiter: str = ",", encoding: str = "utf-8"
    ) -> Path:
        """Write a line for each row, columns' names before the first.

        >>> rows = DataCollection([("a.jpg", [1, 2])]).as_entity(["path", "size"])
        >>> print(rows.to_csv("photos.csv").read_text())
        path,size
        a.jpg,"[1, 2]"
        <BLANKLINE>

        Lists and arrays are written as JSON, None as nothing. Dicts are rows with
        columns. Rows without columns are lines of their values.

        :raises UnwritableValue: for a row with a column that the first one lacks, or
            with what has no form in text: bytes, and objects that say no more of
            themselves than ``repr`` does, such as what a search found.
        """
        rows = self._watched(path)
        write_csv(path, rows, delimiter=delimiter, encoding=encoding)
        return Path(path)

    def to_parquet(
        self,
        path: PathLike,
        *,
        row_group_size: int = 4096,
        schema: Any = None,  # noqa: ANN401  (pyarrow has no types)
        compression: str = "snappy",
    ) -> Path:
        """Write a Parquet file, a group of rows at a time; no more are held.

        >>> _ = DataCollection([1, 2]).as_entity("a").to_parquet("numbers.parquet")
        >>> DataCollection.from_parquet("numbers.parquet").to_list()
        [Entity(a=1), Entity(a=2)]

        The schema's metadata say which space the vectors in a column are of, where
        that is known.

        :param schema: a ``pyarrow.Schema``; if None, columns have the types that the
            first group's have. Floats are rounded to one that is given; nothing else
            is changed to fit.
        :raises UnwritableValue: naming the column that Arrow cannot hold, or that does
            not fit the schema.
        """
        from towhee.sources import column_spaces  # noqa: PLC0415  (as it is used)

        size = whole("row_group_size", row_group_size)
        if schema is not None and not hasattr(schema, "names"):
            raise TypeError(f"schema is {schema!r}, and has to be a `pyarrow.Schema`")
        chain = in_batches(self._chain, size, "to_parquet()").derive(is_stream=True)
        batches = watched(values_of(chain), f"Writing {Path(path).name}, in groups")
        spaces = column_spaces(self._chain.made())
        write_parquet(
            path, batches, schema=schema, compression=compression, spaces=spaces
        )
        return Path(path)

    def to_video(
        self, path: PathLike, fps: float = 25, codec: str | None = None
    ) -> Path:
        """Write a video of rows that are frames: RGB, uint8, (height, width, 3).

        >>> import numpy
        >>> frames = [numpy.full((32, 64, 3), shade, "uint8") for shade in range(9)]
        >>> video = DataCollection(frames).to_video("fade.mp4", fps=3)
        >>> len(DataCollection.read_video(video).to_list())
        9

        :param codec: as FFmpeg names it; ``libx264``, or what suits the ending.
        :raises UnwritableValue: for a row that is no frame, or of another size than the
            first.
        :raises ValueError: at once, if ``fps`` is not from 1/32767 to 32767.
        """
        positive("fps", fps)
        write_video(path, self._watched(path), fps=fps, codec=codec)
        return Path(path)

    def to_df(self) -> Any:  # noqa: ANN401  (pandas may not be there)
        """Compute every row, into a ``pandas.DataFrame``.

        >>> DataCollection([(1, "x")]).as_entity(["a", "b"]).to_df()
           a  b
        0  1  x

        Rows without columns are its column ``value``.
        """
        return as_frame(list(values_of(self)))

    @property
    def df(self) -> Any:  # noqa: ANN401
        """The rows as a ``pandas.DataFrame``, computed if they were not before.

        >>> DataCollection([1, 2]).as_entity("a").df["a"].sum()
        np.int64(3)
        """
        return self.to_df()

    def _watched(self, path: PathLike) -> Iterator[Any]:
        return watched(values_of(self), f"Writing {Path(path).name}")
