"""What others wrote, and is shown or noted: it is text, and nothing else."""

from __future__ import annotations

import re
from typing import Final

ONE_LINE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*")
"""No character that ends a line, or that a terminal obeys, or that UTF-8 lacks."""


def visible(text: str) -> str:
    r"""Text in which no character does anything to a terminal but end a line.

    Most of what is printed was written by others: names, summaries, reasons, errors.

    >>> visible("café\x1b[2K\u202e")
    'café\\x1b[2K\\u202e'
    """
    return "".join(
        each
        if each.isprintable() or each in "\n\t"
        else each.encode("unicode_escape").decode()
        for each in text
    )
