"""The method-chaining interface."""

from towhee.data_collection import DataCollection

__all__ = ["DataCollection"]
