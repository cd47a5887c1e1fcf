"""What a worker does with blocks, without a cluster: rows, failures, and who has what."""

from __future__ import annotations

import asyncio
import pickle
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ray import cloudpickle

from hub_client.tree_digest import DigestMismatch
from plugin_spec.spaces import SpacesDiffer
from towhee import DataCollection
from towhee.binding import bind
from towhee.bound import BoundPipeline
from towhee.executors.fusion import Failed
from towhee.executors.ray.blocks import Blocks
from towhee.executors.ray.crossing import Block, pack, unpack
from towhee.executors.ray.feed import Feed
from towhee.executors.ray.shipment import Shipment
from towhee.executors.ray.tables import TableWorker, from_table, to_table
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DOUBLE = """
import threading

class Odd(Exception):
    pass

class Own:
    name = "mine"

class Subject(Operator):
    def __call__(self, value):
        if value == 1:
            raise Odd("one")
        if value == 2:
            return threading.Lock()
        if value == 3:
            return Own()
        return value * 2
"""


def carry(
    chain: DataCollection,
    pairs: Sequence[tuple[int, Any]],
    *,
    strict: bool = False,
    begun: int = 1,
) -> Block:
    """What a worker that the chain is shipped to makes of a block."""
    shipped = cloudpickle.dumps(Shipment.of(bind(chain.pipeline)))
    worker = TableWorker(shipped, 1, lambda _: begun, strict=strict)
    table = worker(to_table([(7, pack(Block(pairs)), 0.0)]))
    ((number, packed, seconds),) = from_table(table)
    assert number == 7
    assert seconds > 0
    return unpack(packed)


def test_rows_keep_their_numbers_and_failures_pass_through(
    publish: Callable[..., Path],
) -> None:
    publish(DOUBLE)
    before = Failed(OperatorFailed("before", "x", ValueError("bad"), row=6))
    pairs = [(4, 10), (6, before), (9, 1), (11, 12)]
    chain = DataCollection([]).test.subject().filter(lambda value: value < 24)
    (_, first), (six, passed), (nine, failed) = carry(chain, pairs).pairs
    assert (first, six, nine) == (20, 6, 9)
    assert str(passed.error) == "`before` failed on row 6, 'x': ValueError: bad"
    assert str(failed.error) == "`test/subject` failed on row 9, 1: Odd: one"


def test_a_value_of_an_operators_own_class_is_read_where_that_is_not_known(
    publish: Callable[..., Path],
) -> None:
    publish(DOUBLE)
    shipped = cloudpickle.dumps(
        Shipment.of(bind(DataCollection([]).test.subject().pipeline))
    )
    worker = TableWorker(shipped, 1, lambda _: 1, strict=False)
    table = worker(to_table([(0, pack(Block([(0, 3), (1, 1)])), 0.0)]))
    ((_, packed, _),) = from_table(table)
    reader = (
        "import sys; from towhee.executors.ray.crossing import unpack\n"
        "(_, own), (_, failed) = unpack(sys.stdin.buffer.read()).pairs\n"
        "print(own.name, failed.error.__cause__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", reader], input=packed, capture_output=True, check=True
    )
    assert done.stdout == b"mine one\n"


def test_a_value_that_cannot_leave_a_worker_has_failed(
    publish: Callable[..., Path],
) -> None:
    publish(DOUBLE)
    good, lock = carry(DataCollection([]).test.subject(), [(0, 5), (1, 2)]).pairs
    assert good == (0, 10)
    assert re.fullmatch(
        "`test/subject` failed on row 1, <unlocked _thread.lock object at .*>: "
        "TypeError: cannot go to another process: "
        "TypeError: cannot pickle '_thread.lock' object",
        str(lock[1].error),
    )


class Unreadable(Exception):
    """Can be written, and not be read: its constructor wants more."""

    def __init__(self, number: int, more: int) -> None:
        super().__init__(number)
        self.more = more


