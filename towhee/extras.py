"""Packages that only some of what towhee does needs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator


class MissingExtra(HubError, ImportError):
    """A package is not installed that an extra of this distribution brings."""


@contextmanager
def needed_for(task: str, *, extra: str) -> Iterator[None]:
    """Import packages of an extra within this.

    >>> with needed_for("Flying", extra="wings"):
    ...     import feathers
    Traceback (most recent call last):
    ...
    towhee.extras.MissingExtra: Flying needs the package `feathers`
    hint: Install `towhee-hub[wings]`

    :raises MissingExtra: naming the extra in its hint.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise MissingExtra(
            f"{task} needs the package `{package}`",
            hint=f"Install `towhee-hub[{extra}]`",
        ) from error
