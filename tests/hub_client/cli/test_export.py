from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.python_packages import UV, make_environment

from hub_client.lockfile import Lockfile
from hub_client.packages.requirements_text import parse_pins

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment
    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]


@pytest.fixture
def lock(
    hub: Hub, shelf: OperatorFolder, python_packages: PackageFolder, into: Into
) -> Lockfile:
    """Two operators, two packages, one of them for Windows alone."""
    python_packages.add("hub-tensor", "2.0", requires=["hub-win; os_name == 'nt'"])
    python_packages.add("hub-win", "1.0")
    shelf.publish("acme/blur", "1.0.0")
    shelf.publish(
        "acme/embed", "1.0.0", operators=["acme/blur"], packages=["hub-tensor>=2"]
    )
    hub.said("add", "acme/embed", *into)
    return Lockfile.load(Path("hub.lock"))


def installed(environment: Environment) -> dict[str, str]:
    found = environment.installed_packages()
    return {name: found[name] for name in found if name.startswith("hub-")}


def test_requirements_hold_every_pin_with_its_hashes(hub: Hub, lock: Lockfile) -> None:
    text = hub.result("export", "--format", "requirements")
    assert tuple(parse_pins(text)) == lock.packages


def test_pip_installs_from_exported_requirements(
    hub: Hub, lock: Lockfile, tmp_path: Path
) -> None:
    assert hub.said("export", "--format", "requirements", "-o", "pins.txt") == (
        "Wrote `pins.txt`\n"
    )
    environment = make_environment(tmp_path / "other")
    target = ("--python", str(environment.python), "install", "--require-hashes")
    words = [sys.executable, "-m", "pip", "--quiet", *target, "-r", "pins.txt"]
    subprocess.run(words, check=True, capture_output=True)
    assert installed(environment) == {"hub-tensor": "2.0"}


def test_uv_installs_from_an_exported_pylock(
    hub: Hub, lock: Lockfile, tmp_path: Path
) -> None:
    hub.said("export", "-o", "pylock.toml")
    read = tomllib.loads(Path("pylock.toml").read_text(encoding="utf-8"))
    assert read["lock-version"] == "1.0"
    assert [(each["name"], each["version"]) for each in read["packages"]] == [
        ("hub-tensor", "2.0"),
        ("hub-win", "1.0"),
    ]
    environment = make_environment(tmp_path / "other")
    words = [UV, "pip", "sync", "--quiet", "--python", environment.python]
    subprocess.run([*words, "pylock.toml"], check=True, capture_output=True)
    assert installed(environment) == {"hub-tensor": "2.0"}


@pytest.fixture(scope="module")
def newest_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the registry's newest pip; older ones read no ``pylock.toml``."""
    folder = tmp_path_factory.mktemp("pip") / "venv"
    words = [UV, "venv", "--quiet", "--seed", "--python", sys.executable, folder]
    subprocess.run(words, check=True, capture_output=True)
    return folder / "bin" / "python"


@pytest.mark.slow
def test_pip_installs_from_an_exported_pylock_too(
    newest_pip: Path, hub: Hub, lock: Lockfile, tmp_path: Path
) -> None:
    hub.said("export", "-o", "pylock.toml")
    environment = make_environment(tmp_path / "other")
    pip = [str(newest_pip), "-m", "pip", "--quiet", "--python"]
    words = [*pip, str(environment.python), "install", "-r", "pylock.toml"]
    subprocess.run(words, check=True, capture_output=True)
    assert installed(environment) == {"hub-tensor": "2.0"}
    text = Path("pylock.toml").read_text(encoding="utf-8")
    other_bytes = re.sub(r'sha256 = "\w{64}"', f'sha256 = "{"0" * 64}"', text)
    Path("pylock.toml").write_text(other_bytes, encoding="utf-8")
    words[5] = str(make_environment(tmp_path / "third").python)
    refused = subprocess.run(words, check=False, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "DO NOT MATCH THE HASHES" in refused.stderr


def test_a_registry_that_offers_other_files_than_locked_is_refused(
    hub: Hub, lock: Lockfile, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-tensor", "2.0")
    said = hub.refused("export", "--format", "pylock")
    assert said.startswith(
        "error: The registry does not offer what is locked\n"
        "  hub-tensor 2.0 has the file sha256:"
    )


def test_a_bill_of_materials_names_operators_packages_and_who_needs_whom(
    hub: Hub, lock: Lockfile
) -> None:
    text = hub.result("export", "--format", "sbom")
    assert text == hub.result("export", "--format", "sbom")
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = {each["bom-ref"]: each for each in bill["components"]}
    tree = lock.operators[1].tree.removeprefix("sha256:")
    assert parts["operator:acme/embed"]["hashes"] == [
        {"alg": "SHA-256", "content": tree}
    ]
    assert parts["pkg:pypi/hub-tensor@2.0"]["purl"] == "pkg:pypi/hub-tensor@2.0"
    needs = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert needs["operator:acme/embed"] == [
        "operator:acme/blur",
        "pkg:pypi/hub-tensor@2.0",
    ]
    assert needs["operator:acme/blur"] == []
    assert needs["project"][0] == "operator:acme/embed"


def test_an_export_to_a_dash_is_one_to_stdout(hub: Hub, lock: Lockfile) -> None:
    words = ("export", "--format", "requirements")
    assert hub.result(*words, "-o", "-") == hub.result(*words)
    assert not Path("-").exists()


def test_a_stale_lock_is_not_exported(hub: Hub, lock: Lockfile) -> None:
    Path("hub.toml").write_text('operators = ["acme/blur"]\n', encoding="utf-8")
    words = ("export", "--format", "requirements")
    said = hub.refused(*words)
    assert said.startswith("error: `hub.lock` does not match `hub.toml`")
    assert hub.refused(*words, "--locked") == said == hub.refused("sync", "--locked")
    frozen = hub.result(*words, "--frozen")
    assert tuple(parse_pins(frozen)) == lock.packages
    assert json.loads(hub.result(*words, "--frozen", "--json")) == {
        "format": "requirements",
        "output": None,
        "text": frozen,
    }
    assert hub(*words, "--frozen", "--locked").returncode == 2
    # The lock alone is enough, as in an image; what it was made for is in it.
    Path("hub.toml").unlink()
    hub.said("export", "--frozen", "-o", "pylock.toml")
    read = tomllib.loads(Path("pylock.toml").read_text(encoding="utf-8"))
    assert len(read["packages"]) == 2


def test_an_export_never_replaces_the_projects_own_files(
    hub: Hub, lock: Lockfile
) -> None:
    before = [Path(name).read_bytes() for name in ("hub.lock", "hub.toml")]
    Path("pins.toml").symlink_to("hub.lock")
    for output in ("hub.lock", f"../{Path.cwd().name}/hub.toml", "pins.toml"):
        assert hub.refused("export", "-o", output) == (
            f"error: `{output}` is the project's own file, and is not written over\n\n"
            "hint: Give another name after `-o`, such as `pylock.toml`\n"
        )
    assert [Path(name).read_bytes() for name in ("hub.lock", "hub.toml")] == before
