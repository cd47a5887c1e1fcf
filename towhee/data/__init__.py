"""Labelled images to train on and to judge by."""

from __future__ import annotations

from towhee.data.opening import dataset
from towhee.data.samples import Samples

__all__ = ["Samples", "dataset"]
