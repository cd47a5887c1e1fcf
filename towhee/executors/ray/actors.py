"""Whole rows in actors: one stage, whose blocks go to whoever is free.

Plain actors start sooner than those of Ray Data, which they would have to import; and
one stage has nothing to hand over.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from towhee.executors.ray.flow import Flow, RayFailed, shipment
from towhee.executors.ray.worker import LIVES, StageWorker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from towhee.executors.ray.pools import Pool


@dataclass(slots=True, eq=False)
class _Member:
    """An actor, and what it was given."""

    actor: Any
    start: Any
    """Of no more interest once it is there: None then."""
    given: dict[Any, int] = field(default_factory=dict)
    """Numbers of blocks by the reference to their results, oldest first."""


class ActorFlow(Flow):
    """A pool of actors; one that dies is replaced, and its blocks are given again."""

    def __init__(self, pools: Sequence[Pool], *, ordered: bool, strict: bool) -> None:
        super().__init__(pools, ordered=ordered, strict=strict)
        (self._pool,) = pools
        self._members: list[_Member] = []
        self._blocks: dict[int, bytes] = {}
        """Those without results, which stay here until they have some."""
        self._waiting: deque[int] = deque()
        self._done: dict[int, tuple[bytes, float]] = {}
        self._put = self._got = 0
        self._finished = False
        self._deaths: Counter[int] = Counter()
        self._stillborn = 0
        self._new_actor: Any = None

    def put(self, packed: bytes) -> None:
        """Keep the next block until it has results."""
        self._blocks[self._put] = packed
        self._waiting.append(self._put)
        self._put += 1
        # Whoever starts does so while later rows are read.
        self._start(len(self._blocks))

    def finish(self) -> None:
        """Know how many there are."""
        self._finished = True

    def get(self) -> tuple[bytes, float] | None:
        """Wait for the results of a block."""
        while not self._done or (self._ordered and self._got not in self._done):
            if self._finished and not self._blocks:
                return None
            few = 0 if self._finished else self._pool.fewest
            self._start(max(few, len(self._blocks)))
            self._give()
            self._wait()
        number = self._got if self._ordered else next(iter(self._done))
        self._got += 1
        return self._done.pop(number)

    def close(self) -> None:
        """End the workers."""
        import ray

        super().close()
        for member in self._members:
            if member.start is None and not member.given:
                # What operators do at the exit of a process is done.
                member.actor.__ray_terminate__.remote()
            else:
                ray.kill(member.actor)
        self._members.clear()

    def _start(self, wanted: int) -> None:
        if self._new_actor is None:
            self._new_actor = self._actor_class()
        for _ in range(len(self._members), min(wanted, self._pool.most)):
            actor = self._new_actor()
            self._members.append(_Member(actor, actor.__ray_ready__.remote()))

    def _actor_class(self) -> Any:  # noqa: ANN401  (what gives an actor)
        import ray

        made = ray.remote(StageWorker).options(
            **self._pool.resources(shared=self._begin()),
            scheduling_strategy="SPREAD",
        )
        shipped = ray.put(shipment(self._pool))
        threads = self._pool.stage.workers.threads
        return lambda: made.remote(shipped, threads, strict=self._strict)

    def _give(self) -> None:
        """Give waiting blocks to those that have the fewest."""
        there = [member for member in self._members if member.start is None]
        while self._waiting and there:
            member = min(there, key=lambda each: len(each.given))
            # One more is there when one is done; the last wait for whoever is free.
            if len(member.given) >= (2 if len(self._waiting) > len(there) else 1):
                break
            number = self._waiting.popleft()
            result = member.actor.carry.remote(
                self._blocks[number], self._deaths[number]
            )
            member.given[result] = number

    def _wait(self) -> None:
        """Wait until something has happened."""
        import ray

        awaited = {
            reference: member
            for member in self._members
            for reference in ((member.start,) if member.start else member.given)
        }
        (first,), _ = ray.wait(list(awaited), num_returns=1)
        self._settle(awaited[first], first)

    def _settle(self, member: _Member, reference: Any) -> None:  # noqa: ANN401
        import ray

        try:
            result = ray.get(reference)
        except (
            ray.exceptions.RayTaskError,
            ray.exceptions.RuntimeEnvSetupError,
        ) as error:
            raise RayFailed(error) from error
        except ray.exceptions.RayError as error:
            self._replace(member, error)
            return
        if reference is member.start:
            member.start, self._stillborn = None, 0
        else:
            number = member.given.pop(reference)
            del self._blocks[number]
            self._done[number] = result

    def _replace(self, member: _Member, error: Exception) -> None:
        """Take back what a dead one was given; another starts with the next block."""
        import ray

        ray.kill(member.actor)
        self._members.remove(member)
        if member.start is not None:
            self._stillborn += 1
            if self._stillborn == LIVES:
                raise RayFailed(error) from error
        else:
            # Blocks are worked on one after the other, in this order.
            self._deaths[next(iter(member.given.values()))] += 1
        self._waiting.extendleft(reversed(member.given.values()))
