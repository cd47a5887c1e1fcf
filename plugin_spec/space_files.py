"""What a file of vectors says of their space.

A Parquet file has it in its metadata, by column. An ``.npy`` file holds numbers and
nothing else: ``.files.json`` beside it, which `hub run` writes, has it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from plugin_spec.spaces import EmbeddingSpace, InvalidSpace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PARQUET_KEY: Final = b"towhee.spaces"
"""JSON: spaces by the columns that hold their vectors."""

_LARGEST: Final = 1 << 28
"""Bytes: what is larger was written by nobody that we know."""


def beside(path: Path) -> Path:
    """Where what is known of an ``.npy`` file stands."""
    return path.with_suffix(".files.json")


def parquet_metadata(spaces: Mapping[str, EmbeddingSpace]) -> dict[bytes, bytes]:
    """What goes into a file's metadata; nothing if no space is known."""
    if not spaces:
        return {}
    said = {column: space.to_dict() for column, space in spaces.items()}
    return {PARQUET_KEY: json.dumps(said).encode()}


def parquet_spaces(
    path: str, metadata: Mapping[bytes, bytes] | None
) -> dict[str, EmbeddingSpace]:
    """Spaces by column, as a file's metadata say.

    Those of its Arrow schema are a part of them: not what was said after the rows.

    >>> space = EmbeddingSpace("acme/embed", "tiny", "sha256:00")
    >>> parquet_spaces("a.parquet", parquet_metadata({"v": space})) == {"v": space}
    True

    :raises InvalidSpace: if they say what cannot be read.
    """
    text = (metadata or {}).get(PARQUET_KEY)
    if text is None:
        return {}
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise InvalidSpace(f"The metadata of `{path}` name no spaces by column")
    return {name: EmbeddingSpace.from_dict(each) for name, each in said.items()}


def numpy_space(path: Path, count: int) -> EmbeddingSpace | None:
    """The space of an ``.npy`` file's vectors, as the file beside it says.

    :param count: of the vectors; a file beside of another count is of other vectors.
    :raises InvalidSpace: if it says what cannot be read.
    """
    file = beside(path)
    if not file.is_file() or file.stat().st_size > _LARGEST:
        return None
    try:
        said = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return None
    files = said.get("files") if isinstance(said, dict) else None
    if not isinstance(files, list) or len(files) != count:
        return None
    space = said.get("space")
    return None if space is None else EmbeddingSpace.from_dict(space)
