"""Archives that would leave their folder: the hub opens none, and uv and pip refuse."""

from __future__ import annotations

import ast
import base64
import hashlib
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_client.packages import PackageInstallFailed, PinnedPackage, open_installer

if TYPE_CHECKING:
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment

ROOT = Path(__file__).parents[3]


def test_the_hub_opens_no_archive() -> None:
    files = [
        file
        for package in ("plugin_spec", "hub_client")
        for file in (ROOT / package).rglob("*.py")
        if "bundled_operators" not in file.parts
    ]
    assert len(files) > 50
    for file in files:
        assert not {"tarfile", "zipfile", "unpack_archive"} & _imported(file), file


def _imported(file: Path) -> set[str]:
    """Every module and name that a file imports, and every attribute that it takes."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


@pytest.mark.parametrize("kind", ["uv", "pip"])
@pytest.mark.parametrize("where", ["../../../..", "a/../../../../..", "{root}"])
def test_a_wheel_that_leaves_its_folder_writes_nothing_outside(
    python_packages: PackageFolder,
    target: Environment,
    tmp_path: Path,
    kind: str,
    where: str,
) -> None:
    path = f"{where.format(root=tmp_path)}/escaped.py"
    wheel = python_packages.add("hub-evil", "1.0")
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"evil").digest()).rstrip(b"=")
    files["hub_evil-1.0.dist-info/RECORD"] += (
        f"{path},sha256={digest.decode()},4\n".encode()
    )
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in {path: b"evil", **files}.items():
            archive.writestr(name, content)
    pin = f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    # pip refuses the wheel; uv installs what is in its place, and leaves the rest.
    with suppress(PackageInstallFailed):
        open_installer(kind).install(
            [PinnedPackage("hub-evil", "1.0", (pin,))], target, sdists=()
        )
    assert not list(tmp_path.rglob("escaped.py"))
