"""A client of Milvus: of a server, or of a file that milvus-lite serves."""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from plugin_spec.vector_stores import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADDRESS: Final = re.compile(r"(https?|tcp|unix)://|unix:")


def connect(uri: str) -> MilvusClient:
    """Open a file or reach a server, with the token that ``MILVUS_TOKEN`` holds.

    :raises StoreUnavailable: with the client's reason.
    """
    if not _ADDRESS.match(uri) and not uri.endswith(".db"):
        raise StoreUnavailable(
            f"`{uri}` is no place for Milvus",
            hint="Name a file that ends with `.db`, or an address like "
            "`http://localhost:19530`",
        )
    try:
        with quietly():
            return MilvusClient(uri, token=os.environ.get("MILVUS_TOKEN", ""))
    except MilvusException as error:
        is_file = not _ADDRESS.match(uri)
        raise StoreUnavailable(
            f"Cannot open `{uri}`: {error.message}",
            hint="Its folder has to be there, and one process at a time has the file"
            if is_file
            else "Start the server, and set `MILVUS_TOKEN` if it wants one",
        ) from error


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
