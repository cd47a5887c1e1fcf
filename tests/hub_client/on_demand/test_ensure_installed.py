"""On demand, in the process that needs the operator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_client.config import HubConfig
from hub_client.installed import find_installed
from hub_client.installer import Installer
from hub_client.locker import lock_project
from hub_client.packages import open_installer
from hub_client.project import Project
from hub_client.sources.router import SourceRouter
from hub_client.store import Store
from hub_client.trust import add_trusted
from plugin_spec import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment
    from hub_client.receipt import Receipt

ROOT = Path(__file__).parents[3]
CHILD = """
import json, sys
from hub_client.on_demand import ensure_installed
from plugin_spec import HubError, Requirement

told = []
try:
    found = ensure_installed(
        [Requirement.parse(text) for text in sys.argv[1:]], announce=told.append
    )
    print(json.dumps({"told": told, "found": [str(o.receipt.version) for o in found]}))
except HubError as error:
    print(json.dumps({"told": told, "error": str(error), "hint": error.hint}))
"""


def ensure(target: Environment, *texts: str) -> dict[str, object]:
    """What a process of the target sees; this process lends it its own libraries."""
    path = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    done = subprocess.run(
        [target.python, "-c", CHILD, *texts],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def receipt(target: Environment, name: str) -> Receipt:
    found = target.receipt(OperatorName.parse(name))
    assert found is not None
    return found


@pytest.fixture
def publisher(
    operators: OperatorFolder, python_packages: PackageFolder
) -> OperatorFolder:
    """Trusted, and the source of this folder's project."""
    python_packages.add("hub-array", "1.0")
    operators.publish("acme/blur", "1.0.0", packages=["hub-array>=1"])
    operators.publish("acme/embed", "1.0.0", operators=["acme/blur"])
    operators.publish("acme/rank", "1.0.0")
    add_trusted(HubConfig.load().config_dir, operators.spec)
    Path("hub.toml").write_text(
        f'operators = ["acme/embed"]\n[sources]\n"*" = "{operators.spec}"\n'
    )
    return operators


@pytest.fixture
def installer(publisher: OperatorFolder, target: Environment) -> Installer:
    config = HubConfig.load()
    router = SourceRouter(config.sources, cache_dir=config.cache_dir)
    return Installer(target, Store(config.cache_dir / "store"), router, config)


@pytest.fixture
def locked(installer: Installer) -> Project:
    """The project with its lock written."""
    project = Project.open(Path("hub.toml").absolute())
    lock_project(
        project,
        router=installer.router,
        store=installer.store,
        config=installer.config,
        installer=open_installer("uv"),
    ).write(project.lock_path)
    return project


def test_what_is_missing_is_installed_once_and_announced_once(
    installer: Installer, target: Environment
) -> None:
    announced = (
        f"Installing `acme/embed` for `{target.prefix}`, as it is used here first"
    )
    assert ensure(target, "acme/embed") == {"told": [announced], "found": ["1.0.0"]}
    assert ensure(target, "acme/embed") == {"told": [], "found": ["1.0.0"]}
    assert target.installed_packages() == {"hub-array": "1.0"}
    assert not receipt(target, "acme/embed").requested


def test_a_tree_that_left_the_store_comes_back(
    installer: Installer, target: Environment
) -> None:
    ensure(target, "acme/rank")
    name, tree = OperatorName.parse("acme/rank"), receipt(target, "acme/rank").tree
    installer.store.path(tree).rename(target.prefix / "gone")
    assert find_installed(name, target, installer.store) is None
    assert ensure(target, "acme/rank")["found"] == ["1.0.0"]
    assert receipt(target, "acme/rank").tree == tree
    installer.store.verify(tree)


def test_configuration_may_forbid_it(
    installer: Installer, target: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_INSTALL", "never")
    assert ensure(target, "acme/rank>=1") == {
        "told": [],
        "error": "`acme/rank` is not installed, "
        "and configuration forbids installing on demand",
        "hint": "Run `hub install acme/rank>=1`",
    }
    assert target.receipts() == ()


def test_a_lock_decides_the_version(
    locked: Project, publisher: OperatorFolder, target: Environment
) -> None:
    publisher.publish("acme/embed", "2.0.0")
    assert ensure(target, "acme/embed")["found"] == ["1.0.0"]


def test_what_is_installed_gives_way_to_what_the_lock_pins(
    locked: Project,
    installer: Installer,
    publisher: OperatorFolder,
    target: Environment,
) -> None:
    publisher.publish("acme/embed", "2.0.0")
    installer.apply(installer.plan([Requirement.parse("acme/embed")]))
    assert receipt(target, "acme/embed").version.major == 2
    assert ensure(target, "acme/embed")["found"] == ["1.0.0"]
    assert receipt(target, "acme/embed").requested


def test_a_lock_installs_what_is_used_and_no_more(
    locked: Project, target: Environment
) -> None:
    assert ensure(target, "acme/blur")["found"] == ["1.0.0"]
    assert [str(each.name) for each in target.receipts()] == ["acme/blur"]


@pytest.mark.parametrize(
    ("text", "said"), [("acme/rank", ""), ("acme/embed>=2", ", but 1.0.0")]
)
def test_what_the_lock_does_not_pin_is_refused(
    locked: Project, target: Environment, text: str, said: str
) -> None:
    assert ensure(target, text) == {
        "told": [],
        "error": f"`hub.lock` does not pin `{text}`{said}",
        "hint": f"Run `hub add {text}`",
    }
    assert target.receipts() == ()


def test_no_installed_package_is_changed_on_demand(
    locked: Project,
    installer: Installer,
    publisher: OperatorFolder,
    python_packages: PackageFolder,
    target: Environment,
) -> None:
    python_packages.add("hub-array", "0.9")
    publisher.publish("acme/old", "1.0.0", packages=["hub-array<1"])
    installer.apply(installer.plan([Requirement.parse("acme/old")]))
    answer = ensure(target, "acme/blur")
    assert answer["hint"] == "Run `hub sync`, which changes them"
    assert answer["error"] == (
        "Installed Python packages would change, and nothing was done\n"
        "  hub-array 0.9 to 1.0\n"
        "  acme/blur requires `hub-array>=1`"
    )
    assert target.installed_packages() == {"hub-array": "0.9"}


@pytest.mark.parametrize("before", ["", "import huggingface_hub.constants"])
def test_offline_weights_are_not_downloaded_either(before: str) -> None:
    program = f"""{before}
import os
from hub_client.on_demand import ensure_installed
ensure_installed([], announce=print)
from huggingface_hub import constants
print(constants.is_offline_mode(), os.environ.get("HF_HUB_OFFLINE"))
"""
    for variables, said in (({}, "False None"), ({"HUB_OFFLINE": "1"}, "True 1")):
        done = subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **variables},
        )
        assert done.stdout == f"{said}\n"
