"""Files of vectors, each with the name of the file it came from."""

from __future__ import annotations

import errno
import json
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from hub_client.staging import NO_ROOM
from plugin_spec.errors import HubError
from plugin_spec.space_files import beside, parquet_metadata
from towhee.writing.staging import Staged, replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from numpy.typing import NDArray

    from plugin_spec.spaces import EmbeddingSpace

_ROW_GROUP: Final = 1024
_CUT_SHORT: Final = NO_ROOM | {errno.EFBIG}
"""What a write says, without a name, where it ends early."""


class UnwritableValue(HubError, ValueError):
    """A result that a file of this kind cannot hold."""


class MissingWriter(HubError, ImportError):
    """The package that writes this kind of file is not installed."""


class VectorFile(ABC):
    """A file being written. It takes its place when complete, and otherwise is gone."""

    suffix: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path
        # A link stays one, and what it leads to is replaced.
        self._staged = Staged(Path(os.path.realpath(path)))

    @abstractmethod
    def add(self, file: str, value: object) -> None:
        """Append one result.

        :raises UnwritableValue: and the file stays as it was.
        """

    @abstractmethod
    def complete(
        self,
        failures: Sequence[Mapping[str, str]],
        description: Mapping[str, object],
        space: EmbeddingSpace | None = None,
    ) -> None:
        """Write what comes last: which files failed, and what made the vectors."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the staged file."""

    def publish(self) -> None:
        """Put the complete file in its place."""
        self.close()
        self._staged.publish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            # What a full disk had no room for is written once more here, in vain.
            self.close()
        except OSError:
            if error is None:
                raise
        finally:
            self._staged.discard()
        if isinstance(error, OSError) and error.errno in _CUT_SHORT:
            error.filename = str(self.path)


class NumpyFile(VectorFile):
    """``.npy``, and a ``.files.json`` that says which row came from which file."""

    suffix = ".npy"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = self._staged.path.open("wb+")
        self._files: list[str] = []
        self._row: NDArray[Any] | None = None

    def add(self, file: str, value: object) -> None:
        """Append the array's bytes."""
        array = _as_array(value)
        if self._row is None:
            self._row = array
            self._write_header()
        _check_alike(array, self._row, self.suffix)
        self._file.write(array.tobytes())
        self._files.append(file)

    def complete(
        self,
        failures: Sequence[Mapping[str, str]],
        description: Mapping[str, object],
        space: EmbeddingSpace | None = None,
    ) -> None:
        """Correct the header's number of rows, and write the names beside."""
        # numpy leaves room in a header for the number of rows to grow.
        self._file.seek(0)
        self._write_header()
        content = {
            "files": self._files,
            "failures": list(failures),
            "description": description,
            **({} if space is None else {"space": space.to_dict()}),
        }
        text = json.dumps(content, indent=2) + "\n"
        with replacing(beside(self.path)) as staged:
            staged.write_text(text, encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write_header(self) -> None:
        from numpy.lib import format as npy

        assert self._row is not None
        header = {
            "descr": npy.dtype_to_descr(self._row.dtype),
            "fortran_order": False,
            "shape": (len(self._files), *self._row.shape),
        }
        npy.write_array_header_1_0(self._file, header)


class JsonLinesFile(VectorFile):
    """``.jsonl``: one object a line, with ``file`` and ``embedding``."""

    suffix = ".jsonl"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = self._staged.path.open("w", encoding="utf-8", newline="\n")

    def add(self, file: str, value: object) -> None:
        """Append a line."""
        row = {"file": file, "embedding": _as_array(value).tolist()}
        self._file.write(json.dumps(row) + "\n")

    def complete(
        self,
        failures: Sequence[Mapping[str, str]],
        description: Mapping[str, object],
        space: EmbeddingSpace | None = None,
    ) -> None:
        """Write nothing: every line stands for itself."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ParquetFile(VectorFile):
    """``.parquet``: columns ``file`` and ``embedding``; the rest in the metadata."""

    suffix = ".parquet"

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow.parquet  # noqa: F401  (only who asks for it has it)
        except ImportError as error:
            raise MissingWriter(
                "`.parquet` files need pyarrow, which is not installed",
                hint="Install `towhee-hub[parquet]`, or write `.npy` or `.jsonl`",
            ) from error
        super().__init__(path)
        self._writer: Any = None
        self._pending: list[tuple[str, NDArray[Any]]] = []
        self._row: NDArray[Any] | None = None

    def add(self, file: str, value: object) -> None:
        """Append to the group of rows that is written next."""
        array = _as_array(value)
        if array.ndim != 1:
            raise UnwritableValue(
                f"an array of shape {array.shape} is no vector, and `.parquet` files "
                "hold vectors; `.npy` and `.jsonl` take any shape"
            )
        self._row = array if self._row is None else self._row
        _check_alike(array, self._row, self.suffix)
        self._pending.append((file, array))
        if len(self._pending) == _ROW_GROUP:
            self._write_group()

    def complete(
        self,
        failures: Sequence[Mapping[str, str]],
        description: Mapping[str, object],
        space: EmbeddingSpace | None = None,
    ) -> None:
        """Write the last rows, and the description as JSON under ``towhee``."""
        self._write_group()
        content = {"description": description, "failures": list(failures)}
        spaces = {} if space is None else {"embedding": space}
        said = {b"towhee": json.dumps(content).encode(), **parquet_metadata(spaces)}
        self._writer.add_key_value_metadata(said)

    def close(self) -> None:
        """Close the writer."""
        if self._writer is not None:
            self._writer.close()

    def _write_group(self) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        if not self._pending:
            return
        files, arrays = zip(*self._pending, strict=True)
        size, dtype = arrays[0].size, pa.from_numpy_dtype(arrays[0].dtype)
        values = pa.concat_arrays([pa.array(each, type=dtype) for each in arrays])
        vectors = pa.FixedSizeListArray.from_arrays(values, size)
        table = pa.table({"file": list(files), "embedding": vectors})
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._staged.path, table.schema)
        self._writer.write_table(table)
        self._pending.clear()


KINDS: Final[Mapping[str, type[VectorFile]]] = {
    kind.suffix: kind for kind in (NumpyFile, ParquetFile, JsonLinesFile)
}
"""Kinds of files by suffix."""


def _as_array(value: object) -> NDArray[Any]:
    import numpy as np

    try:
        array = np.asarray(value, order="C")
    except ValueError:  # rows of different lengths
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "biuf":
        raise UnwritableValue(
            f"the result is a `{type(value).__name__}`, not an array of numbers"
        )
    return array


def _check_alike(array: NDArray[Any], first: NDArray[Any], suffix: str) -> None:
    if (array.shape, array.dtype) != (first.shape, first.dtype):
        raise UnwritableValue(
            f"the result is {array.dtype} of shape {array.shape}, the first one was "
            f"{first.dtype} of shape {first.shape}, and `{suffix}` files hold arrays "
            "of one shape; `.jsonl` takes any"
        )
