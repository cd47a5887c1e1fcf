from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import torch

from plugin_spec.inference.threads import ThreadShare, torch_threads


def test_torchs_count_is_the_users_again_after_the_block() -> None:
    before = torch.get_num_threads()
    with torch_threads(3):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == before
    with torch_threads(None):
        assert torch.get_num_threads() == before


def test_blocks_in_threads_that_overlap_leave_nothing_behind() -> None:
    before = torch.get_num_threads()
    entered = threading.Barrier(3)

    def compute(count: int) -> tuple[int, int]:
        with torch_threads(count):
            entered.wait()
            within = torch.get_num_threads()
            entered.wait()
        return within, torch.get_num_threads()

    counts = (before + 1, before + 2, before + 3)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(compute, counts))
    assert found == [(count, before) for count in counts]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == before


def test_a_share_is_each_threads_own_and_survives_a_pickle() -> None:
    share = ThreadShare()
    share.count = 2
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: share.count).result() is None
    assert pickle.loads(pickle.dumps(share)).count is None  # noqa: S301  (our own)
    assert share.count == 2
