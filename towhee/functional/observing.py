"""How a chain would run, and what a run did."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from towhee.chain import Engine
from towhee.executors import DEFAULT_ENGINE
from towhee.functional.core import Core
from towhee.rows import FirstRows, Rearranged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from towhee.chain import Chain
    from towhee.executors.explanation import Explanation
    from towhee.executors.profile import Profile
    from towhee.executors.recorder import Recorder
    from towhee.pipelines import Pipeline


class Observing(Core):
    """Look at how rows are computed."""

    __slots__ = ()

    @overload
    def explain(self) -> Explanation: ...

    @overload
    def explain(self, method: str, target: object = ...) -> Self: ...

    @overload
    def explain(self, *, target: object) -> Self: ...

    def explain(
        self, method: str | None = None, target: object = None
    ) -> Explanation | Self:
        """How the next run would go, stage by stage; with a method, rows' heatmaps.

        Operators are loaded for it, and no row is computed.

        >>> print(DataCollection([1, 2]).map(str).batch(2).map(len).explain())
        1. map(str)
           one loop, in the caller's thread
        2. map(len)
           one loop, in the caller's thread

        With arguments: a collection of ``Heatmap``, of what the last operator made of
        each row. Rows with columns keep them, and have it in ``heatmap``.

        >>> photos = DataCollection(["cat.jpg"]).image_decode.cv2()
        >>> vectors = photos.image_embedding.timm(model_name="resnet18")
        >>> vectors.explain("gradcam", target="dog.jpg").show()  # doctest: +SKIP

        :param method: ``gradcam``, ``attention-rollout`` or ``integrated-gradients``.
        :param target: what similarity to is explained: a vector, or an image as the
            operator takes it, or as those before it do. Or a class that its model was
            trained to tell apart. Without a method, the first that fits.
        :raises CannotExplain: if the last call is of no operator.
        """
        if method is not None or target is not None:
            return self._with_heatmaps(method, target)
        from towhee.executors.explanation import Explanation  # noqa: PLC0415  (as used)

        chains = list(_upwards(self._chain))
        explained = (each.explain() for each in reversed(chains))
        return Explanation(tuple(stage for each in explained for stage in each.stages))

    def _with_heatmaps(self, method: str | None, target: object) -> Self:
        from towhee.heatmaps import with_heatmaps  # noqa: PLC0415  (as it is used)

        pipeline = with_heatmaps(self.pipeline.calls, target, method)
        # Rows that were kept are those of a chain that this one goes on from.
        parent: Chain | None = self._chain
        while parent is not None and not _begins(pipeline, parent.pipeline):
            parent = parent.parent
        return type(self)(self._chain.derive(pipeline=pipeline, parent=parent))

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


def _begins(pipeline: Pipeline, other: Pipeline) -> bool:
    return pipeline.calls[: len(other.calls)] == other.calls


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
