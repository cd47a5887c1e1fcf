"""Weights that a project's lock pins, told to an operator while it is built."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from plugin_spec.manifest import Weights

_pinned: ContextVar[tuple[Weights, ...]] = ContextVar("pinned", default=())


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

    An operator loads the ``revision`` that they name, and refuses a file whose
    ``sha256`` is another. Without a project, or for a repository that its manifest does
    not list, there are none.

    >>> pinned_weights("timm/resnet50.a1_in1k")
    ()
    """
    return tuple(each for each in _pinned.get() if each.repo == repo)
