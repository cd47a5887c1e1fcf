from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from servers.python_packages import UV, make_environment

from hub_client.needs import Need, Needs, NotNeeded
from hub_client.newer import find_newer
from hub_client.package_needs import installed_for
from hub_client.sources.router import SourceRouter
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from servers.git_repository import GitRepository
    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment
    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]


@pytest.fixture
def locked(
    hub: Hub, shelf: OperatorFolder, python_packages: PackageFolder, into: Into
) -> OperatorFolder:
    """A project that asks for two operators, which both need ``acme/blur``."""
    python_packages.add("hub-tensor", "2.0")
    shelf.publish("acme/blur", "1.0.0", packages=["hub-tensor>=2"])
    shelf.publish("acme/embed", "1.0.0", operators=["acme/blur>=1,<2"])
    shelf.publish("acme/sharpen", "1.0.0", operators=["acme/blur"])
    hub.said("add", "acme/embed", "acme/sharpen>=1", *into)
    return shelf


def test_the_tree_shows_which_operator_brings_which(
    hub: Hub, locked: OperatorFolder
) -> None:
    assert hub.result("tree") == (
        "acme/embed 1.0.0\n"
        "└── acme/blur 1.0.0\n"
        "acme/sharpen 1.0.0\n"
        "└── acme/blur 1.0.0\n"
    )
    assert hub.result("tree", "acme/blur") == "acme/blur 1.0.0\n"
    assert json.loads(hub.result("tree", "acme/blur", "--json")) == {
        "acme/blur": {
            "version": "1.0.0",
            "requested": False,
            "operators": [],
            "packages": ["hub-tensor>=2"],
        }
    }
    assert hub.result("tree", "acme/blur", "acme/blur") == "acme/blur 1.0.0\n"
    assert hub.refused("tree", "acme/blurr") == (
        "error: `acme/blurr` is not needed here: did you mean `acme/blur`?\n"
        "\n"
        "hint: `hub tree` shows every operator that is\n"
    )
    assert hub.refused("tree", "hub-tensor").startswith(
        "error: `hub-tensor` is a Python package, and no operator\n"
    )


def test_why_names_every_chain_that_leads_to_an_operator(
    hub: Hub, locked: OperatorFolder
) -> None:
    assert hub.result("why", "acme/blur") == (
        "`acme/embed` is asked for\n"
        "  acme/embed 1.0.0 requires `acme/blur<2,>=1`\n"
        "\n"
        "`acme/sharpen>=1` is asked for\n"
        "  acme/sharpen 1.0.0 requires `acme/blur`\n"
    )


def test_why_knows_python_packages_and_near_names(
    hub: Hub, locked: OperatorFolder
) -> None:
    assert json.loads(hub.result("why", "Hub_Tensor", "--json"))[0] == [
        "`acme/embed` is asked for",
        "acme/embed 1.0.0 requires `acme/blur<2,>=1`",
        "acme/blur 1.0.0 requires `hub-tensor>=2`",
    ]
    assert hub.refused("why", "acme/blurr") == (
        "error: `acme/blurr` is not needed here: did you mean `acme/blur`?\n"
        "\n"
        "hint: `hub tree` shows every operator that is\n"
    )


@pytest.mark.slow  # takes more than a second
def test_why_and_an_upgrade_know_packages_that_only_packages_ask_for(
    hub: Hub, shelf: OperatorFolder, python_packages: PackageFolder, into: Into
) -> None:
    python_packages.add("hub-base", "1.0")
    python_packages.add("hub-tensor", "2.0", requires=["hub-base>=1"])
    shelf.publish("acme/blur", "1.0.0", packages=["hub-tensor>=2"])
    hub.said("add", "acme/blur", *into)
    assert hub.result("why", "Hub_Base") == (
        "`hub-base` 1.0 is locked, as other Python packages need it\n"
    )
    assert hub.refused("why", "hub-bases") == (
        "error: `hub-bases` is not needed here: did you mean `hub-base`?\n"
        "\n"
        "hint: `hub tree` shows every operator that is\n"
    )
    for name in ("hub-base", "hub-tensor"):
        python_packages.add(name, "3.0")
    shelf.publish("acme/blur", "1.1.0")
    assert hub.said("lock", "--upgrade", "Hub_Base") == (
        "Locking\n~ hub-base 1.0 -> 3.0\nWrote `hub.lock`\n"
    )
    assert hub.refused("lock", "--upgrade", "hub-bas").endswith(
        "error: `hub-bas` is not locked: did you mean `hub-base`?\n"
        "\n"
        "hint: `hub tree` shows every operator that is\n"
    )


