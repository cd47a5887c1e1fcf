"""Weights put where Hugging Face's own tools look for them, without asking a server.

The layout is the one that their page "Understand caching" describes: ``blobs`` holds
the bytes, and ``snapshots/COMMIT/FILE`` is a link to them.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from hub_client.bundle.download import FileDamaged, Wanted
from hub_client.tree_digest import check_tree_paths
from hub_client.weights import NotPinned

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugin_spec.manifest import Weights

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"(?![.-])(?!.*\.\.)[\w.-]+(/[\w.-]+)?")


def keep_weights(weights: Weights, bring: Callable[[Path], object]) -> bool:
    """Have pinned weights in the cache; ``bring`` is called if they are not there.

    :param bring: writes a file whose bytes are checked.
    :returns: whether they were brought.
    :raises NotPinned: if the lock does not name a full commit and a plain file.
    """
    blob, pointer = _places(weights)
    sha256 = str(weights.sha256).removeprefix("sha256:")
    if pointer.is_file() and _has(pointer, sha256):
        return False
    if brought := not (blob.is_file() and _has(blob, sha256)):
        bring(blob)
    _link(pointer, blob)
    return brought


def _places(weights: Weights) -> tuple[Path, Path]:
    """The file that holds the bytes, and the name under which they are found."""
    commit = str(weights.revision)
    if not _COMMIT.fullmatch(commit) or not _REPOSITORY.fullmatch(weights.repo):
        raise NotPinned(
            f"`{weights.repo}/{weights.file}` is not pinned to a full commit",
            hint="Run `hub lock --upgrade` where its server can be reached",
        )
    check_tree_paths([weights.file])
    folder = cache_folder() / f"models--{weights.repo.replace('/', '--')}"
    blob = folder / "blobs" / str(weights.sha256).removeprefix("sha256:")
    return blob, folder / "snapshots" / commit / weights.file


def cache_folder() -> Path:
    """The cache of Hugging Face's own tools, whether they are installed or not."""
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:
        system = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        home = os.environ.get("HF_HOME") or f"{system}/huggingface"
        return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()
    return Path(HF_HUB_CACHE)


def _has(file: Path, sha256: str) -> bool:
    try:
        Wanted("", sha256).check(file)
    except FileDamaged:
        return False
    return True


def _link(pointer: Path, blob: Path) -> None:
    """Give the bytes their name, in one step."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    staged = pointer.with_name(f".{pointer.name}.{secrets.token_hex(4)}")
    try:
        staged.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:
        blob.replace(pointer)  # a system without links: as those tools do there
    else:
        staged.replace(pointer)
