"""A client of Milvus: of a server, or of a file that milvus-lite serves."""

from __future__ import annotations

import logging
import os
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.spaces import EmbeddingSpace
from plugin_spec.vector_stores import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymilvus import MilvusClient

SPACE: Final = "towhee.space"
"""The collection's property that names the space of its vectors."""

_CONNECT_FAILED: Final = 2
"""Milvus's code for a server that does not answer."""

_ADDRESS: Final = re.compile(r"(https?|tcp|unix)://|unix:")


def is_file(uri: str) -> bool:
    """Whether milvus-lite serves it, rather than a server.

    >>> is_file("photos.db"), is_file("http://localhost:19530")
    (True, False)
    """
    return _ADDRESS.match(uri) is None


class Client:
    """A client of Milvus that says when it cannot reach its server, and is quiet."""

    def __init__(self, uri: str, client: MilvusClient) -> None:
        self._uri, self._client = uri, client

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (the client's own)
        """A method of the client's.

        :raises StoreUnavailable: when it is called, if nothing answers.
        """
        method = getattr(self._client, name)

        def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  (likewise)
            from pymilvus.exceptions import MilvusException  # noqa: PLC0415

            try:
                with _quietly():
                    return method(*arguments, **options)
            except MilvusException as error:
                if error.code != _CONNECT_FAILED:
                    raise
                raise _unavailable(self._uri, error.message) from error

        return call


def connect(uri: str) -> Client:
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
        with _quietly():
            client = MilvusClient(uri, token=os.environ.get("MILVUS_TOKEN", ""))
    except MilvusException as error:
        raise _unavailable(uri, error.message) from error
    return Client(uri, client)


def held_space(client: Client, collection: str) -> EmbeddingSpace | None:
    """The space that a collection says its vectors are of.

    :raises InvalidSpace: if it says what cannot be read.
    """
    said = client.describe_collection(collection)["properties"].get(SPACE)
    return None if said is None else EmbeddingSpace.from_json(said)


def _unavailable(uri: str, reason: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"Cannot open `{uri}`: {reason}",
        hint="Its folder has to be there, and one process at a time has the file"
        if is_file(uri)
        else "Start the server, and set `MILVUS_TOKEN` if it wants one",
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the client from logging errors that are raised anyway."""
    logger = logging.getLogger("pymilvus")
    with _CALLS.lock:
        _CALLS.running += 1
        if _CALLS.running == 1:
            _CALLS.level = logger.level
            logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        with _CALLS.lock:
            _CALLS.running -= 1
            if not _CALLS.running:
                logger.setLevel(_CALLS.level)


class _Calls:
    """How many threads ask to be quiet, and what to go back to after the last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running, self.level = 0, logging.NOTSET


_CALLS: Final = _Calls()
