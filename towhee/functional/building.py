"""Collections made of what there is: numbers, files, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from towhee.columns import distinct_names
from towhee.functional.core import Core
from towhee.functional.limits import whole
from towhee.reading.csv_file import CsvRows
from towhee.reading.files import existing
from towhee.reading.json_file import JsonRows
from towhee.reading.table import FrameRows, ParquetRows, TableRows, entities
from towhee.reading.zip_archive import MEMBER_LIMIT, ZipRows
from towhee.rows import matching_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from towhee.reading.files import PathLike


class Building(Core):
    """Ways to make a collection.

    Those that read files are streams, which read them anew each time they are asked
    for, and keep them open no longer than that. A file that is not there is refused at
    once, one that holds something else when it is read.
    """

    __slots__ = ()

    @classmethod
    def range(cls, *bounds: int) -> Self:
        """Stream the numbers that ``range`` gives.

        >>> DataCollection.range(2, 5).to_list()
        [2, 3, 4]
        """
        return cls(range(*bounds)).stream()

    @classmethod
    def from_glob(cls, *patterns: PathLike) -> Self:
        """Stream the paths of the files that match, sorted.

        >>> DataCollection.from_glob("photographs/*.jpg")
        Traceback (most recent call last):
        ...
        towhee.rows.EmptyGlob: No file matches `photographs/*.jpg` in ...

        :raises EmptyGlob: at once, if no file does.
        """
        return cls(matching_files(patterns)).stream()

    @classmethod
    def read_csv(
        cls,
        path: PathLike,
        *,
        columns: Iterable[str] | None = None,
        delimiter: str = ",",
        encoding: str = "utf-8-sig",
    ) -> Self:
        r"""Stream the lines of a CSV file as rows with columns, all of them text.

        >>> from pathlib import Path
        >>> _ = Path("photos.csv").write_text("path,size\na.jpg,3\n")
        >>> DataCollection.read_csv("photos.csv").to_list()
        [Entity(path='a.jpg', size='3')]

        :param columns: the columns' names, if the first line does not have them.
        :raises MissingFile: at once.
        :raises UnreadableFile: for the first line with more or fewer fields, or with a
            field of more than 64 Mi characters.
        """
        names = None if columns is None else distinct_names(columns)
        return cls(CsvRows(existing(path), names, delimiter, encoding))

    @classmethod
    def read_json(
        cls, path: PathLike, at: str = "", *, encoding: str = "utf-8-sig"
    ) -> Self:
        """Stream the items of a JSON array, or the values of a file with one a line.

        >>> from pathlib import Path
        >>> _ = Path("photos.json").write_text('{"found": [{"path": "a.jpg"}]}')
        >>> DataCollection.read_json("photos.json", at="found").to_list()
        [Entity(path='a.jpg')]

        Objects become rows with columns. Lines are read as they are asked for; an array
        is read as a whole.

        :param at: where in the document the array is, as in ``results.0.photos``.
        :raises MissingFile: at once.
        :raises UnreadableFile: for what is not JSON, with its line.
        """
        place = tuple(str(at).split(".")) if at != "" else ()
        return cls(JsonRows(existing(path), place, encoding))

    from_json = read_json

    @classmethod
    def read_zip(
        cls,
        path: PathLike,
        pattern: str = "*",
        *,
        names: bool = False,
        limit: int = MEMBER_LIMIT,
    ) -> Self:
        """Stream the bytes of the files in a zip archive whose names match.

        >>> from zipfile import ZipFile
        >>> with ZipFile("photos.zip", "w") as archive:
        ...     archive.writestr("2024/a.jpg", b"...")
        >>> DataCollection.read_zip("photos.zip", "*.jpg", names=True).to_list()
        [('2024/a.jpg', b'...')]

        Nothing is written to disk.

        :param pattern: as of a shell, but ``*`` matches folders as well.
        :param names: give pairs of name and bytes.
        :param limit: the most bytes that one file may unpack to.
        :raises MissingFile: at once.
        :raises UnreadableFile: if no file matches, or one is damaged or too large.
        """
        whole("limit", limit)
        return cls(ZipRows(existing(path), pattern, names, limit))

    @classmethod
    def from_df(cls, frame: Any) -> Self:  # noqa: ANN401  (pandas may not be there)
        """The rows of a pandas DataFrame, with its columns.

        >>> import pandas
        >>> rows = DataCollection.from_df(pandas.DataFrame({"a": [1, 2]}))
        >>> len(rows), rows[1]
        (2, Entity(a=2))

        What is done to the frame afterwards does not change them.

        :raises InvalidColumns: if two columns have one name.
        :raises TypeError: for what is no frame.
        """
        return cls(FrameRows.of(frame))

    @classmethod
    def from_arrow(cls, source: Any) -> Self:  # noqa: ANN401  (pyarrow has no types)
        """The rows of an Arrow table, or a stream of those of record batches.

        >>> import pyarrow
        >>> DataCollection.from_arrow(pyarrow.table({"a": [1, 2]})).to_list()
        [Entity(a=1), Entity(a=2)]

        :param source: a table, a batch, a reader of batches, or an iterable of them.
            Lists of floats of one length, and tensors, come as numpy arrays.
        :raises InvalidColumns: when they are read, if two columns have one name.
        :raises TypeError: for anything else.
        """
        if hasattr(source, "num_rows"):
            return cls(TableRows.of(source))
        if not hasattr(source, "__iter__"):
            raise TypeError(f"`from_arrow` takes a table or batches, not {source!r}")
        return cls(row for batch in source for row in entities(batch))

    @classmethod
    def from_parquet(
        cls,
        path: PathLike,
        *,
        columns: Iterable[str] | None = None,
        batch_size: int = 1024,
    ) -> Self:
        """Stream the rows of a Parquet file, keeping no more than a batch of them.

        >>> import pyarrow, pyarrow.parquet
        >>> pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2]}), "rows.parquet")
        >>> DataCollection.from_parquet("rows.parquet").to_list()
        [Entity(a=1), Entity(a=2)]

        :param columns: those to read; all, if left out.
        :raises MissingFile: at once.
        :raises MissingColumn: when it is read.
        """
        names = None if columns is None else distinct_names(columns)
        size = whole("batch_size", batch_size)
        return cls(ParquetRows(existing(path), names, size))

    read_parquet = from_parquet
