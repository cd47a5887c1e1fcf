"""From a chain to a store, through the operator that fills stores of that kind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from plugin_spec.names import OperatorName
from towhee.binding import bind
from towhee.functional.limits import whole
from towhee.pipelines import OperatorCall, Pipeline
from towhee.rows import is_sized
from towhee.vectors.form import Form
from towhee.vectors.job import Job, Written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plugin_spec.vector_stores import InsertOperator
    from towhee.bound import BoundOperator
    from towhee.chain import Chain

Kind = Literal["faiss", "lancedb", "milvus"]


class Filling(TypedDict, total=False):
    """How a store is filled."""

    metric: Literal["L2", "IP", "cosine"] | None
    """The store's own, or L2, if nothing is said."""
    id: str
    """The column for the id; if no row has one, each gets its source row's number."""
    vector: str
    metadata: Sequence[str] | None
    """Columns to keep; None keeps all."""
    source: str | None
    """A column for what a row began as, a path for example."""
    batch_size: int
    """Records that are committed at once, or after ten seconds."""
    progress: bool
    """Whether a terminal shows a bar."""


def fill(
    chain: Chain, kind: Kind, place: Mapping[str, object], how: Filling
) -> Written:
    """Write a chain's rows into a store, or those that are not there yet.

    :param place: the operator's options that say where; the last names the store.
    :raises TypeError: for what does not say how.
    :raises ValueError: if ``batch_size`` is less than 1.
    :raises SpacesDiffer: if the store holds vectors of another space than the chain's.
    """
    from hub_client.cli.progress import open_progress  # noqa: PLC0415  (as it is used)

    if unknown := how.keys() - Filling.__annotations__.keys():
        raise TypeError(f"`to_{kind}` has no option `{unknown.pop()}`")
    batch_size = whole("batch_size", how.get("batch_size", 1000))
    kept = how.get("metadata")
    several = any(
        getattr(call, "kind", None) == "flat_map" for call in chain.pipeline.calls
    )
    name = str([*place.values()][-1])
    form = Form(
        how.get("id", "id"),
        how.get("vector", "vector"),
        (kept,) if isinstance(kept, str) else kept,
        how.get("source"),
        several=several,
    )
    options = {"metric": how.get("metric"), "id": form.id, "vector": form.vector}
    job = Job(
        chain,
        open_store(kind, {**place, **options}),
        form,
        name=f"to_{kind}",
        place=name,
        batch_size=batch_size,
    )
    total = len(chain.rows) if is_sized(chain.rows) else None  # type: ignore[arg-type]  # as was just asked
    shown = how.get("progress", True) and sys.stderr.isatty()
    with open_progress(f"Writing to {name}", total=total, shown=shown) as bar:
        return job.run(bar.advance)


def open_store(kind: Kind, options: Mapping[str, object]) -> InsertOperator:
    """The operator that fills stores of a kind; installed now if it was not."""
    name = OperatorName.parse(f"ann-insert/{kind}")
    (step,) = bind(Pipeline((OperatorCall(name, tuple(options.items())),))).steps
    return cast("InsertOperator", cast("BoundOperator", step).load().operator)