def test_a_value_that_cannot_be_read_fails_its_row_on_either_way() -> None:
    chain = DataCollection([]).map(lambda row: Unreadable(row, 1) if row > 8 else row)
    pairs = [(0, 5), (1, Unreadable(7, 1)), (2, 9)]
    good, going, coming = carry(chain, pairs).pairs
    assert good == (0, 5)
    reason = (
        "it cannot be read in another process: TypeError: Unreadable.__init__() "
        "missing 1 required positional argument: 'more'"
    )
    for row, failed in (going, coming):
        assert str(failed.error).endswith(f"row {row}, <Unreadable>: {reason}")


def test_that_a_failure_is_final_is_known_on_the_other_side() -> None:
    failed = Failed(OperatorFailed("before", "x", ValueError("bad"), row=6))
    failed.is_final = True
    ((_, moved),) = unpack(pack(Block([(6, failed)]))).pairs
    assert moved.is_final


def test_a_function_that_exits_ends_the_run_and_no_worker() -> None:
    block = carry(DataCollection([]).exception_safe().map(sys.exit), [(0, 3)])
    assert not block.pairs
    assert str(block.problem) == (
        "`exception_safe().map(exit)` stopped a worker: SystemExit: 3"
    )


def test_a_row_that_cannot_go_to_a_worker_has_failed_there() -> None:
    rows = iter([(0, 1), (1, threading.Lock())])
    blocks = Blocks(rows, size=2, total=2, workers=1, place="map(str)")
    packed = blocks.cut()
    assert packed is not None
    (_, (_, failed)) = unpack(packed).pairs
    assert str(failed.error).startswith(
        "`map(str)` failed on row 1, <unlocked _thread.lock object"
    )


def test_what_failed_before_failures_are_kept_ends_a_strict_run() -> None:
    chain = DataCollection([]).map(lambda value: 1 / value).exception_safe()
    chain = chain.map(lambda value: 1 / (value - 1))
    block = carry(chain, [(0, 2), (1, 1), (2, 0), (3, 4)], strict=True)
    assert [row for row, _ in block.pairs] == [0, 1]
    assert type(block.pairs[1][1]) is Failed
    assert (
        str(block.problem)
        == "`map(<lambda>)` failed on row 2, 0: ZeroDivisionError: division by zero"
    )
    assert [row for row, _ in carry(chain, [(0, 2), (2, 0), (3, 4)]).pairs] == [0, 2, 3]


def test_rows_that_no_worker_survives_are_given_up(
    publish: Callable[..., Path],
) -> None:
    publish(DOUBLE)
    chain = DataCollection([]).test.subject()
    assert carry(chain, [(4, 10)], begun=3).pairs == [(4, 20)]
    ((row, lost),) = carry(chain, [(4, 10)], begun=4).pairs
    assert row == 4
    assert str(lost.error) == (
        "`test/subject` failed on row 4, 10: 3 workers died one after the other in the "
        "work on the rows around"
    )


def test_an_operator_that_cannot_be_built_is_told_with_the_first_rows(
    publish: Callable[..., Path],
) -> None:
    publish("class Subject(Operator):\n    pass\n")
    block = carry(DataCollection([]).test.subject(), [(0, 1)])
    assert block.pairs == []
    assert str(block.problem) == "`test/subject` does not implement `__call__`"


