"""Threads that come with the work, and go."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
import weakref
from queue import SimpleQueue
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest

from plugin_spec.pool import Pool, start, threads

if TYPE_CHECKING:
    from pathlib import Path


def names() -> set[str]:
    return {each.name for each in threading.enumerate() if "towhee" in each.name}


def slowly(value: int) -> str:
    time.sleep(0.001)
    return f"{value} {threading.current_thread().name}"


def test_as_many_threads_work_as_were_asked_for_and_no_more() -> None:
    together = Barrier(5)
    with threads(5) as pool:
        for answer in [pool.submit(together.wait, 30) for _ in range(10)]:
            answer.result()
        assert names() == {f"towhee_{number}" for number in range(5)}
    assert names() == set()


def test_threads_come_with_the_work() -> None:
    with threads(50) as pool:
        for value in range(200):
            assert pool.submit(slowly, value).result().startswith(f"{value} ")
        assert len(names()) < 10


def test_each_thread_begins_once_and_what_that_raises_is_raised() -> None:
    begun: list[str] = []

    def begin() -> None:
        begun.append(threading.current_thread().name)
        if len(begun) == 1:
            raise OSError("not yet")

    with threads(3, begin) as pool:
        with pytest.raises(OSError, match="not yet"):
            pool.submit(slowly, 0).result()
        together = Barrier(3)
        for answer in [pool.submit(together.wait, 30) for _ in range(9)]:
            answer.result()
    assert sorted(set(begun)) == ["towhee_0", "towhee_1", "towhee_2"]
    assert len(begun) == 4


def test_what_has_not_begun_when_it_ends_never_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go = SimpleQueue[int](), SimpleQueue[None]()

    def work(value: int) -> None:
        begun.put(value)
        go.get(timeout=30)

    pool = Pool(2)
    for value in range(6):
        pool.submit(work, value)
    first = {begun.get(timeout=30), begun.get(timeout=30)}
    join = pool._first.join

    def let_go_and_join() -> None:
        go.put(None)
        go.put(None)
        join()

    monkeypatch.setattr(pool._first, "join", let_go_and_join)
    pool.close()
    assert (first, begun.empty(), names()) == ({0, 1}, True, set())
    pool.close()
    with pytest.raises(RuntimeError, match="have ended"):
        pool.submit(work, 7)


def test_a_pool_that_is_forgotten_ends_its_threads() -> None:
    pool = Pool(4)
    together = Barrier(4)
    for answer in [pool.submit(together.wait, 30) for _ in range(4)]:
        answer.result()
    del pool
    end = time.monotonic() + 30
    while names() and time.monotonic() < end:
        time.sleep(0.001)
    assert names() == set()


def test_a_thread_that_waits_keeps_nothing_of_what_it_did() -> None:
    class Row:
        pass

    row = Row()
    kept = weakref.ref(row)
    with threads(1) as pool:
        pool.submit(id, row).result()
        del row
        pool.submit(slowly, 1).result()
        assert kept() is None


def test_fewer_threads_do_it_where_the_system_has_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    with threads(4) as pool:
        monkeypatch.setattr(Thread, "start", refuse)
        done = [pool.submit(slowly, value) for value in range(9)]
        assert [each.result() for each in done] == [f"{n} towhee_0" for n in range(9)]
    with pytest.raises(RuntimeError, match="can't start new thread"):
        Pool(4)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        start(Thread(target=slowly, daemon=True))


def test_a_process_that_ends_waits_for_what_was_begun_and_for_no_more(
    tmp_path: Path,
) -> None:
    """What is still at work when Python is taken apart can bring a process down."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, threading, time
            from plugin_spec.pool import threads

            def work(value):
                begun.append(value)
                while threading.main_thread().is_alive():
                    time.sleep(0.001)
                # At once: what print writes in two steps can mix with the other's.
                sys.stdout.write(f"{value} done\\n")

            begun = []
            lent = threads(2)
            pool = lent.__enter__()
            for value in range(100):
                pool.submit(work, value)
            while len(begun) < 2:
                time.sleep(0.001)
            print("the end")
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    said = done.stdout.splitlines()
    assert (done.stderr, said[0]) == ("", "the end")
    assert sorted(said[1:]) == ["0 done", "1 done"]
