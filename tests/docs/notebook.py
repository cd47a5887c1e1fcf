"""What a notebook's interpreter does: cells, each with names of its own, in one process.

Cells come as lines of JSON by one file descriptor, and how each ended goes by another.
Functions of a cell are those of ``__main__``, so that other processes can be given them.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
import warnings


def follow(cells: int, reports: int) -> None:
    """Run cells until there are no more."""
    main = vars(sys.modules["__main__"])
    with (
        os.fdopen(cells, encoding="utf-8") as lines,
        os.fdopen(reports, "wb", 0) as told,
    ):
        for line in lines:
            for name in [name for name in main if not name.startswith("__")]:
                del main[name]
            importlib.invalidate_caches()
            told.write(b"1" if _fails(json.loads(line), main) else b"0")


def _fails(cell: str, names: dict[str, object]) -> bool:
    try:
        with warnings.catch_warnings():
            exec(compile(cell, "<cell>", "exec"), names)  # noqa: S102  (what a notebook does)
    except BaseException:  # noqa: BLE001  (told, as an interpreter does)
        traceback.print_exc()
        return True
    finally:
        sys.stdout.flush()
    return False


if __name__ == "notebook":
    follow(*map(int, sys.argv[2:]))
