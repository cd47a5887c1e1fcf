from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files

from hub_client.config import HubConfig
from hub_client.lockfile import LockedPackage, Lockfile
from hub_client.store import Store

if TYPE_CHECKING:
    from servers.git_repository import GitRepository
    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment
    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]
WEIGHTS = b"the weights"


@pytest.fixture
def lock(hub: Hub, shelf: OperatorFolder, into: Into) -> Lockfile:
    """One operator that needs another, locked and installed."""
    shelf.publish("acme/blur", "1.0.0")
    shelf.publish("acme/embed", "1.0.0", operators=["acme/blur"])
    hub.said("add", "acme/embed", *into)
    return Lockfile.load(Path("hub.lock"))


def tree(lock: Lockfile, index: int = 1) -> Path:
    return Store(HubConfig.load().cache_dir / "store").path(lock.operators[index].tree)


def overwrite(file: Path, content: bytes) -> None:
    file.chmod(0o644)
    file.write_bytes(content)


def found(hub: Hub, into: Into) -> list[tuple[str, str, str, list[str]]]:
    done = hub("verify", "--json", *into)
    assert done.returncode == 1
    return [
        tuple(each[key] for key in ("place", "subject", "message", "details"))
        for each in json.loads(done.stdout)["differences"]
    ]


def test_what_is_as_it_came_is_said_to_be(hub: Hub, lock: Lockfile, into: Into) -> None:
    assert hub.said("verify", *into) == (
        "Verifying\nVerified 2 trees, 2 receipts and 0 files of weights\n"
    )
    assert json.loads(hub("verify", "--json", *into).stdout) == {
        "operators": 2,
        "receipts": 2,
        "weights": 0,
        "signatures": 0,
        "differences": [],
        "unchecked": [],
    }


def test_a_changed_byte_names_its_file(hub: Hub, lock: Lockfile, into: Into) -> None:
    file = tree(lock) / "echo" / "__init__.py"
    overwrite(file, file.read_bytes().replace(b"value", b"vague", 1))
    done = hub("verify", *into)
    assert done.returncode == 1
    assert done.stdout == (
        f"store: acme/embed 1.0.0: the files in `{tree(lock)}` are not those that were "
        "fetched\n  `echo/__init__.py` was changed\n"
    )
    assert done.stderr == (
        "Verifying\n1 difference in 2 trees, 2 receipts and 0 files of weights\n\n"
        "hint: Delete a folder that was changed; `hub sync` fetches it again\n"
    )


def test_added_and_missing_files_are_named(
    hub: Hub, lock: Lockfile, into: Into
) -> None:
    (tree(lock) / "echo" / "__init__.py").unlink()
    (tree(lock) / "sitecustomize.py").write_text("", encoding="utf-8")
    ((_, _, _, files),) = found(hub, into)
    assert files == ["`echo/__init__.py` is missing", "`sitecustomize.py` was added"]


def test_a_tree_from_git_names_its_file_when_the_repository_is_gone(
    hub: Hub, repository: GitRepository, into: Into
) -> None:
    repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    source = f"git+{repository.url}"
    hub.said("add", "acme/embed", "--source", source, "--trust-once", *into)
    shutil.rmtree(repository.path)
    lock = Lockfile.load(Path("hub.lock"))
    overwrite(tree(lock, 0) / "echo" / "__init__.py", b"")
    ((_, _, _, files),) = found(hub, into)
    assert files == ["`echo/__init__.py` was changed"]


def test_where_no_listing_is_left_the_digests_tell(
    hub: Hub, shelf: OperatorFolder, lock: Lockfile, into: Into
) -> None:
    shutil.rmtree(shelf.path / "acme" / "embed")
    overwrite(tree(lock) / "echo" / "__init__.py", b"")
    ((_, _, _, details),) = found(hub, into)
    assert details[0] == f"expected {lock.operators[1].tree}"
    assert details[1].startswith("found    sha256:")


