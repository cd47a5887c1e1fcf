"""How a chain would run, and what a run did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from towhee.chain import Chain, Engine
from towhee.columnar.rows import ColumnRows
from towhee.executors import DEFAULT_ENGINE
from towhee.functional.core import Core
from towhee.rows import DerivedRows, Rearranged

if TYPE_CHECKING:
    from typing import Self

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

        Operators are loaded for it, and no row is computed. Collections that were
        zipped or added are told one after the other; what was kept is left out.

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

        explained = (each.explain() for each in _in_order(self._chain))
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
        ``ui.perfetto.dev``. Only what the local engine does can be seen; sources are
        one stage, and so is what comes before a stream is shared by several functions.

        >>> profile = DataCollection(range(4)).map(abs).batch(2).map(len).profile()
        >>> [(each.stage, each.rows) for each in profile.stages]
        [('source', 4), ('map(abs)', 4), ('batch(2)', 2), ('map(len)', 2)]
        """
        from towhee.executors.recorder import Recorder  # noqa: PLC0415  (as it is used)

        recorder = Recorder()
        for _ in _Recording(recorder).of(self._chain).values():
            pass
        return recorder.profile


def _begins(pipeline: Pipeline, other: Pipeline) -> bool:
    return pipeline.calls[: len(other.calls)] == other.calls


def _in_order(chain: Chain) -> list[Chain]:
    """The chains that a chain's rows come from, each once, and the chain itself."""
    found: dict[int, Chain] = {}

    def add(chain: Chain) -> None:
        if id(chain) not in found:
            for each in chain.origins():
                add(each)
            found[id(chain)] = chain

    add(chain)
    return list(found.values())


class _Recording:
    """Makes the same chains again, to be computed anew with every local run noted."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        # By identity; the chains are kept, so that no other takes the place of one.
        self._made: dict[int, tuple[Chain, Chain]] = {}

    def of(self, chain: Chain) -> Chain:
        if id(chain) not in self._made:
            self._made[id(chain)] = chain, self._make(chain)
        return self._made[id(chain)][1]

    def _make(self, chain: Chain) -> Chain:
        from towhee.executors.recorder import SOURCE  # noqa: PLC0415  (as it is used)

        rows, source = chain.rows, SOURCE
        changes: dict[str, Any] = {}
        parent = chain.parent
        while parent is not None and not parent.memory.is_shared:
            parent = parent.parent
        changes["parent"] = None if parent is None else self.of(parent)
        if isinstance(rows, Chain):
            changes["rows"], source = self.of(rows), "shared rows"
        elif isinstance(rows, DerivedRows):
            origins = tuple(map(self.of, rows.origins()))
            changes["rows"] = rows.over(origins)
            if changes["rows"] is not rows:
                source = _words(rows)
        if chain.engine.name == DEFAULT_ENGINE:
            recorder = self._recorder.part(source)
            options = {**dict(chain.engine.options), "recorder": recorder}
            changes["engine"] = Engine(DEFAULT_ENGINE, tuple(options.items()))
        made = chain.derive(**changes)
        return made.share() if chain.memory.is_shared else made


def _words(rows: DerivedRows) -> str:
    """What is done to rows of other chains, for people."""
    if isinstance(rows, ColumnRows):
        return "rows of columns"
    return str(rows.name) if isinstance(rows, Rearranged) else repr(rows).strip("<>")
