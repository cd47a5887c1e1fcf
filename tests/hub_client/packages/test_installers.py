from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from servers.python_packages import PackageFolder

from hub_client.packages import (
    PackageConflict,
    PackageInstallFailed,
    PackagePlan,
    PinnedPackage,
    open_installer,
)
from plugin_spec import OperatorName
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub_client.environment import Environment
    from hub_client.packages import PackageInstaller

CLIP = OperatorName.parse("image-embedding/clip")
TIMM = OperatorName.parse("image-embedding/timm")


def needs(*requirements: str) -> dict[OperatorName, list[Requirement]]:
    return {TIMM: [Requirement(text) for text in requirements]}


def install(
    installer: PackageInstaller, target: Environment, *requirements: str
) -> PackagePlan:
    plan = installer.plan(needs(*requirements), target, sdists=())
    installer.install(plan.pins, target, sdists=())
    return plan


def added(plan: PackagePlan) -> dict[str, str]:
    return {pin.name: pin.version for pin in plan.add}


def test_a_plan_adds_what_is_needed_and_changes_nothing(
    python_packages: PackageFolder, target: Environment, installer: PackageInstaller
) -> None:
    python_packages.add("hub-vision", "1.0", requires=["hub-tensor>=2"])
    python_packages.add("hub-tensor", "2.0")
    python_packages.add("hub-tensor", "3.0")
    plan = installer.plan(needs("hub-vision>=1"), target, sdists=())
    assert added(plan) == {"hub-tensor": "3.0", "hub-vision": "1.0"}
    assert plan.change == ()
    assert all(len(pin.hashes) == 1 for pin in plan.add)
    assert target.installed_packages() == {}


def test_what_was_planned_is_installed_and_then_nothing_is_missing(
    python_packages: PackageFolder, target: Environment, installer: PackageInstaller
) -> None:
    python_packages.add("Hub_Vision", "1.0", requires=["hub-tensor>=2"])
    python_packages.add("hub-tensor", "2.0")
    install(installer, target, "hub-vision")
    assert target.installed_packages() == {"hub-tensor": "2.0", "hub-vision": "1.0"}
    plan = installer.plan(needs("hub.vision>=1"), target, sdists=())
    assert plan == PackagePlan()


