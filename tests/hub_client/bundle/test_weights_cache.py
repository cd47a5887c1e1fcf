from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download

from hub_client.bundle.weights_cache import cache_folder, keep_weights
from hub_client.tree_digest import UnsafeTree
from hub_client.weights import NotPinned
from plugin_spec.manifest import Weights

CONTENT = b"weights"
WEIGHTS = Weights(
    {},
    "acme/model",
    "onnx/model.onnx",
    "0123456789abcdef0123456789abcdef01234567",
    hashlib.sha256(CONTENT).hexdigest(),
    len(CONTENT),
)


def bring(into: Path) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_bytes(CONTENT)


def never(into: Path) -> None:
    raise AssertionError(into)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    assert cache_folder() == tmp_path / "hf"
    return tmp_path / "hf"


def test_the_real_client_finds_weights_without_asking_a_server(cache: Path) -> None:
    assert keep_weights(WEIGHTS, bring)
    found = hf_hub_download(
        WEIGHTS.repo,
        WEIGHTS.file,
        revision=WEIGHTS.revision,
        cache_dir=cache,
        endpoint="http://127.0.0.1:9",
    )
    assert Path(found).read_bytes() == CONTENT


def test_what_is_there_is_not_brought_again() -> None:
    keep_weights(WEIGHTS, bring)
    assert not keep_weights(WEIGHTS, never)


def test_one_file_of_two_commits_is_kept_once(cache: Path) -> None:
    keep_weights(WEIGHTS, bring)
    later = replace(WEIGHTS, revision="f" * 40)
    assert not keep_weights(later, never)
    assert len(list(cache.rglob("model.onnx"))) == 2
    assert len(list(cache.rglob("blobs/*"))) == 1


def test_damaged_weights_are_replaced(cache: Path) -> None:
    keep_weights(WEIGHTS, bring)
    (blob,) = cache.rglob("blobs/*")
    blob.write_bytes(b"damaged")
    assert keep_weights(WEIGHTS, bring)
    assert blob.read_bytes() == CONTENT


@pytest.mark.parametrize("repo", ["../../x", "a/b/c", "/etc", "a/..", "-x/y", ""])
def test_a_repository_leads_nowhere_else(cache: Path, repo: str) -> None:
    with pytest.raises(NotPinned):
        keep_weights(replace(WEIGHTS, repo=repo), bring)
    assert not cache.exists()


@pytest.mark.parametrize("revision", ["main", "../../x", "", None])
def test_only_a_full_commit_will_do(cache: Path, revision: str | None) -> None:
    with pytest.raises(NotPinned, match="is not pinned to a full commit"):
        keep_weights(replace(WEIGHTS, revision=revision), bring)
    assert not cache.exists()


@pytest.mark.parametrize("file", ["../x", "/etc/passwd", "a//b", ".git/config"])
def test_a_file_leads_nowhere_else(cache: Path, file: str) -> None:
    with pytest.raises(UnsafeTree):
        keep_weights(replace(WEIGHTS, file=file), bring)
    assert not cache.exists()
