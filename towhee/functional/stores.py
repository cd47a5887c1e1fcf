"""Vectors into stores, where another process finds them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from towhee.functional.core import Core

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from towhee.vectors.filling import Filling, Kind
    from towhee.vectors.job import Written


class Stores(Core):
    """Fill stores of vectors, which ``ann_search`` searches.

    A row is a vector; or a tuple of id, vector and perhaps a mapping of metadata; or it
    has columns. Batches are written while later rows are computed. Calling the method
    again goes on after the last row that was written: after a kill, or with rows that
    came after. It refuses another pipeline or another source.
    """

    __slots__ = ()

    def to_faiss(
        self, path: str | os.PathLike[str], **options: Unpack[Filling]
    ) -> Written:
        """Write to a folder of faiss files.

        >>> photos = DataCollection(["a.jpg"]).image_embedding_tiny()
        >>> photos.to_faiss("photos.faiss")  # doctest: +SKIP

        :param options: as ``towhee.vectors.filling.Filling`` lists them.
        :raises OperatorFailed: on a row that fails, once those before it are written.
        :raises AnotherJob: if the store was begun otherwise.
        """
        return self._fill("faiss", {"path": os.fspath(path)}, options)

    def to_lancedb(
        self,
        uri: str | os.PathLike[str],
        table: str,
        **options: Unpack[Filling],
    ) -> Written:
        """Write to a table of a LanceDB database.

        >>> photos = DataCollection(["a.jpg"]).image_embedding_tiny()
        >>> photos.to_lancedb("stores", "photos")  # doctest: +SKIP

        :param uri: a folder, or what ``lancedb.connect`` takes.
        :param options: as ``towhee.vectors.filling.Filling`` lists them.
        :raises OperatorFailed: on a row that fails, once those before it are written.
        :raises AnotherJob: if the table was begun otherwise.
        """
        return self._fill("lancedb", {"uri": os.fspath(uri), "table": table}, options)

    def to_milvus(
        self,
        uri: str | os.PathLike[str],
        collection: str,
        **options: Unpack[Filling],
    ) -> Written:
        """Write to a collection of Milvus.

        >>> photos = DataCollection(["a.jpg"]).image_embedding_tiny()
        >>> photos.to_milvus("photos.db", "photos")  # doctest: +SKIP

        :param uri: a file that ends with ``.db``, or a server's address.
        :param options: as ``towhee.vectors.filling.Filling`` lists them.
        :raises OperatorFailed: on a row that fails, once those before it are written.
        :raises AnotherJob: if the collection was begun otherwise.
        """
        place = {"uri": os.fspath(uri), "collection": collection}
        return self._fill("milvus", place, options)

    def _fill(self, kind: Kind, place: Mapping[str, object], how: Filling) -> Written:
        from towhee.vectors.filling import fill  # noqa: PLC0415  (for these alone)

        return fill(self._chain, kind, place, how)
