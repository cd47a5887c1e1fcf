from __future__ import annotations

import threading
import time

import pytest

from hub_client.side_by_side import Unneeded, check_needed, pause, side_by_side


def test_the_first_failure_ends_what_waits_and_begins_nothing_more() -> None:
    begun: list[str] = []
    ended: list[type[BaseException]] = []
    waits = threading.Event()

    def work(item: str) -> None:
        begun.append(item)
        if item == "fails":
            waits.wait()
            raise IndexError(item)
        waits.set()
        try:
            pause(60.0)
        except Unneeded as error:
            ended.append(type(error))
            raise

    started = time.monotonic()
    with pytest.raises(IndexError, match="fails"):
        side_by_side(work, ["waits", "fails", "never"], 2)
    assert time.monotonic() - started < 30
    assert (begun, ended) == (["waits", "fails"], [Unneeded])
    check_needed()  # of this thread nothing has ended
