"""A cold ``hub install`` of a git operator, against the same by hand.

By hand: ``git clone --depth 1`` and ``uv pip install`` of the requirements. Each run
gets a new virtual environment and an empty hub cache; both share uv's warm cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from measure import command, in_turn, print_table

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
OPERATOR = "image-decode/cv2"
PACKAGES = ("opencv-python-headless>=4.10", "numpy>=1.26", "pillow>=10.3")
IDENTITY = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.org")


def publish(folder: Path) -> str:
    """Make a bare repository of the operator, tagged v1.0.0; return its URL."""
    work, bare = folder / "work", folder / "cv2.git"
    written = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "reference_operators" / OPERATOR, work, ignore=written)
    for words in (
        ("init", "--quiet"),
        ("add", "."),
        ("commit", "--quiet", "--message", "The first version"),
        ("tag", "v1.0.0"),
    ):
        subprocess.run(["git", "-C", work, *IDENTITY, *words], check=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", work, bare], check=True)
    return bare.as_uri()


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = publish(folder)
        uv, python = str(SCRIPTS / "uv"), str(folder / "venv/bin/python")

        def start_cold() -> None:
            for used in ("venv", "clone", "cache"):
                shutil.rmtree(folder / used, ignore_errors=True)
            words = [uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"]
            subprocess.run(words, check=True)

        clone = command(
            "git", "clone", "--quiet", "--depth", "1", url, str(folder / "clone")
        )
        install = command(uv, "pip", "install", "--python", python, *PACKAGES)

        def by_hand() -> None:
            clone()
            install()

        hub = command(
            str(SCRIPTS / "hub"),
            "install",
            "--no-project",
            "--python",
            python,
            "--source",
            f"git+{url}",
            "--trust-once",
            OPERATOR,
            env={"HUB_CACHE_DIR": str(folder / "cache"), "HOME": os.environ["HOME"]},
        )
        print_table(
            "A git operator into an empty environment",
            in_turn(
                {"by hand": by_hand, "hub install": hub}, rounds=5, before=start_cold
            ),
        )


if __name__ == "__main__":
    main()
