"""What an unfinished merge left in a text file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

CHOOSE: Final = "Choose what you want of both sides, and remove those lines"
"""What to do about a file that nobody can merge but its author."""
MARKER: Final = re.compile(r"(<{7}|\|{7}|={7}|>{7})(?:\s|$)")


def merge_markers(text: str) -> Iterator[str]:
    r"""Each marker in ``text``, with its line.

    >>> list(merge_markers("version = 1\n<<<<<<< HEAD\n"))
    ['line 2: an unfinished merge left `<<<<<<<`']
    """
    for number, line in enumerate(text.split("\n"), 1):
        if found := MARKER.match(line):
            yield f"line {number}: an unfinished merge left `{found[1]}`"
