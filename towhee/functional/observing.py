"""How a chain would run, and what a run did."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from towhee.chain import Engine
from towhee.executors import DEFAULT_ENGINE
from towhee.functional.core import Core
from towhee.rows import FirstRows, Rearranged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from towhee.chain import Chain
    from towhee.executors.explanation import Explanation
    from towhee.executors.profile import Profile
    from towhee.executors.recorder import Recorder


class Observing(Core):
    """Look at how rows are computed."""

    __slots__ = ()

    def explain(self) -> Explanation:
        """How the next run would go, stage by stage, and why so.

        Operators are loaded for it, and no row is computed.

        >>> print(DataCollection([1, 2]).map(str).batch(2).map(len).explain())
        1. map(str)
           one loop, in the caller's thread
        2. map(len)
           one loop, in the caller's thread
        """
        from towhee.executors.explanation import Explanation  # noqa: PLC0415  (as used)

        chains = list(_upwards(self._chain))
        explained = (each.explain() for each in reversed(chains))
        return Explanation(tuple(stage for each in explained for stage in each.stages))

    def profile(self) -> Profile:
        """Compute every row, keep none, and tell what each stage took.

        >>> profile = DataCollection.range(1000).map(str).profile()
        >>> [(each.stage, each.rows) for each in profile.stages]
        [('source', 1000), ('map(str)', 1000)]

        ``profile.to_chrome_trace("trace.json")`` writes the calls of operators for
        ``ui.perfetto.dev``. Only what the local engine does can be seen.
        """
        from towhee.executors.recorder import Recorder  # noqa: PLC0415  (as it is used)

        recorder = Recorder()
        for _ in _recorded(self._chain, recorder).values():
            pass
        return recorder.profile


def _upwards(chain: Chain) -> Iterator[Chain]:
    """A chain, and those that its rows come from."""
    yield chain
    if isinstance(chain.rows, Rearranged | FirstRows):
        yield from _upwards(chain.rows.chain)


def _recorded(chain: Chain, recorder: Recorder) -> Chain:
    """The same chain, computed anew, with every local run noted."""
    changes: dict[str, Any] = {"parent": None}
    if chain.engine.name == DEFAULT_ENGINE:
        options = {**dict(chain.engine.options), "recorder": recorder}
        changes["engine"] = Engine(DEFAULT_ENGINE, tuple(options.items()))
    if isinstance(chain.rows, Rearranged | FirstRows):
        upward = _recorded(chain.rows.chain, recorder)
        changes["rows"] = replace(chain.rows, chain=upward)
    return chain.derive(**changes)