def test_what_is_installed_says_which_package_needs_which(
    operators: OperatorFolder, python_packages: PackageFolder, target: Environment
) -> None:
    python_packages.add("hub-extra", "1.0", requires=["hub-base<9"])
    python_packages.add("hub-base", "1.0", requires=['hub-none; extra == "all"'])
    asked = ["hub-base>=1", 'hub-extra; extra == "more"', 'hub-none; extra == "all"']
    wheel = python_packages.add("hub-tensor", "2.0", requires=asked)
    words = ("--quiet", "--python", target.python, "--find-links", wheel.parent)
    more = ("hub-tensor[more]", "hub-extra")
    subprocess.run([UV, "pip", "install", *words, *more], check=True)
    needs = Needs(
        {OperatorName("acme", "blur"): "acme/blur"},
        {
            OperatorName("acme", "blur"): Need(
                OperatorName("acme", "blur"),
                Version("1.0.0"),
                {},
                {"hub-tensor": "hub-tensor[more]"},
            )
        },
        installed_for(["hub-tensor[more]"], target),
    )
    asked_for = (
        "`acme/blur` is asked for",
        "acme/blur 1.0.0 requires `hub-tensor[more]`",
    )
    assert list(needs.paths("hub-base")) == [
        (*asked_for, "hub-tensor 2.0 requires `hub-base>=1`"),
        (
            *asked_for,
            'hub-tensor 2.0 requires `hub-extra; extra == "more"`',
            "hub-extra 1.0 requires `hub-base<9`",
        ),
    ]
    with pytest.raises(NotNeeded, match="`hub-none` is not needed here"):
        needs.paths("hub-none")


def test_of_endless_chains_the_shortest_are_told_at_once() -> None:
    steps = [[OperatorName("acme", f"{each}{n}") for each in "ab"] for n in range(40)]
    found = {
        name: Need(name, Version("1"), {each: str(each) for each in below}, {})
        for row, below in zip(steps, [*steps[1:], []], strict=True)
        for name in row
    }
    needs = Needs({steps[0][0]: "acme/a0", steps[38][0]: "acme/a38"}, found)
    first, second = islice(needs.paths("acme/a39"), 2)
    assert first == ("`acme/a38` is asked for", "acme/a38 1 requires `acme/a39`")
    assert len(second) == 40


def test_why_prints_no_more_chains_than_a_person_reads(
    hub: Hub, shelf: OperatorFolder
) -> None:
    below: list[str] = []
    for row in range(8):
        for each in "ab":
            shelf.publish(f"acme/{each}{row}", "1.0.0", operators=below)
        below = [f"acme/a{row}", f"acme/b{row}"]
    Path("hub.toml").write_text(f"operators = {below}")
    assert hub("lock").returncode == 0
    done = hub("why", "acme/a0")
    assert done.stdout.count("is asked for") == 100
    assert done.stderr == "warning: These are the 100 shortest chains of more\n"


def test_outdated_says_what_fits_and_what_is_newest(
    hub: Hub, locked: OperatorFolder
) -> None:
    assert hub.said("outdated") == (
        "Asking the sources\nEverything that is locked is the newest\n"
    )
    assert hub.said("outdated", "--offline") == (
        "Reading what was fetched before\n"
        "Everything that is locked is the newest that was fetched before\n"
    )
    locked.publish("acme/blur", "1.1.0")
    locked.publish("acme/blur", "2.0.0")
    locked.publish("acme/sharpen", "1.5.0", operators=["acme/blur"])
    locked.publish("acme/embed", "2.0.0rc1")
    done = hub("outdated")
    assert done.stdout == (
        "operator      here   fits   newest\n"
        "acme/blur     1.0.0  1.1.0  2.0.0\n"
        "acme/sharpen  1.0.0  1.5.0  1.5.0\n"
    )
    assert json.loads(hub("outdated", "--json").stdout)[0] == {
        "name": "acme/blur",
        "version": "1.0.0",
        "fitting": "1.1.0",
        "newest": "2.0.0",
        "yanked": None,
        "space": [],
        "changed": False,
    }