def test_a_link_in_a_tree_is_a_difference(hub: Hub, lock: Lockfile, into: Into) -> None:
    (tree(lock) / "passwords").symlink_to("/etc/passwd")
    ((_, _, _, details),) = found(hub, into)
    assert details == ["'passwords' is a symbolic link"]


def test_receipts_are_held_against_the_manifest_and_the_lock(
    hub: Hub, lock: Lockfile, into: Into, target: Environment
) -> None:
    blur, embed = target.receipt_files()
    blur.write_text(
        blur.read_text().replace('"packages": []', '"packages": ["evil"]'),
        encoding="utf-8",
    )
    embed.write_text("{}", encoding="utf-8")
    other = embed.with_name("other.json")
    other.write_text(blur.read_text(), encoding="utf-8")
    assert found(hub, into) == [
        (
            "environment",
            "acme/blur 1.0.0",
            "`packages` is not what its `operator.yaml` says",
            ["said  ['evil']", "found []"],
        ),
        ("environment", f"`{embed}`", "it does not read back", []),
        ("environment", "acme/blur 1.0.0", f"its receipt is `{other}`", []),
    ]
    assert hub("verify", *into).stderr.endswith(
        "\nhint: Remove a receipt that does not read back; `hub sync` writes it again\n"
    )
    other.unlink()
    embed.unlink()
    assert hub("sync", *into).returncode == 0
    assert embed.exists()


def test_a_locked_operator_that_is_not_installed_is_told(
    hub: Hub, lock: Lockfile, into: Into, target: Environment
) -> None:
    blur, embed = target.receipt_files()
    blur.unlink()
    assert "Not checked: acme/blur 1.0.0: it is not installed here\n" in hub.said(
        "verify", *into
    )
    text = embed.read_text().replace('"ref": null', '"ref": "refs/tags/v1.0.0"')
    embed.write_text(text, encoding="utf-8")
    ((_, _, message, details),) = found(hub, into)
    assert message == "`ref` is not the locked one"
    assert details == ["locked    None", "installed refs/tags/v1.0.0"]


