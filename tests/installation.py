"""What a user's machine looks like: the built wheel in a virtual environment."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import uv

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent
UV = uv.find_uv_bin()


def build_wheel(folder: Path) -> Path:
    """Build the distribution's wheel from its sdist, as a release would."""
    words = [UV, "build", "--quiet", "--out-dir", folder, ROOT]
    subprocess.run(words, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@dataclass(frozen=True, slots=True)
class Installation:
    """A virtual environment with the wheel in it, and the variables of its shell."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def create(
        cls, folder: Path, wheel: Path | str, *flags: str, **environment: str
    ) -> Installation:
        """Make the environment and install the wheel from the package registry.

        :param wheel: its file, or that and extras.
        :param flags: of `uv pip install`.
        """
        subprocess.run(
            [UV, "venv", "--quiet", "--seed", "--python", sys.executable, folder],
            check=True,
        )
        python = folder / "bin" / "python"
        subprocess.run(
            [UV, "pip", "install", "--quiet", "--python", python, *flags, wheel],
            check=True,
            env={**os.environ, **environment},
        )
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        activated = {"VIRTUAL_ENV": str(folder), "PATH": path}
        return cls(folder, {**environment, **activated})

    def run(
        self, *words: str, folder: Path | None = None, succeed: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of this environment, and keep what it prints."""
        done = subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
        )
        if succeed:
            assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done
