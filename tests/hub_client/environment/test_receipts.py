from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from hub_client.receipt import DamagedReceipt, Receipt
from plugin_spec import OperatorName

if TYPE_CHECKING:
    from hub_client.environment import Environment

ROOT = Path(__file__).parents[3]
RECEIPT = Receipt(
    name=OperatorName.parse("image-embedding/timm"),
    version=Version("1.0.0rc1"),
    source="git+https://git.acme.example/timm.git",
    ref="refs/tags/v1.0.0rc1",
    revision="9f1c2d3e4b5a69788796a5b4c3d2e1f00f1e2d3c",
    tree=f"sha256:{'0' * 64}",
    requested=True,
    dependencies=(OperatorName.parse("image-decode/cv2"),),
    packages=("timm>=1", 'torch>=2; sys_platform == "linux"'),
)
OTHER = replace(RECEIPT, name=OperatorName.parse("acme/blur"), requested=False)


def receipt_file(target: Environment, receipt: Receipt) -> Path:
    folder = target.prefix / "share" / "towhee-hub" / "receipts"
    return folder / receipt.name.namespace / f"{receipt.name.name}.json"


def test_receipts_read_back_by_name(target: Environment) -> None:
    assert target.receipts() == ()
    assert target.receipt(RECEIPT.name) is None
    target.write_receipt(RECEIPT)
    target.write_receipt(OTHER)
    assert target.receipt(RECEIPT.name) == RECEIPT
    assert target.receipts() == (OTHER, RECEIPT)


def test_a_receipt_replaces_the_one_before_and_leaves_nothing_beside_it(
    target: Environment,
) -> None:
    target.write_receipt(RECEIPT)
    newer = replace(RECEIPT, version=Version("2.0"))
    target.write_receipt(newer)
    assert target.receipts() == (newer,)
    file = receipt_file(target, RECEIPT)
    assert list(file.parent.iterdir()) == [file]


def test_a_receipt_is_removed_once_and_again(target: Environment) -> None:
    target.write_receipt(RECEIPT)
    target.remove_receipt(RECEIPT.name)
    target.remove_receipt(RECEIPT.name)
    assert target.receipts() == ()


def test_equal_receipts_are_equal_bytes(target: Environment) -> None:
    target.write_receipt(RECEIPT)
    first = receipt_file(target, RECEIPT).read_bytes()
    target.write_receipt(Receipt.from_json(first, where=""))
    assert receipt_file(target, RECEIPT).read_bytes() == first


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"name": "acme/blur"}', b"null", b'"\xff"']
)
def test_a_damaged_receipt_is_named(target: Environment, content: bytes) -> None:
    target.write_receipt(RECEIPT)
    file = receipt_file(target, RECEIPT)
    file.write_bytes(content)
    for read in (target.receipts, lambda: target.receipt(RECEIPT.name)):
        with pytest.raises(DamagedReceipt) as caught:
            read()
        assert str(caught.value) == f"the receipt `{file}` does not read back"
        assert caught.value.hint == "Remove that file and install the operator again"


def test_a_second_process_waits_for_the_first(
    target: Environment, tmp_path: Path
) -> None:
    started, done = tmp_path / "started", tmp_path / "done"
    code = (
        "import pathlib, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from hub_client.environment import Environment\n"
        "sys.stdin.read()\n"
        "environment = Environment.open(pathlib.Path(sys.argv[1]))\n"
        "with environment.lock(lambda: pathlib.Path(sys.argv[2]).touch()):\n"
        "    pathlib.Path(sys.argv[3]).touch()\n"
    )
    words = [sys.executable, "-c", code, target.python, started, done]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as other:
        with target.lock():
            other.stdin.close()  # type: ignore[union-attr]
            deadline = time.monotonic() + 20
            while not started.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert started.exists()
            # Taking it again and giving that back does not let the other in.
            with target.lock():
                pass
            assert other.poll() is None
            assert not done.exists()
        assert other.wait(20) == 0
    assert done.exists()


def test_the_same_thread_takes_the_lock_again(target: Environment) -> None:
    def refused() -> None:
        pytest.fail("waits for itself")

    with target.lock(refused), target.lock(refused):
        target.write_receipt(RECEIPT)
    with target.lock(refused):
        pass
