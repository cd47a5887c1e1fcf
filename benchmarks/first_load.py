"""What an operator's first load in a process costs for its digest.

The tree is hashed before anything of it is imported. The peer is sha256 of the same
files' bytes, by hand.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from measure import in_turn, print_table

from hub_client.tree_digest import tree_digest

OPERATORS = Path(__file__).parent.parent / "reference_operators"
NAMES = ("image-decode/cv2", "image-embedding/timm", "towhee/search-vectors")
TIMES = 20


def main() -> None:
    """Print a table for each operator."""
    for name in NAMES:
        tree = OPERATORS / name

        def by_hand(tree: Path = tree) -> None:
            for _ in range(TIMES):
                for path in tree.rglob("*"):
                    if path.is_file() and "__pycache__" not in path.parts:
                        hashlib.sha256(path.read_bytes()).digest()

        def ours(tree: Path = tree) -> None:
            for _ in range(TIMES):
                tree_digest(tree)

        rows = in_turn({"sha256 by hand": by_hand, "tree_digest": ours}, rounds=5)
        print_table(f"The digest of {name}, {TIMES} times", rows, count=TIMES)


if __name__ == "__main__":
    main()
