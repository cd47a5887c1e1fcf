"""What a server of Milvus does that a file does not: it goes away, and comes back."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from servers.milvus import MilvusServer
from vector_stores import Store

from plugin_spec import EmbeddingSpace
from plugin_spec.spaces import SpacesDiffer
from plugin_spec.vector_stores import InvalidFilter, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

SPACE = EmbeddingSpace("a/b", "tiny", "sha256:00")
RECORDS = [
    {"id": number, "vector": [number, number % 7], "even": number % 2 == 0}
    for number in range(1000)
]


def soon(ask: Callable[[], Any]) -> Any:  # noqa: ANN401  (whatever it gives)
    """What a client gives that was refused: gRPC lets a moment pass before it retries."""
    for _ in range(50):
        with suppress(StoreUnavailable):
            return ask()
        time.sleep(0.2)
    return ask()


def test_what_was_written_is_found_after_the_server_was_killed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with MilvusServer(tmp_path / "served") as server:
        store = Store("milvus", str(tmp_path), server.address)
        inserting = store.inserter().for_space(SPACE)
        inserting.insert([inserting.prepare(record) for record in RECORDS])
        searching = store.searcher()
        server.kill()
        for call in (lambda: searching([0, 0]), store.searcher, store.inserter):
            with pytest.raises(StoreUnavailable, match=server.address) as refused:
                call()
            assert "Start the server" in str(refused.value.hint)
        assert not caplog.records

        server.start()
        found: Any = store.elsewhere("search", [0, 0], {"topk": 1000})
        assert sorted(found[0]) == list(range(1000))
        found = store.elsewhere("search", [0, 0], {"filter": "even == true"})
        assert (found[0][:2], found[1][:2]) == ([0, 2], [0, pytest.approx(8**0.5)])
        assert found[2][0] == {"even": True}
        assert soon(lambda: searching.held_space) == SPACE
        with pytest.raises(SpacesDiffer):
            searching.for_space(SPACE.but(layer="other"))
        with pytest.raises(InvalidFilter, match="colour"):
            store.searcher(filter="colour == 1")
