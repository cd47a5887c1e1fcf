from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plugin_spec import OperatorName

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment
    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]


@pytest.fixture
def published(shelf: OperatorFolder, python_packages: PackageFolder) -> OperatorFolder:
    """``acme/embed``, which needs ``acme/blur`` and two Python packages."""
    python_packages.add("hub-array", "1.0")
    python_packages.add("hub-tensor", "2.0", requires=["hub-array"])
    shelf.publish("acme/blur", "1.0.0")
    shelf.publish(
        "acme/embed", "1.0.0", operators=["acme/blur"], packages=["hub-tensor>=2"]
    )
    return shelf


def test_an_install_says_what_it_does_and_sums_it_up(
    hub: Hub, published: OperatorFolder, into: Into
) -> None:
    assert hub.said("install", "acme/embed", *into) == (
        f"Resolved 2 operators from {published.spec} in …\n"
        "+ acme/blur 1.0.0\n"
        "+ acme/embed 1.0.0\n"
        "+ 2 Python packages (hub-tensor 2.0, hub-array 1.0)\n"
        "Fetching acme/blur 1.0.0\n"
        "Fetching acme/embed 1.0.0\n"
        "Installing 2 Python packages\n"
        "Installed 2 operators and 2 Python packages in …\n"
        "This folder is no project; `hub add` would make it one, with a lock\n"
    )
    assert hub.result("list", *into) == (
        f"acme/blur   1.0.0  {published.spec}  for acme/embed\n"
        f"acme/embed  1.0.0  {published.spec}\n"
    )


def test_what_is_installed_is_said_to_be(
    hub: Hub, published: OperatorFolder, into: Into
) -> None:
    hub.said("install", "acme/embed", *into)
    again = "acme/embed 1.0.0 is already installed\n"
    assert hub.said("install", "acme/embed", *into) == again
    assert hub.said("install", "acme/embed>=1", "--offline", *into) == again
    assert hub.said("install", "acme/embed", "--quiet", *into) == ""


def test_a_dry_run_prints_the_plan_and_changes_nothing(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    assert hub.result("install", "acme/embed", "--dry-run", *into) == (
        f"Resolved 2 operators from {published.spec} in …\n"
        "+ acme/blur 1.0.0\n"
        "+ acme/embed 1.0.0\n"
        "+ 2 Python packages (hub-tensor 2.0, hub-array 1.0)\n"
    )
    assert (target.receipts(), target.installed_packages()) == ((), {})
    assert not (target.prefix / "share").exists()


def test_the_plan_as_json(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    def operator(name: str) -> dict[str, object]:
        return {
            "action": "add",
            "name": name,
            "version": "1.0.0",
            "installed": None,
            "source": published.spec,
        }

    def package(name: str, version: str) -> dict[str, object]:
        return {"action": "add", "name": name, "version": version, "installed": None}

    done = hub("install", "acme/embed", "--dry-run", "--json", *into)
    value = json.loads(done.stdout)
    assert value.pop("seconds") > 0
    assert value == {
        "dry_run": True,
        "operators": [operator("acme/blur"), operator("acme/embed")],
        "packages": [package("hub-array", "1.0"), package("hub-tensor", "2.0")],
    }
    done = hub("install", "acme/embed", "--json", "--quiet", *into)
    installed = json.loads(done.stdout)
    assert done.stderr == ""
    assert {**installed, "seconds": 0} == {**value, "dry_run": False, "seconds": 0}
    assert [str(each.name) for each in target.receipts()] == ["acme/blur", "acme/embed"]


def test_a_source_of_its_own_is_trusted_once_or_not_at_all(
    hub: Hub, operators: OperatorFolder, into: Into
) -> None:
    operators.publish("acme/blur", "1.0.0")
    words = ("install", "acme/blur", "--source", operators.spec, *into)
    assert hub.refused(*words) == (
        "error: An operator is its publisher's code, and these are not trusted\n"
        f"  acme/blur 1.0.0 from `{operators.spec}`\n"
        "\n"
        f"hint: Read the code, then run `hub trust add {operators.spec}`, "
        "or pass `--trust-once`\n"
    )
    assert "Installed 1 operator in …\n" in hub.said(*words, "--trust-once")
    assert hub.said("trust", "list") == "No source is trusted besides `bundled`\n"


def test_an_unknown_name_offers_the_nearest(
    hub: Hub, published: OperatorFolder, into: Into
) -> None:
    assert hub.refused("install", "acme/embd", *into) == (
        f"error: `{published.spec}` has no operator `acme/embd`\n"
        "\n"
        "hint: Did you mean `acme/embed`?\n"
    )


@pytest.mark.parametrize("command", ["install", "add"])
@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (
            "git+https://git.acme.example/a.git",
            "Give the operator's name, and `--source git+https://git.acme.example/a.git`",
        ),
        (
            "https://git.acme.example/a",
            "Give the operator's name, and `--source git+https://git.acme.example/a`",
        ),
        ("hf:acme/a", "Give the operator's name, and `--source hf:acme/a`"),
        ("acme/a@1.0", "Write `acme/a==1.0`"),
        (
            "Acme/a",
            (
                "Use lower-case letters, digits and single hyphens, "
                "as in `image-embedding/timm`"
            ),
        ),
    ],
)
def test_what_other_tools_take_as_a_requirement_is_told_as_it_is_written_here(
    hub: Hub, command: str, typed: str, hint: str
) -> None:
    assert hub.refused(command, typed) == (
        f"error: expected `namespace/name`, got {typed!r}\n\nhint: {hint}\n"
    )


