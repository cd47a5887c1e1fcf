"""Collections made of what there is: numbers, files, tables, videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from towhee.functional.core import Core
from towhee.rows import matching_files

if TYPE_CHECKING:
    import os
    from typing import Self


class Building(Core):
    """Ways to make a collection."""

    __slots__ = ()

    @classmethod
    def range(cls, *bounds: int) -> Self:
        """Stream the numbers that ``range`` gives.

        >>> DataCollection.range(2, 5).to_list()
        [2, 3, 4]
        """
        return cls(range(*bounds)).stream()

    @classmethod
    def from_glob(cls, *patterns: str | os.PathLike[str]) -> Self:
        """Stream the paths of the files that match, sorted.

        >>> DataCollection.from_glob("photographs/*.jpg")
        Traceback (most recent call last):
        ...
        towhee.rows.EmptyGlob: No file matches `photographs/*.jpg` in ...

        :raises EmptyGlob: at once, if no file does.
        """
        return cls(matching_files(patterns)).stream()