@pytest.mark.slow  # installs packages
def test_a_package_that_nothing_asks_for_is_a_difference(
    hub: Hub, shelf: OperatorFolder, into: Into, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-array", "1.0")
    python_packages.add("hub-tensor", "2.0", requires=["hub-array"])
    smuggled = python_packages.add("hub-miner", "1.0")
    asked = 'hub-tensor>=2; python_version >= "3"'
    shelf.publish("acme/embed", "1.0.0", packages=[asked])
    hub.said("add", "acme/embed", *into)
    hub.said("verify", *into)
    lock = Lockfile.load(Path("hub.lock"))
    digest = f"sha256:{hashlib.sha256(smuggled.read_bytes()).hexdigest()}"
    elsewhere = LockedPackage("hub-other", "1.0", 'os_name == "cp/m"', (digest,))
    miner = LockedPackage("hub-miner", "1.0", None, (digest,))
    packages = (*lock.packages, elsewhere, miner)
    replace(lock, packages=packages).write(Path("hub.lock"))
    assert hub.said("verify", *into).startswith(
        "Verifying\nNot checked: who asks for each Python package: `hub-miner` is not "
        "installed here\n"
    )
    hub.said("sync", *into)
    assert found(hub, into) == [
        ("lock", "hub-miner 1.0", "no operator leads to this package", [])
    ]
    replace(lock, packages=packages[:1]).write(Path("hub.lock"))
    assert found(hub, into) == [
        (
            "lock",
            "acme/embed 1.0.0",
            "its packages are not locked",
            [f"asked  {asked}", "locked no such package"],
        )
    ]
    older = replace(lock.packages[1], version="1.0")
    replace(lock, packages=(packages[0], older)).write(Path("hub.lock"))
    (_, _, _, details), installed = found(hub, into)
    assert details == [f"asked  {asked}", "locked hub-tensor 1.0"]
    assert installed == (
        "environment",
        "hub-tensor",
        "its version is not the locked one",
        ["locked    1.0", "installed 2.0"],
    )


def test_a_package_whose_own_needs_are_not_locked_is_a_difference(
    hub: Hub, shelf: OperatorFolder, into: Into, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-array", "1.0")
    python_packages.add("hub-tensor", "2.0", requires=["hub-array>=1"])
    shelf.publish("acme/embed", "1.0.0", packages=["hub-tensor"])
    hub.said("add", "acme/embed", *into)
    lock = Lockfile.load(Path("hub.lock"))
    replace(lock, packages=lock.packages[1:]).write(Path("hub.lock"))
    assert found(hub, into) == [
        (
            "lock",
            "hub-tensor 2.0",
            "its packages are not locked",
            ["asked  hub-array>=1", "locked no such package"],
        )
    ]


def test_a_receipt_that_names_no_tree_is_a_difference(
    hub: Hub, lock: Lockfile, into: Into, target: Environment
) -> None:
    blur, _ = target.receipt_files()
    text = blur.read_text().replace('"tree": "sha256:', '"tree": "../')
    blur.write_text(text, encoding="utf-8")
    first, *_ = found(hub, into)
    assert first == ("environment", "acme/blur 1.0.0", "its receipt names no tree", [])


def test_an_environment_that_left_its_lock_is_named(
    hub: Hub, shelf: OperatorFolder, lock: Lockfile, into: Into
) -> None:
    shelf.publish("acme/blur", "1.1.0")
    hub("install", "acme/blur>=1.1", "--no-project", *into)
    assert found(hub, into) == [
        (
            "environment",
            "acme/blur 1.0.0",
            "`version` is not the locked one",
            ["locked    1.0.0", "installed 1.1.0"],
        )
    ]
    assert hub("verify", *into).stderr.endswith(
        "\nhint: `hub sync` makes the environment match the lock\n"
    )


def test_outside_a_project_the_way_on_is_to_install_again(
    hub: Hub, shelf: OperatorFolder, into: Into, target: Environment
) -> None:
    shelf.publish("acme/blur", "1.0.0")
    hub.said("install", "acme/blur", *into)
    (receipt,) = target.receipts()
    shutil.rmtree(Store(HubConfig.load().cache_dir / "store").path(receipt.tree))
    assert hub("verify", *into).stderr.endswith(
        "\nhint: `hub install NAME` brings back what is missing\n"
    )
    hub.said("install", "acme/blur", *into)
    hub.said("verify", *into)
    (file,) = target.receipt_files()
    file.write_bytes(b"")
    assert hub("verify", *into).stderr.endswith(
        "\nhint: Remove a receipt that does not read back; `hub install NAME` writes "
        "it again\n"
    )
    file.unlink()
    hub.said("install", "acme/blur", *into)
    hub.said("verify", *into)


def test_a_lock_that_was_edited_disagrees_with_the_manifest(
    hub: Hub, lock: Lockfile, into: Into
) -> None:
    text = Path("hub.lock").read_text(encoding="utf-8")
    asked = 'numpy; os_name != "none"'
    edited = text.replace("packages = []", f"packages = ['{asked}']", 1)
    Path("hub.lock").write_text(edited, encoding="utf-8")
    assert hub("verify", *into).stderr.endswith(
        "\n\nhint: Take `hub.lock` as it was committed, or pin anew by "
        "`hub lock --upgrade`\n"
    )
    assert found(hub, into) == [
        (
            "lock",
            "acme/blur 1.0.0",
            "`packages` is not what its `operator.yaml` says",
            [f"said  {[asked]}", "found []"],
        ),
        (
            "lock",
            "acme/blur 1.0.0",
            "its packages are not locked",
            [f"asked  {asked}", "locked no such package"],
        ),
    ]


def test_without_a_lock_or_an_installation_there_is_nothing_to_differ(
    hub: Hub, into: Into
) -> None:
    assert hub.said("verify", *into) == (
        "Verifying\nVerified 0 trees, 0 receipts and 0 files of weights\n"
    )


def test_a_lock_that_cannot_be_read_is_not_taken_as_none(
    hub: Hub, lock: Lockfile, into: Into
) -> None:
    assert lock.operators
    Path("hub.lock").unlink()
    Path("hub.lock").symlink_to("hub.lock")
    assert hub.refused("verify", *into).startswith(
        "error: Too many levels of symbolic links: `"
    )


def test_a_locked_operator_that_is_not_here_is_said_not_to_be_checked(
    hub: Hub, lock: Lockfile, into: Into
) -> None:
    shutil.rmtree(HubConfig.load().cache_dir)
    shutil.rmtree(Path(into[1], "share"))
    assert hub.said("verify", *into) == (
        "Verifying\n"
        "Not checked: acme/blur 1.0.0: it was never fetched here\n"
        "Not checked: acme/embed 1.0.0: it was never fetched here\n"
        "Verified 0 trees, 0 receipts and 0 files of weights\n"
    )


NAMED = "weights: [{repo: acme/model, file: model.safetensors}]\n"


@pytest.fixture
def lock_of_weights(hub: Hub, shelf: OperatorFolder, into: Into) -> Lockfile:
    """One operator whose manifest names weights."""
    manifest = shelf.publish("acme/blur", "1.0.0") / "operator.yaml"
    manifest.write_text(manifest.read_text("utf-8") + NAMED, "utf-8")
    hub.said("add", "acme/blur", "--offline", *into)
    return Lockfile.load(Path("hub.lock"))


def with_weights(file: str, **keys: str) -> None:
    """Have the lock's first operator load a file, pinned so."""
    known = "".join(f', {key} = "{value}"' for key, value in keys.items())
    line = f'weights = [\n    {{ repo = "acme/model", file = "{file}"{known} }},\n]\n'
    text, _, _ = Path("hub.lock").read_text(encoding="utf-8").partition("weights = ")
    Path("hub.lock").write_text(
        f"{text}{line}\n[python]\npackages = []\n", encoding="utf-8"
    )


def cached(revision: str, file: str, content: bytes) -> Path:
    """A file in the cache of Hugging Face's tools, laid out as they do it."""
    cache = Path(os.environ["HF_HOME"], "hub", "models--acme--model")
    path = cache / "snapshots" / revision / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [WEIGHTS, WEIGHTS[::-1]])
def test_cached_weights_are_held_against_the_lock(
    hub: Hub, lock_of_weights: Lockfile, into: Into, content: bytes
) -> None:
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    with_weights("model.safetensors", revision="1" * 40, sha256=digest)
    path = cached("1" * 40, "model.safetensors", content)
    if content == WEIGHTS:
        assert json.loads(hub("verify", "--json", *into).stdout)["weights"] == 1
        return
    other = hashlib.sha256(content).hexdigest()
    assert found(hub, into) == [
        (
            "weights",
            "acme/blur 1.0.0, `acme/model/model.safetensors`",
            f"`{path}` is not the locked file",
            [f"expected sha256:{digest}", f"found    sha256:{other}"],
        )
    ]


def test_weights_that_the_operator_does_not_name_are_no_weights_of_its(
    hub: Hub, lock_of_weights: Lockfile, into: Into
) -> None:
    with_weights("another.safetensors", revision="1" * 40, sha256="2" * 64)
    assert found(hub, into) == [
        (
            "lock",
            "acme/blur 1.0.0",
            "`weights` is not what its `operator.yaml` says",
            ["said  acme/model/another.safetensors", "found "],
        )
    ]
    assert hub.refused("sync", "--weights", "--locked", *into).endswith(
        "error: The lock pins `acme/model/another.safetensors` for acme/blur 1.0.0, "
        "whose manifest does not name that\n\n"
        "hint: See who changed the lock; `hub lock --upgrade acme/blur` pins what the "
        "manifest names\n"
    )


def test_weights_that_are_not_pinned_or_not_here_are_told(
    hub: Hub, lock_of_weights: Lockfile, into: Into
) -> None:
    with_weights("model.safetensors")
    assert "`acme/model/model.safetensors`: the lock does not pin it\n" in hub.said(
        "verify", *into
    )