def test_a_satisfied_plan_starts_no_process(
    python_packages: PackageFolder,
    target: Environment,
    installer: PackageInstaller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python_packages.add("hub-tensor", "2.0")
    install(installer, target, "hub-tensor")
    monkeypatch.setattr("subprocess.run", None)
    wanted = needs("hub-tensor>=2", "hub-windows; sys_platform == 'win32'")
    assert installer.plan(wanted, target, sdists=()) == PackagePlan()


def test_an_installed_package_is_kept_although_there_is_a_newer_one(
    python_packages: PackageFolder, target: Environment, installer: PackageInstaller
) -> None:
    python_packages.add("hub-tensor", "2.0")
    install(installer, target, "hub-tensor")
    python_packages.add("hub-tensor", "3.0")
    python_packages.add("hub-vision", "1.0", requires=["hub-tensor"])
    plan = installer.plan(needs("hub-vision"), target, sdists=())
    assert added(plan) == {"hub-vision": "1.0"}
    assert plan.change == ()


@pytest.mark.parametrize("offered", [True, False])
def test_a_local_version_survives(
    python_packages: PackageFolder,
    target: Environment,
    installer: PackageInstaller,
    offered: bool,
) -> None:
    """As with ``torch 2.5.1+cu121``, whether or not its index is still configured."""
    local = python_packages.add("hub-tensor", "2.5.1+cu121")
    install(installer, target, "hub-tensor")
    if not offered:
        local.unlink()
    python_packages.add("hub-tensor", "2.5.1")
    python_packages.add("hub-tensor", "2.15.0")
    python_packages.add("hub-vision", "1.0", requires=["hub-tensor>=2.4"])
    plan = install(installer, target, "hub-vision", "hub-tensor>=2.4")
    assert (added(plan), plan.change) == ({"hub-vision": "1.0"}, ())
    assert target.installed_packages()["hub-tensor"] == "2.5.1+cu121"


def test_what_must_change_is_told_and_the_rest_is_kept(
    python_packages: PackageFolder, target: Environment, installer: PackageInstaller
) -> None:
    python_packages.add("hub-array", "1.0")
    python_packages.add("hub-tensor", "2.5.1+cu121")
    install(installer, target, "hub-array", "hub-tensor")
    python_packages.add("hub-array", "2.0")
    python_packages.add("hub-tensor", "2.5.1")
    python_packages.add("hub-tensor", "2.15.0")
    wanted = needs("hub-array>=2", "hub-tensor>=2.4")
    plan = installer.plan(wanted, target, sdists=())
    assert plan.add == ()
    assert [str(change) for change in plan.change] == ["hub-array 1.0 to 2.0"]
    assert target.installed_packages()["hub-array"] == "1.0"
    installer.install(plan.pins, target, sdists=())
    assert target.installed_packages()["hub-array"] == "2.0"


def test_a_conflict_names_the_operators_responsible(
    python_packages: PackageFolder, target: Environment, installer: PackageInstaller
) -> None:
    python_packages.add("hub-array", "1.0")
    python_packages.add("hub-array", "2.0")
    python_packages.add("hub-other", "1.0")
    requests = {
        CLIP: [Requirement("hub-array<2"), Requirement("hub-other")],
        TIMM: [Requirement("hub-array>=2")],
    }
    with pytest.raises(PackageConflict) as caught:
        installer.plan(requests, target, sdists=())
    assert caught.value.operators == (CLIP, TIMM)
    assert str(caught.value).startswith(
        "No set of Python packages satisfies every operator\n"
        "  image-embedding/clip requires `hub-array<2`\n"
        "  image-embedding/timm requires `hub-array>=2`\n"
    )
    assert target.installed_packages() == {}


def test_a_package_that_nobody_has_is_named(
    python_packages: PackageFolder, target: Environment, installer: PackageInstaller
) -> None:
    with pytest.raises(PackageConflict) as caught:
        installer.plan(needs("hub-nowhere>=1"), target, sdists=())
    assert "image-embedding/timm requires `hub-nowhere>=1`" in str(caught.value)
    assert str(python_packages.path) not in str(caught.value)


def test_a_package_without_a_wheel_is_not_built(
    python_packages: PackageFolder,
    target: Environment,
    installer: PackageInstaller,
    kind: str,
    tmp_path: Path,
) -> None:
    witness = tmp_path / "ran"
    setup = f"open({str(witness)!r}, 'w')"
    python_packages.add_sdist("hub-source", "1.0", setup=setup)
    with pytest.raises(PackageConflict) as caught:
        installer.plan(needs("hub-source"), target, sdists=())
    assert not witness.exists()
    # pip does not say that there would be something to build.
    assert caught.value.hint == (
        "Pass `--allow-sdist hub-source` to build it, which runs its code"
        if kind == "uv"
        else None
    )


def test_a_lock_does_not_advise_a_flag_that_it_has_not(
    python_packages: PackageFolder,
) -> None:
    python_packages.add_sdist("hub-source", "1.0", setup="")
    uv = open_installer("uv")
    with pytest.raises(PackageConflict) as caught:
        uv.lock(needs("hub-source"), requires_python=SpecifierSet(">=3.11"))
    assert caught.value.hint == (
        "A lock takes wheels alone: `hub install --no-project --allow-sdist hub-source "
        "NAME` builds it, which runs its code"
    )


def test_a_pin_without_a_wheel_for_this_platform_says_what_a_lock_takes(
    python_packages: PackageFolder, target: Environment
) -> None:
    wheel = python_packages.add("hub-source", "1.0")
    elsewhere = wheel.rename(wheel.with_name("hub_source-1.0-py3-none-other.whl"))
    python_packages.add_sdist("hub-source", "1.0", setup="")
    digest = hashlib.sha256(elsewhere.read_bytes()).hexdigest()
    pin = PinnedPackage("hub-source", "1.0", (f"sha256:{digest}",))
    with pytest.raises(PackageInstallFailed) as caught:
        open_installer("uv").install([pin], target, sdists=())
    assert caught.value.hint == (
        "A lock takes wheels alone: ask for versions that have one for this platform "
        "and Python"
    )


@pytest.mark.slow
def test_a_pin_builds_nothing_by_itself_and_needs_a_hash(
    python_packages: PackageFolder,
    target: Environment,
    installer: PackageInstaller,
    tmp_path: Path,
) -> None:
    witness = tmp_path / "ran"
    setup = f"open({str(witness)!r}, 'w')"
    sdist = python_packages.add_sdist("hub-source", "1.0", setup=setup)
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    pin = PinnedPackage("hub-source", "1.0", (f"sha256:{digest}",))
    with pytest.raises(PackageInstallFailed):
        installer.install([pin], target, sdists=())
    with pytest.raises(HubError):
        installer.lock(needs("hub-source"), requires_python=SpecifierSet(">=3.11"))
    assert not witness.exists()
    # It would run: what is built says so.
    with pytest.raises(PackageInstallFailed):
        installer.install([pin], target, sdists=("hub-source",))
    assert witness.exists()
    python_packages.add("hub-tensor", "2.0")
    with pytest.raises(PackageInstallFailed):
        installer.install([PinnedPackage("hub-tensor", "2.0", ())], target, sdists=())
    assert target.installed_packages() == {}


def test_a_file_that_is_not_the_pinned_one_is_refused(
    python_packages: PackageFolder, target: Environment, installer: PackageInstaller
) -> None:
    python_packages.add("hub-tensor", "2.0")
    pin = PinnedPackage("hub-tensor", "2.0", (f"sha256:{'0' * 64}",))
    with pytest.raises(PackageInstallFailed):
        installer.install([pin], target, sdists=())
    assert target.installed_packages() == {}


def test_an_interrupted_installation_of_a_package_is_done_again(
    python_packages: PackageFolder, target: Environment, installer: PackageInstaller
) -> None:
    python_packages.add("hub-tensor", "2.0")
    install(installer, target, "hub-tensor")
    # What is left when the installer is killed: it writes INSTALLER after all files.
    (site,) = target.prefix.glob("lib/*/site-packages")
    (site / "hub_tensor-2.0.dist-info" / "INSTALLER").unlink()
    (site / "hub_tensor" / "__init__.py").unlink()
    assert target.installed_packages() == {}
    assert added(install(installer, target, "hub-tensor")) == {"hub-tensor": "2.0"}
    assert (site / "hub_tensor" / "__init__.py").exists()


def test_offline_says_so(python_packages: PackageFolder, target: Environment) -> None:
    # uv and pip take a folder for offline enough, so nothing is missed here.
    python_packages.add("hub-tensor", "2.0")
    plan = open_installer("uv", offline=True).plan(
        needs("hub-tensor"), target, sdists=()
    )
    assert added(plan) == {"hub-tensor": "2.0"}


@pytest.fixture
def registry_far_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that nobody reaches, and a cache that has nothing of it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-settings"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))


@pytest.mark.usefixtures("registry_far_away")
@pytest.mark.parametrize(
    "doing",
    [
        lambda uv, target: uv.plan(needs("hub-tensor"), target, sdists=()),
        lambda uv, _: uv.lock(needs("hub-tensor"), requires_python=SpecifierSet()),
        lambda uv, target: uv.install(
            [PinnedPackage("hub-tensor", "2.0", (f"sha256:{'0' * 64}",))],
            target,
            sdists=(),
        ),
    ],
    ids=["plan", "lock", "install"],
)
def test_what_no_cache_has_cannot_be_had_offline_and_nobody_conflicts(
    target: Environment, doing: Callable[[PackageInstaller, Environment], object]
) -> None:
    with pytest.raises(PackageInstallFailed) as caught:
        doing(open_installer("uv", offline=True), target)
    assert "hub-tensor was not found in the cache" in str(caught.value)
    assert "hint:" not in str(caught.value)
    assert caught.value.hint == (
        "You are offline: run again without `--offline`, or with HUB_OFFLINE=0"
    )


def test_a_conflict_says_that_what_would_do_may_only_be_out_of_reach(
    python_packages: PackageFolder, target: Environment
) -> None:
    python_packages.add("hub-tensor", "1.0")
    with pytest.raises(PackageConflict) as caught:
        open_installer("uv", offline=True).plan(
            needs("hub-tensor>=2"), target, sdists=()
        )
    assert caught.value.hint == (
        "You are offline: run again without `--offline`, or with HUB_OFFLINE=0"
    )


@pytest.mark.usefixtures("registry_far_away")
def test_a_registry_that_does_not_answer_is_told_from_a_conflict(
    target: Environment,
) -> None:
    with pytest.raises(PackageInstallFailed) as caught:
        open_installer("uv").plan(needs("hub-tensor"), target, sdists=())
    assert "sending request for url (the registry)" in str(caught.value)
    assert caught.value.hint == (
        "Check your network, and the registry that uv is configured for"
    )


@pytest.mark.usefixtures("python_packages")
def test_a_pinned_version_that_the_registry_has_no_more_is_a_refusal(
    target: Environment,
) -> None:
    pin = PinnedPackage("hub-tensor", "2.0", (f"sha256:{'0' * 64}",))
    with pytest.raises(PackageInstallFailed, match="uv could not install the Python"):
        open_installer("uv").install([pin], target, sdists=())


def test_the_tools_of_a_new_environment_hold_nothing_back(
    python_packages: PackageFolder, target: Environment, installer: PackageInstaller
) -> None:
    python_packages.add("setuptools", "65.0")
    install(installer, target, "setuptools")
    python_packages.add("setuptools", "84.0")
    python_packages.add("hub-tensor", "2.0")
    python_packages.add("hub-tensor", "3.0", requires=["setuptools>=80"])
    plan = installer.plan(needs("hub-tensor"), target, sdists=())
    assert added(plan) == {"hub-tensor": "3.0"}
    assert [str(change) for change in plan.change] == ["setuptools 65.0 to 84.0"]
    assert plan.guarded == ()


@pytest.fixture
def folder_of_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One for temporary files, as `/tmp` is; somebody has settings there for others."""
    folder = tmp_path / "everybodys"
    interpreter = folder / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text(f"#!/bin/sh\ntouch {folder}/ran\nexit 1\n")
    interpreter.chmod(0o755)
    (folder / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    return folder


THEIRS = 'no-index = true\nfind-links = ["."]\n'
THEIR_PROJECT = """
[project]
name = "theirs"
version = "1"
[tool.uv.workspace]
members = ["*"]
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.toml", f"[pip]\n{THEIRS}"),
        (
            "pyproject.toml",
            f"{THEIR_PROJECT}[tool.uv.pip]\n{THEIRS}",
        ),
    ],
    ids=["settings", "project"],
)
def test_no_folder_above_a_temporary_one_configures_uv_or_is_its_interpreter(
    python_packages: PackageFolder,
    folder_of_everybody: Path,
    target: Environment,
    name: str,
    text: str,
) -> None:
    python_packages.add("hub-tensor", "2.0")
    PackageFolder(folder_of_everybody).add("hub-tensor", "6.6.6")
    (folder_of_everybody / name).write_text(text)
    uv = open_installer("uv")
    locked = uv.lock(needs("hub-tensor"), requires_python=SpecifierSet())
    assert [each.version for each in locked] == ["2.0"]
    assert added(uv.plan(needs("hub-tensor"), target, sdists=())) == {
        "hub-tensor": "2.0"
    }
    assert not (folder_of_everybody / "ran").exists()
