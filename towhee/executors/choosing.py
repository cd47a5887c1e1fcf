"""Which plan a segment runs under, and who said so."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias
from weakref import WeakKeyDictionary

from hub_client.config import HubConfig
from towhee.executors.plan import Plan
from towhee.executors.plan_cache import PlanCache, fingerprint
from towhee.executors.space import Space
from towhee.executors.tuning import Search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from towhee.executors.segments import Segment
    from towhee.loaded_operator import LoadedOperator

Source: TypeAlias = Literal["option", "default", "cached", "measuring", "measured"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A plan, and where it is from; a search where the best is still to be found."""

    plan: Plan
    source: Source
    search: Search | None = None


# What this process found out about segments, by fingerprint, while their model lives.
_found: WeakKeyDictionary[LoadedOperator, dict[str, Plan | Search]]
_found = WeakKeyDictionary()


class Chooser:
    """Chooses for segments on this machine."""

    def __init__(self, workers: int, plan: Plan | None = None) -> None:
        self._workers = workers
        self._plan = plan

    def preview(self, segment: Segment) -> Choice:
        """What the next run begins with."""
        if self._plan is not None:
            return Choice(self._plan, "option")
        if segment.model is None:
            return Choice(Plan("rows", 1, self._workers), "default")
        space = Space.of(segment, self._workers)
        config = HubConfig.load()
        key = fingerprint(segment, self._workers) if config.tune == "auto" else None
        if key is None:
            return Choice(space.default, "default")
        found = _found.setdefault(segment.model.operator, {})
        if key not in found and (plan := _cache(config).read(key)) is not None:
            return Choice(plan, "cached")
        known = found.setdefault(key, Search(space))
        if isinstance(known, Plan):
            return Choice(known, "measured")
        source: Source = "measuring" if known.has_begun else "default"
        return Choice(known.best, source, known)

    @contextmanager
    def choose(self, segment: Segment) -> Iterator[Choice]:
        """Lend a choice for a run; what its search finds in the end is remembered."""
        choice = self.preview(segment)
        search = choice.search
        # One run searches at a time: others would disturb what it measures.
        if search is None or not search.turn.acquire(blocking=False):
            yield Choice(choice.plan, choice.source)
            return
        try:
            yield choice
        finally:
            search.turn.release()
            if search.candidate is None:
                self._remember(segment, search.best)

    def _remember(self, segment: Segment, plan: Plan) -> None:
        key = fingerprint(segment, self._workers)
        if key is not None and segment.model is not None:
            _found[segment.model.operator][key] = plan
            _cache(HubConfig.load()).write(key, str(segment), plan)


def _cache(config: HubConfig) -> PlanCache:
    return PlanCache(config.cache_dir / "plans")
