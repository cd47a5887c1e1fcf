"""The weights of a pipeline that was trained, on their way to another process."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from plugin_spec.trainable import TrainableOperator
from towhee.trainer.errors import CannotTrain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
