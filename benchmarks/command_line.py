"""``hub`` as a whole process, against bare Python, pip and uv.

Needs ``hub install image-decode/cv2`` in the environment that runs it; the environment
is not changed.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from measure import command, in_turn, print_table

SCRIPTS = Path(sysconfig.get_path("scripts"))
OPERATOR = "image-decode/cv2"
PACKAGE = "opencv-python-headless"


def main() -> None:
    """Print the two tables."""
    python, hub, uv = sys.executable, str(SCRIPTS / "hub"), str(SCRIPTS / "uv")
    print_table(
        "Start",
        in_turn(
            {
                "python -c pass": command(python, "-c", "pass"),
                "hub --help": command(hub, "--help"),
                "hub --version": command(hub, "--version"),
            },
            rounds=15,
        ),
    )
    print_table(
        "Nothing to do: the thing is installed",
        in_turn(
            {
                "uv pip install": command(
                    uv, "pip", "install", "--python", python, PACKAGE
                ),
                "pip install": command(
                    python,
                    "-m",
                    "pip",
                    "--disable-pip-version-check",
                    "install",
                    PACKAGE,
                ),
                "hub install": command(hub, "install", "--no-project", OPERATOR),
                "python -c pass": command(python, "-c", "pass"),
            },
            rounds=15,
        ),
    )


if __name__ == "__main__":
    main()