def test_outdated_names_other_files_of_the_same_version(
    hub: Hub, locked: OperatorFolder
) -> None:
    locked.publish("acme/blur", "1.0.0", packages=["hub-tensor>=2"], text="mended")
    done = hub("outdated")
    assert done.stdout == (
        "operator   here             fits   newest\n"
        "acme/blur  1.0.0 (changed)  1.0.0  1.0.0\n"
    )
    told = "warning: acme/blur 1.0.0 has other files now than those locked\n"
    assert done.stderr.endswith(told)
    (found,) = json.loads(hub("outdated", "--json").stdout)
    assert found["changed"] is True
    assert hub("lock", "--upgrade", "acme/blur").returncode == 0
    assert hub("outdated").stdout == ""


def test_outdated_says_what_an_upgrade_takes(hub: Hub, locked: OperatorFolder) -> None:
    locked.publish("acme/blur", "1.1.0")
    # What it needs there is not.
    locked.publish("acme/sharpen", "1.5.0", operators=["acme/blur>=7"])
    project = Path("hub.toml")
    text = project.read_text("utf-8")
    assert hub("outdated").stdout == (
        "operator      here   fits   newest\n"
        "acme/blur     1.0.0  1.1.0  1.1.0\n"
        "acme/sharpen  1.0.0  -      1.5.0\n"
    )
    locked.publish("acme/blur", "1.2.0rc1")
    project.write_text(f"prerelease = true\n{text}", "utf-8")
    assert "acme/blur     1.0.0  1.2.0rc1  1.2.0rc1\n" in hub("outdated").stdout
    versions = json.loads(hub("lock", "--upgrade", "--json").stdout)["operators"]
    assert versions["acme/blur"] == "1.2.0rc1"
    assert versions["acme/sharpen"] == "1.0.0"


def test_a_version_whose_vectors_are_of_another_space_says_so(
    hub: Hub, locked: OperatorFolder
) -> None:
    for version, layer in (("1.1.0", "layer3"), ("1.2.0", "layer4")):
        manifest = locked.publish("acme/blur", version) / "operator.yaml"
        space = f"{{operator: acme/blur, model: tiny, weights: w, layer: {layer}}}"
        text = manifest.read_text().replace("echo, type: text", "echo, type: vector")
        manifest.write_text(f"{text}space: {space}\n")
        if layer == "layer3":
            # What was not known before is no other space.
            assert "space" not in hub.said("lock", "--upgrade")
    lock = Path("hub.lock").read_text()
    assert 'operator = "acme/blur", model = "tiny", weights = "w", layer = ' in lock
    told = (
        "vectors of another space: make them and their indexes anew\n"
        "      layer: layer3, layer4\n"
    )
    assert f"warning: acme/blur 1.2.0 makes {told}" in hub("outdated").stderr
    (found,) = json.loads(hub("outdated", "--json").stdout)
    assert found["space"] == ["layer: layer3, layer4"]
    assert f"~ acme/blur 1.1.0 -> 1.2.0\n    {told}" in hub.said("lock", "--upgrade")


