"""Graphs of columns: ``pipe.input('x').map('x', 'y', fn).output('y')``."""

from __future__ import annotations

from towhee.pipe.columns import DuplicateColumn, UnknownColumn
from towhee.pipe.data_queue import NOTHING, DataQueue
from towhee.pipe.graph import Graph

__all__ = ["NOTHING", "DataQueue", "DuplicateColumn", "Graph", "UnknownColumn", "input"]

input = Graph.input  # noqa: A001  (said as `pipe.input`)
