"""Run every benchmark; each prints ratios against its peers, measured in one run."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

OPERATORS = ("image-decode/cv2", "image-embedding-resnet50")
SCRIPTS = (
    "command_line.py",
    "cold_install.py",
    "chain.py",
    "calls.py",
    "first_load.py",
    "columns.py",
    "parallel.py",
    "pipe.py",
    "pixels.py",
    "images.py",
    "backends.py",
    "training.py",
    "search.py",
    "index.py",
    "resolver.py",
    "ray_images.py",
)


def main() -> None:
    """Run them one after another, so that none disturbs another."""
    hub = Path(sysconfig.get_path("scripts"), "hub")
    subprocess.run([hub, "install", "--no-project", *OPERATORS], check=True)
    for script in SCRIPTS:
        subprocess.run([sys.executable, Path(__file__).with_name(script)], check=True)


if __name__ == "__main__":
    main()
