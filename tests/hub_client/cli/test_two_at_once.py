"""Two commands at once in one environment."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from typing import TYPE_CHECKING

from packaging.version import Version

from hub_client.packages import PinnedPackage, open_installer
from hub_client.receipt import Receipt
from plugin_spec import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment
    from tests.hub_client.cli.conftest import Hub


def install_by_hand(target: Environment, wheel: Path) -> None:
    """What another install leaves: ``acme/embed`` and the package that it needs."""
    digest = f"sha256:{sha256(wheel.read_bytes()).hexdigest()}"
    pin = PinnedPackage("hub-tensor", "2.0", (digest,))
    open_installer("uv").install([pin], target, sdists=())
    target.write_receipt(
        Receipt(
            name=OperatorName.parse("acme/embed"),
            version=Version("1.0.0"),
            source="bundled",
            ref=None,
            revision=f"sha256:{'0' * 64}",
            tree=f"sha256:{'0' * 64}",
            requested=True,
            packages=("hub-tensor<3",),
        )
    )


def test_an_install_that_was_overtaken_breaks_nothing_and_can_be_run_again(
    hub: Hub,
    shelf: OperatorFolder,
    python_packages: PackageFolder,
    target: Environment,
) -> None:
    wheel = python_packages.add("hub-tensor", "2.0")
    python_packages.add("hub-tensor", "3.0")
    shelf.publish("acme/rank", "1.0.0", packages=["hub-tensor"])
    words = hub.words("install", "acme/rank", "--python", target.prefix)
    with target.lock():
        process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        while not process.stderr.readline().startswith("Waiting for another"):
            assert process.poll() is None
        install_by_hand(target, wheel)
    with process:
        said = process.stderr.read()
    assert process.returncode == 1
    assert said == (
        "error: Another installation was faster, and nothing was done; "
        "what is there now is not what this one was planned for\n"
        "  hub-tensor 2.0\n"
        "\n"
        "hint: Run the command again\n"
    )
    assert [str(each.name) for each in target.receipts()] == ["acme/embed"]
    hub.said("install", "acme/rank", "--python", target.prefix)
    assert target.installed_packages() == {"hub-tensor": "2.0"}
