"""What a GPU does with float32 is said for a while, and then the user's again."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from plugin_spec.inference.products import float32_products

NEW_NAMES = """
import torch
from torch import backends
from plugin_spec.inference.products import float32_products

def found():
    places = backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul
    return [place.fp32_precision for place in places]

with float32_products(exact=True):
    backends.cudnn.conv.fp32_precision = "tf32"
assert found() == ["tf32", "tf32", "none"]

backends.cudnn.conv.fp32_precision = "ieee"
backends.cuda.matmul.fp32_precision = "tf32"
assert found() == ["ieee", "tf32", "tf32"]
with float32_products(exact=True):
    assert found() == ["ieee", "ieee", "ieee"]
with float32_products(exact=False):
    assert found() == ["tf32", "tf32", "tf32"]
assert found() == ["ieee", "tf32", "tf32"]
"""


def rounding() -> tuple[bool, str]:
    """Whether convolutions round, and how matrix products do."""
    return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()


def test_products_are_exact_or_rounded_and_then_as_before() -> None:
    assert rounding() == (True, "highest"), "torch's own defaults"
    with float32_products(exact=True):
        assert rounding() == (False, "highest")
    with float32_products(exact=False):
        assert rounding() == (True, "high")
    with pytest.raises(KeyError), float32_products(exact=True):
        raise KeyError
    assert rounding() == (True, "highest")


def test_what_the_user_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.set_float32_matmul_precision("medium")
    try:
        for exact in (True, False):
            with float32_products(exact=exact):
                assert rounding() == (not exact, "highest" if exact else "high")
            assert rounding() == (False, "medium")
    finally:
        torch.set_float32_matmul_precision("highest")


def test_nobody_rounds_while_someone_must_not() -> None:
    with float32_products(exact=False):
        with float32_products(exact=True):
            with float32_products(exact=False):
                assert rounding() == (False, "highest")
            assert rounding() == (False, "highest")
        assert rounding() == (True, "high")
    assert rounding() == (True, "highest")


def test_threads_that_overlap_keep_it_until_the_last() -> None:
    together = Barrier(4, timeout=30)

    def work(number: int) -> None:
        together.wait()
        for _ in range(200 * (number + 1)):
            with float32_products(exact=True):
                assert rounding() == (False, "highest")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert rounding() == (True, "highest")


def test_the_names_that_the_user_takes_are_kept_to() -> None:
    # In a process of its own: torch mixes no names, and does not forget them.
    subprocess.run([sys.executable, "-c", NEW_NAMES], check=True)
