"""Python packages that no registry has, in a folder that uv and pip install from."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uv

from hub_client.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

UV = uv.find_uv_bin()

_BUILDS_ITSELF = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@dataclass(frozen=True, slots=True)
class PackageFolder:
    """A folder of wheels."""

    path: Path

    def add(self, name: str, version: str, *, requires: Sequence[str] = ()) -> Path:
        """Write the wheel of a package whose module says its version."""
        module = name.replace("-", "_")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        folder = f"{module}-{version}.dist-info"
        files = {
            f"{module}/__init__.py": f"VERSION = {version!r}\n",
            f"{folder}/METADATA": metadata
            + "".join(f"Requires-Dist: {each}\n" for each in requires),
            f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\n"
            "Root-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = [f"{path},{_record(text)}\n" for path, text in files.items()]
        files[f"{folder}/RECORD"] = "".join([*record, f"{folder}/RECORD,,\n"])
        wheel = self.path / f"{module}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        return wheel

    def add_sdist(self, name: str, version: str, *, setup: str) -> Path:
        """Write a package that has no wheel, and that runs ``setup`` if it is built.

        It builds itself, as there is no setuptools to have.
        """
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        sdist = self.path / f"{name}-{version}.tar.gz"
        with tarfile.open(sdist, "w:gz") as archive:
            files = {
                "PKG-INFO": metadata,
                "pyproject.toml": _BUILDS_ITSELF,
                "backend.py": setup,
            }
            for path, text in files.items():
                member = tarfile.TarInfo(f"{name}-{version}/{path}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        return sdist


def make_environment(folder: Path) -> Environment:
    """Make a virtual environment without any package."""
    words = [UV, "venv", "--quiet", "--no-project", "--python", sys.executable, folder]
    subprocess.run(words, check=True)
    return Environment.open(folder)


def _record(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    encoded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return f"sha256={encoded},{len(text)}"
