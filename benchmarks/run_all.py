"""Run every benchmark; each prints ratios against its peers, measured in one run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = ("command_line.py", "cold_install.py", "chain.py", "images.py")


def main() -> None:
    """Run them one after another, so that none disturbs another."""
    for script in SCRIPTS:
        subprocess.run([sys.executable, Path(__file__).with_name(script)], check=True)


if __name__ == "__main__":
    main()
