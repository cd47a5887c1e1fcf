"""What happens beside the steps of a training."""

from __future__ import annotations

from towhee.trainer.callbacks.base import Callback
from towhee.trainer.callbacks.early_stopping import EarlyStopping
from towhee.trainer.callbacks.heatmaps import Heatmaps
from towhee.trainer.callbacks.printing import Printing
from towhee.trainer.callbacks.progress import ProgressBar
from towhee.trainer.callbacks.tensorboard import TensorBoard

__all__ = [
    "Callback",
    "EarlyStopping",
    "Heatmaps",
    "Printing",
    "ProgressBar",
    "TensorBoard",
]