def test_versions_that_exclude_one_another_say_who_asked(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    published.publish("acme/rank", "1.0.0", operators=["acme/blur>=2"])
    assert hub.refused("install", "acme/rank", *into) == (
        "error: No set of versions satisfies every requirement\n"
        "  Because acme/rank 1.0.0 requires `acme/blur>=2`\n"
        f"  and `{published.spec}` has only acme/blur 1.0.0\n"
        "\n"
        "hint: Ask for another version of `acme/rank`, or tell its publisher\n"
    )
    assert target.receipts() == ()


@pytest.mark.parametrize(
    "requirement",
    [
        "evil @ file:///etc/passwd",
        "--index-url http://evil.example",
        "evil\n--index-url=http://evil.example",
    ],
)
def test_a_requirement_that_is_none_reaches_no_installer(
    hub: Hub,
    shelf: OperatorFolder,
    target: Environment,
    into: Into,
    requirement: str,
) -> None:
    shelf.publish("acme/blur", "1.0.0", packages=[requirement])
    assert "requires.packages[0]: " in hub.refused("install", "acme/blur", *into)
    assert (target.receipts(), target.installed_packages()) == ((), {})


def test_a_python_package_is_changed_only_with_yes(
    hub: Hub, published: OperatorFolder, python_packages: PackageFolder, into: Into
) -> None:
    hub.said("install", "acme/embed", *into)
    python_packages.add("hub-tensor", "3.0")
    published.publish("acme/rank", "1.0.0", packages=["hub-tensor>=3"])
    assert hub.refused("install", "acme/rank", *into) == (
        "error: Installed Python packages would change, and nothing was done\n"
        "  hub-tensor 2.0 to 3.0\n"
        "  acme/embed requires `hub-tensor>=2`\n"
        "  acme/rank requires `hub-tensor>=3`\n"
        "\n"
        "hint: Pass `--yes` to change them, or use an environment of its own\n"
    )
    said = hub.said("install", "acme/rank", "--yes", *into)
    assert "~ hub-tensor 2.0 -> 3.0\n" in said


def test_python_packages_that_exclude_one_another_name_their_operators(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    published.publish("acme/rank", "1.0.0", packages=["hub-tensor<2"])
    said = hub.refused("install", "acme/embed", "acme/rank", *into)
    assert said.startswith(
        "error: No set of Python packages satisfies every operator\n"
        "  acme/embed requires `hub-tensor>=2`\n"
        "  acme/rank requires `hub-tensor<2`\n"
    )
    assert said.endswith("\n\nhint: Install one of them in an environment of its own\n")
    assert (target.receipts(), target.installed_packages()) == ((), {})


@pytest.mark.slow  # takes more than a second
def test_pip_does_it_too(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    done = hub("install", "acme/embed", *into, HUB_INSTALLER="pip")
    assert "\nInstalled 2 operators and 2 Python packages in " in done.stderr
    assert target.installed_packages() == {"hub-array": "1.0", "hub-tensor": "2.0"}


def test_an_operator_is_uninstalled_if_nothing_needs_it(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    hub.said("install", "acme/embed", *into)
    assert hub.refused("uninstall", "acme/blur", *into) == (
        "error: acme/embed 1.0.0 needs `acme/blur`\n"
        "\n"
        "hint: Remove both: `hub uninstall acme/blur acme/embed`\n"
    )
    assert hub.result("uninstall", "acme/embed", "--dry-run", *into) == (
        "- acme/embed 1.0.0\n"
    )
    names = ("acme/embed", "acme/blur", "acme/embed")
    assert hub.said("uninstall", *names, *into) == (
        "- acme/blur 1.0.0\n- acme/embed 1.0.0\nRemoved 2 operators in …\n"
    )
    assert hub.refused("uninstall", "acme/embed", *into) == (
        "error: `acme/embed` is not installed\n\nhint: `hub list` shows what is\n"
    )
    assert target.installed_packages() == {"hub-array": "1.0", "hub-tensor": "2.0"}


def test_what_is_no_environment_is_refused(hub: Hub, shelf: OperatorFolder) -> None:
    assert hub.refused("install", "acme/blur", "--python", "nowhere") == (
        "error: `nowhere` is not there\n"
        "\n"
        "hint: Name an interpreter, or the folder of a virtual environment\n"
    )


def test_a_receipt_without_its_tree_is_mended(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    hub.said("install", "acme/blur", *into)
    receipt = target.receipt(OperatorName.parse("acme/blur"))
    assert receipt is not None
    shutil.rmtree(Path("..", "home", "cache"))
    assert "Fetching acme/blur 1.0.0\n" in hub.said("install", "acme/blur", *into)
    assert target.receipts() == (replace(receipt),)


def test_a_relative_source_starts_where_it_was_typed(
    hub: Hub, operators: OperatorFolder, into: Into
) -> None:
    operators.publish("acme/blur", "1.0.0")
    Path("hub.toml").touch()
    Path("below").mkdir()
    flags = ("--directory", "below", "--source", "dir:../../operators", "--trust-once")
    hub.said("install", "acme/blur", "--no-project", *flags, *into)
    assert hub.result("list", *into) == f"acme/blur  1.0.0  {operators.spec}\n"
    hub.said("install", "acme/blur", *flags, *into)
    assert Path("hub.toml").read_text() == (
        'operators = [\n    "acme/blur",\n]\n\n[sources]\n"acme/blur" = "dir:../operators"\n'
    )
