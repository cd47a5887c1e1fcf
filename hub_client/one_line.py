"""Texts of others that are shown, or noted, on one line: they are no second line."""

from __future__ import annotations

import re
from typing import Final

ONE_LINE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*")
"""No character that ends a line, or that a terminal obeys, or that UTF-8 lacks."""