def test_a_node_fetches_what_it_has_not_got_and_refuses_what_is_not_the_pinned(
    publish: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = publish(DOUBLE)
    shipment = Shipment.of(bind(DataCollection([]).test.subject().pipeline))
    (receipt,) = shipment.receipts
    monkeypatch.setenv("HUB_CACHE_DIR", str(tmp_path / "node"))
    # Its current folder is no project.
    monkeypatch.chdir(tmp_path)
    (step,) = pickle.loads(pickle.dumps(shipment)).unpack().steps  # noqa: S301
    kept = tmp_path / "node" / "store" / "sha256" / receipt.tree.partition(":")[2]
    assert step.installed.tree == kept
    assert step.load().apply(5) == 10
    (tree / "subject" / "__init__.py").write_text("raise SystemExit\n")
    shipment.unpack()
    monkeypatch.setenv("HUB_CACHE_DIR", str(tmp_path / "another"))
    with pytest.raises(DigestMismatch):
        shipment.unpack()


def test_files_of_a_pipelines_own_repository_are_fetched_too(
    publish: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
from pathlib import Path

class Subject(Operator):
    def __init__(self, weights):
        self.text = Path(weights).read_text()

    def __call__(self, value):
        return self.text
"""
    publish(code, parameters={"weights": {"type": "string"}})
    publish(
        name="test/flow",
        kind="pipeline",
        files={"weights.txt": "heavy"},
        requires={"operators": ["test/subject"]},
        steps=[
            {
                "operator": "test/subject",
                "with": {"weights": {"file": "weights.txt"}},
            }
        ],
    )
    shipment = Shipment.of(bind(DataCollection([]).test.flow().pipeline))
    assert len(shipment.receipts) == 2
    monkeypatch.setenv("HUB_CACHE_DIR", str(tmp_path / "node"))
    (step,) = shipment.unpack().steps
    assert Path(step.options["weights"]).is_relative_to(tmp_path / "node")
    assert step.load().apply(0) == "heavy"


def test_a_feed_gives_blocks_in_turn_and_forgets_what_was_received() -> None:
    async def story() -> list[bytes | None]:
        feed = Feed()
        waiting = asyncio.create_task(feed.get(1))
        await feed.put(0, b"a", [])
        await feed.put(1, b"b", [0])
        await feed.finish(2)
        return [await feed.get(0), await waiting, await feed.get(1), await feed.get(2)]

    assert asyncio.run(story()) == [b"", b"b", b"b", None]


def rows_of(packed: bytes | None) -> list[Any]:
    assert packed is not None
    return [value for _, value in unpack(packed).pairs]


def test_blocks_grow_while_the_work_on_them_is_over_in_an_instant() -> None:
    blocks = Blocks(enumerate(range(10**6)), size=None, total=10**6, workers=2)
    assert len(rows_of(blocks.cut())) == 64
    blocks.learn(0.001)
    assert len(rows_of(blocks.cut())) == 128
    blocks.learn(1)
    assert len(rows_of(blocks.cut())) == 128
    fixed = Blocks(enumerate(range(10)), size=4, total=10, workers=2)
    fixed.learn(0.001)
    assert [len(rows_of(fixed.cut())) for _ in range(3)] == [4, 4, 2]
    assert fixed.cut() is None


def test_a_source_that_fails_gives_the_rows_before() -> None:
    def source() -> Iterator[tuple[int, str]]:
        yield 0, "a"
        raise OSError("unplugged")

    blocks = Blocks(source(), size=None, total=0, workers=1)
    assert rows_of(blocks.cut()) == ["a"]
    assert blocks.cut() is None
    assert str(blocks.problem) == "unplugged"


def test_rows_do_not_wait_long_for_others_that_are_slow_to_come() -> None:
    def source() -> Iterator[tuple[int, int]]:
        for number in range(10):
            time.sleep(0.3)
            yield number, number

    blocks = Blocks(source(), size=None, total=0, workers=1)
    assert rows_of(blocks.cut()) == [0, 1]


@pytest.mark.parametrize("apart", [False, True])
def test_a_worker_refuses_vectors_of_another_space_wherever_they_were_made(
    photos: str,
    apart: bool,
) -> None:

    def load(layer: str) -> list[object]:
        """What a worker does as it begins."""
        chain = DataCollection([]).test.embed(layer=layer).ann_search.faiss(path=photos)
        groups = bind(chain.pipeline).groups
        shipment = Shipment.of(BoundPipeline(groups[1:] if apart else groups))
        shipped: Shipment = cloudpickle.loads(cloudpickle.dumps(shipment))
        return list(shipped.unpack().load())

    assert load("last")
    with pytest.raises(SpacesDiffer) as caught:
        load("layer3")
    assert str(caught.value) == (
        f"`{photos}` holds vectors of another space than those that come\n"
        "  layer: last, layer3"
    )
