"""A client of Milvus: of a server, or of a file that milvus-lite serves."""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from plugin_spec.spaces import EmbeddingSpace
from plugin_spec.vector_stores import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymilvus import MilvusClient

SPACE: Final = "towhee.space"
"""The collection's property that names the space of its vectors."""

_ADDRESS: Final = re.compile(r"(https?|tcp|unix)://|unix:")


def is_file(uri: str) -> bool:
    """Whether milvus-lite serves it, rather than a server.

    >>> is_file("photos.db"), is_file("http://localhost:19530")
    (True, False)
    """
    return _ADDRESS.match(uri) is None


def connect(uri: str) -> MilvusClient:
    """Open a file or reach a server, with the token that ``MILVUS_TOKEN`` holds.

    :raises StoreUnavailable: with the client's reason.
    """
    if is_file(uri) and not uri.endswith(".db"):
        raise StoreUnavailable(
            f"`{uri}` is no place for Milvus",
            hint="Name a file that ends with `.db`, or an address like "
            "`http://localhost:19530`",
        )
    from pymilvus import MilvusClient  # noqa: PLC0415  (only who has a store has it)
    from pymilvus.exceptions import MilvusException  # noqa: PLC0415  (likewise)

    try:
        with quietly():
            return MilvusClient(uri, token=os.environ.get("MILVUS_TOKEN", ""))
    except MilvusException as error:
        raise StoreUnavailable(
            f"Cannot open `{uri}`: {error.message}",
            hint="Its folder has to be there, and one process at a time has the file"
            if is_file(uri)
            else "Start the server, and set `MILVUS_TOKEN` if it wants one",
        ) from error


def held_space(client: MilvusClient, collection: str) -> EmbeddingSpace | None:
    """The space that a collection says its vectors are of.

    :raises InvalidSpace: if it says what cannot be read.
    """
    said = client.describe_collection(collection)["properties"].get(SPACE)
    return None if said is None else EmbeddingSpace.from_json(said)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the client from logging errors that are raised anyway."""
    logger = logging.getLogger("pymilvus")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
