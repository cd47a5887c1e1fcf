"""Requests that came in while others were computed, computed together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from towhee.outcome import Outcome

MOST: Final = 64


class Batches:
    """Lets one thread at a time compute what has come in; nobody waits for more.

    It belongs to the event loop that it is used in.
    """

    def __init__(
        self, compute: Callable[[Sequence[tuple[Any, ...]]], list[Outcome]]
    ) -> None:
        self._compute = compute
        self._waiting: list[tuple[tuple[Any, ...], asyncio.Future[Outcome]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def answer(self, values: tuple[Any, ...]) -> Outcome:
        """Give what becomes of one request."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((values, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        outcome: Outcome = await future
        return outcome

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._answer(batch)
        finally:
            self._worker = None

    async def _answer(
        self, batch: list[tuple[tuple[Any, ...], asyncio.Future[Outcome]]]
    ) -> None:
        requests = [values for values, _ in batch]
        try:
            outcomes = await asyncio.to_thread(self._compute, requests)
        except Exception as error:  # noqa: BLE001  (each request is told)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            # A client may have gone meanwhile.
            if not future.done():
                future.set_result(outcome)
