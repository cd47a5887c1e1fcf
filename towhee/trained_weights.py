"""The weights of a pipeline that was trained, on their way to another process."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from plugin_spec.trainable import TrainableOperator
from towhee.trainer.errors import CannotTrain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plugin_spec.operator import Operator
    from towhee.bound import BoundOperator


def trainable_step(steps: Sequence[BoundOperator]) -> BoundOperator:
    """The one step that can be trained.

    :raises CannotTrain: if none can, or several.
    """
    found = [
        step for step in steps if isinstance(step.load().operator, TrainableOperator)
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"`{step.name}`" for step in found or steps)
    if found:
        raise CannotTrain(f"Several steps can be trained: {names}; train one alone")
    raise CannotTrain(f"There is no model to train: {names} cannot be trained")


def shipped(step: BoundOperator) -> Callable[[], TrainableOperator]:
    """What gives a worker of Ray the operator: its tree is verified on that node."""
    from ray import cloudpickle

    from towhee.bound import BoundPipeline  # noqa: PLC0415  (a circle)
    from towhee.executors.ray.shipment import Shipment  # noqa: PLC0415  (only with Ray)

    shipment = Shipment.of(BoundPipeline(((step.in_columns(None),),)))
    # Pickled now: later it would take along weights as they are then.
    return partial(_shipped, cloudpickle.dumps(shipment))  # type: ignore[no-untyped-call]  # Ray's


def _shipped(packed: bytes) -> TrainableOperator:
    from ray import cloudpickle

    (step,) = cloudpickle.loads(packed).unpack().steps
    operator: TrainableOperator = step.own().operator
    return operator


def pack(operator: Operator) -> dict[str, bytes]:
    """The files that hold what was trained."""
    assert isinstance(operator, TrainableOperator)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        operator.save(folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def unpack(files: Mapping[str, bytes], operator: Operator) -> None:
    """Let an operator that was loaded anew embed as the packed one did."""
    assert isinstance(operator, TrainableOperator)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        operator.restore(folder)
