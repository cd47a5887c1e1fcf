"""Weights that a project's lock pins, told to an operator while it is built."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plugin_spec.manifest import Weights

_pinned: ContextVar[tuple[Weights, ...]] = ContextVar("pinned", default=())


class PinnedFileDiffers(HubError, ValueError):
    """A server gives another file than the project's lock pins."""


@contextmanager
def pinning(weights: Iterable[Weights]) -> Iterator[None]:
    """Tell operators that are built meanwhile which weights are pinned."""
    token = _pinned.set(
        tuple(each for each in weights if each.revision and each.sha256)
    )
    try:
        yield
    finally:
        _pinned.reset(token)


def pinned_weights(repo: str) -> tuple[Weights, ...]:
    """The files of a repository that the project's lock pins; to ask in ``__init__``.

    An operator loads the ``revision`` that they name, after ``fetch_pinned`` of each.
    Without a project, or for a repository that its manifest does
    not list, there are none.

    >>> pinned_weights("timm/resnet50.a1_in1k")
    ()
    """
    return tuple(each for each in _pinned.get() if each.repo == repo)


def fetch_pinned(pin: Weights) -> Path:
    """Bring a file that is pinned, and hold it against its hash.

    :returns: where it lies in the cache of Hugging Face.
    :raises PinnedFileDiffers: before any of it is read.
    """
    from huggingface_hub import hf_hub_download

    path = Path(hf_hub_download(pin.repo, pin.file, revision=pin.revision))
    with path.open("rb") as file:
        found = file_digest(file, "sha256").hexdigest()
    if found != (pin.sha256 or "").removeprefix("sha256:"):
        raise PinnedFileDiffers(
            f"`{pin.file}` of `{pin.repo}` at {pin.revision} is not what is locked\n"
            f"  locked sha256 {pin.sha256}\n"
            f"  found  sha256 {found}",
            hint=f"Delete `{path}` and try again; if that does not help, "
            "its server gives other weights than it did",
        )
    return path
