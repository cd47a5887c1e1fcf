"""Hosts that take long to fail: what else they have is not waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds; a host that fails after more is not asked again."""


class SilentHosts:
    """Asks sources, for as long as their hosts answer, or say soon that they do not."""

    def __init__(self) -> None:
        self._failures: dict[str, HubError] = {}

    def ask(self, source: str, question: Callable[[], T]) -> T:
        """The answer of a source.

        :raises HubError: as the question does; at once, if its host took long before.
        """
        host, started = _host(source), time.monotonic()
        if host in self._failures:
            raise HubError(f"`{host}` did not answer before:\n{self._failures[host]}")
        try:
            return question()
        except HubError as error:
            if time.monotonic() - started > PATIENCE:
                self._failures[host] = error
            raise


def _host(source: str) -> str:
    """Who is asked about a source: its server, or the source itself if it has none.

    >>> _host("git+https://git.acme.example/embed.git"), _host("hf:acme/embed")
    ('git.acme.example', 'hf:acme')
    """
    server = source.partition("://")[2].partition("/")[0]
    return server or source.partition("/")[0]