def test_outdated_asks_where_an_operator_is_from_and_tells_what_it_does_not_learn(
    operators: OperatorFolder, repository: GitRepository, tmp_path: Path
) -> None:
    operators.publish("acme/blur", "1.1.0")
    source = f"git+{repository.url}"
    router = SourceRouter(
        {"acme/blur": operators.spec, "acme/embed": source, "*": "bundled"},
        cache_dir=tmp_path,
    )
    here = {
        name: Need(name, Version("1.0.0"), {}, {})
        for name in map(OperatorName.parse, ("acme/blur", "acme/embed", "acme/rank"))
    }
    told: list[str] = []
    needs, python = Needs({}, here), "3.11.7"
    (found,) = find_newer(needs, router, lambda e: told.append(str(e)), python=python)
    assert (str(found.name), str(found.newest)) == ("acme/blur", "1.1.0")
    assert told[1:] == ["`bundled` has no operator `acme/rank`"]
    shutil.rmtree(repository.path)
    find_newer(needs, router, lambda e: told.append(str(e)), python=python)
    assert told[2].startswith(f"Cannot list the versions at `{repository.url}`: ")


def test_outdated_asks_a_host_that_is_silent_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_client.sources.silent_hosts.PATIENCE", 0.0)
    rules = {"acme/*": "git+http://127.0.0.1:9/{name}.git"}
    names = map(OperatorName.parse, ("acme/blur", "acme/embed"))
    here = {name: Need(name, Version("1.0.0"), {}, {}) for name in names}
    router, told = SourceRouter(rules, cache_dir=tmp_path), []
    find_newer(Needs({}, here), router, told.append, python="3.11.7")
    first, second = map(str, told)
    assert first.startswith("Cannot list the versions at `http://127.0.0.1:9/blur.git`")
    assert second == f"`127.0.0.1:9` did not answer before:\n{first}"


@pytest.mark.slow
def test_outdated_asks_the_source_that_only_an_install_named(
    hub: Hub, operators: OperatorFolder
) -> None:
    operators.publish("acme/embed", "1.0.0")
    environment = make_environment(Path("hubs-own"))
    packages = next(environment.prefix.rglob("site-packages"))
    (packages / "all.pth").write_text("\n".join(filter(None, sys.path)))
    command = [environment.python, "-m", "hub_client.cli"]
    words = ("install", "acme/embed", "--source", operators.spec, "--trust-once")
    subprocess.run([*command, *words], check=True, capture_output=True)
    operators.publish("acme/embed", "1.1.0")
    done = subprocess.run(
        [*command, "outdated"], check=True, capture_output=True, text=True
    )
    assert done.stdout.endswith("\nacme/embed  1.0.0  1.1.0  1.1.0\n")


def test_an_upgrade_of_one_operator_keeps_the_others(
    hub: Hub, locked: OperatorFolder
) -> None:
    locked.publish("acme/blur", "1.1.0")
    locked.publish("acme/sharpen", "1.5.0", operators=["acme/blur"])
    done = hub("lock", "--upgrade", "acme/sharpen", "--json")
    assert json.loads(done.stdout)["operators"] == {
        "acme/blur": "1.0.0",
        "acme/embed": "1.0.0",
        "acme/sharpen": "1.5.0",
    }
    assert hub.refused("lock", "--upgrade", "acme/sharpenn").endswith(
        "error: `acme/sharpenn` is not locked: did you mean `acme/sharpen`?\n"
        "\n"
        "hint: `hub tree` shows every operator that is\n"
    )
    assert hub("lock", "acme/sharpen").returncode == 2


def test_a_check_for_an_upgrade_says_what_would_change_and_writes_nothing(
    hub: Hub, locked: OperatorFolder
) -> None:
    words = ("lock", "--check", "--upgrade")
    assert hub.said(*words) == "Locking\nNothing to change in `hub.lock`\n"
    before = Path("hub.lock").read_bytes()
    locked.publish("acme/blur", "1.1.0")
    locked.publish("acme/sharpen", "1.5.0", operators=["acme/blur"])
    assert hub.refused(*words, "acme/sharpen", "--json") == (
        "Locking\n"
        "error: `hub.lock` does not pin the newest that fits\n"
        "  ~ acme/sharpen 1.0.0 -> 1.5.0\n"
        "\n"
        "hint: Run `hub lock --upgrade acme/sharpen`\n"
    )
    assert "\n  ~ acme/blur 1.0.0 -> 1.1.0\n" in hub.refused(*words)
    assert Path("hub.lock").read_bytes() == before
