"""Killed at every step, and two at once: all or nothing of each operator is seen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_client.installed import find_installed
from hub_client.installer import PlanOvertaken
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.installer import Installer

ROOT = Path(__file__).parents[3]
# The child installs sys.argv[3:], and dies at the event, or the write, that argv[2] says.
CHILD = """
import os, signal, sys
from pathlib import Path
from hub_client.config import HubConfig
from hub_client.environment import Environment
from hub_client.installer import Installer
from hub_client.sources.router import SourceRouter
from hub_client.store import Store
from plugin_spec.requirement import Requirement

python, moment, *wanted = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Router(SourceRouter):
    def fetch(self, target, into):
        super().fetch(target, into)
        if moment == f"fetched {target.name}":
            die()

def on_event(event):
    if moment == f"{event.kind} {event.subject}":
        die()

config = HubConfig.load(sources={"*": os.environ["SOURCE"]})
router = Router(config.sources, cache_dir=config.cache_dir)
store = Store(config.cache_dir / "store")
installer = Installer(Environment.open(Path(python)), store, router, config)
plan = installer.plan([Requirement.parse(each) for each in wanted])
print("planned", flush=True)
sys.stdin.read()
installer.apply(plan, on_event=on_event)
"""


def start(
    installer: Installer, source: str, moment: str, *wanted: str
) -> subprocess.Popen[bytes]:
    """Start an installation, which applies its plan once its stdin is closed."""
    python = installer.environment.python
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, python, moment, *wanted],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SOURCE": source},
    )


def assert_nothing_is_half_installed(installer: Installer) -> None:
    """Every receipt has its tree, its packages and its dependencies."""
    environment = installer.environment
    for receipt in environment.receipts():
        installer.store.verify(receipt.tree)
        assert find_installed(receipt.name, environment, installer.store)
        for text in receipt.packages:
            assert environment.installed_version(text.partition(">")[0])
        for name in receipt.dependencies:
            assert environment.receipt(name)


@pytest.fixture
def publisher(
    operators: OperatorFolder, python_packages: PackageFolder
) -> OperatorFolder:
    python_packages.add("hub-array", "1.0")
    python_packages.add("hub-tensor", "2.0", requires=["hub-array"])
    operators.publish("acme/blur", "1.0.0", packages=["hub-array>=1"])
    operators.publish(
        "acme/embed", "1.0.0", operators=["acme/blur"], packages=["hub-tensor>=2"]
    )
    operators.publish(
        "acme/rank", "1.0.0", operators=["acme/blur"], packages=["hub-array>=1"]
    )
    return operators


@pytest.mark.parametrize(
    ("moment", "visible"),
    [
        ("fetch acme/blur 1.0.0", []),
        ("fetched acme/blur", []),
        ("fetch acme/embed 1.0.0", []),
        ("fetched acme/embed", []),
        ("packages 2 Python packages", []),
        ("receipt acme/blur", []),
        ("receipt acme/embed", ["acme/blur"]),
    ],
)
def test_after_a_kill_nothing_is_half_there_and_the_next_run_completes(
    installer: Installer, publisher: OperatorFolder, moment: str, visible: list[str]
) -> None:
    with start(installer, publisher.spec, moment, "acme/embed") as child:
        child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert [str(each.name) for each in installer.environment.receipts()] == visible
    assert_nothing_is_half_installed(installer)
    installer.apply(installer.plan([Requirement.parse("acme/embed")]))
    assert_nothing_is_half_installed(installer)
    receipts = installer.environment.receipts()
    assert [(str(each.name), each.requested) for each in receipts] == [
        ("acme/blur", False),
        ("acme/embed", True),
    ]
    assert installer.environment.installed_packages() == {
        "hub-array": "1.0",
        "hub-tensor": "2.0",
    }
    assert installer.plan([Requirement.parse("acme/embed")]).is_empty


def test_what_a_killed_fetch_left_is_swept_by_the_next(
    installer: Installer, publisher: OperatorFolder
) -> None:
    with start(installer, publisher.spec, "fetched acme/blur", "acme/blur") as child:
        child.communicate()
    staging = installer.store.root / "staging"
    assert list(staging.iterdir())
    installer.apply(installer.plan([Requirement.parse("acme/blur")]))
    assert list(staging.iterdir()) == []


@pytest.mark.parametrize("second", ["acme/embed", "acme/rank"])
def test_two_installs_at_once_into_one_environment_are_both_right(
    installer: Installer, publisher: OperatorFolder, second: str
) -> None:
    children = [
        start(installer, publisher.spec, "never", name)
        for name in ("acme/embed", second)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"planned\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    for child in children:
        with child:
            assert child.wait(60) == 0
    assert_nothing_is_half_installed(installer)
    names = {str(each.name) for each in installer.environment.receipts()}
    assert names == {"acme/blur", "acme/embed", second}
    assert installer.plan([Requirement.parse("acme/embed")]).is_empty
    assert installer.plan([Requirement.parse(second)]).is_empty


def test_a_plan_that_another_install_overtook_is_refused(
    installer: Installer, operators: OperatorFolder, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-array", "1.0")
    python_packages.add("hub-array", "2.0")
    operators.publish("acme/new", "1.0.0", packages=["hub-array>=2"])
    operators.publish("acme/old", "1.0.0", packages=["hub-array<2"])
    overtaken = installer.plan([Requirement.parse("acme/new")])
    installer.apply(installer.plan([Requirement.parse("acme/old")]))
    with pytest.raises(PlanOvertaken) as caught:
        installer.apply(overtaken)
    assert str(caught.value) == (
        "Another installation was faster, and nothing was done; "
        "what is there now is not what this one was planned for\n"
        "  hub-array 1.0"
    )
    assert caught.value.hint == "Run the command again"
    assert installer.environment.installed_packages() == {"hub-array": "1.0"}
    assert [str(each.name) for each in installer.environment.receipts()] == ["acme/old"]


def test_a_plan_overtaken_by_its_like_is_done(
    installer: Installer, publisher: OperatorFolder
) -> None:
    wanted = [Requirement.parse("acme/embed")]
    overtaken = installer.plan(wanted)
    installer.apply(installer.plan(wanted))
    installer.apply(overtaken)
    assert_nothing_is_half_installed(installer)


def test_a_plan_whose_operator_became_another_version_is_refused(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/rank", "1.0.0")
    operators.publish("acme/rank", "2.0.0")
    overtaken = installer.plan([Requirement.parse("acme/rank<2")])
    installer.apply(installer.plan([Requirement.parse("acme/rank")]))
    with pytest.raises(PlanOvertaken, match=r"\n  acme/rank 2\.0\.0\n"):
        installer.apply(overtaken)
