"""Plan, which changes nothing; then apply."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub_client.installer import NotInstalled, StillNeeded
from hub_client.packages import PackageChangeRefused
from hub_client.resolver import ResolutionConflict
from hub_client.tree_digest import DigestMismatch, tree_digest
from hub_client.trust import UntrustedPublisher
from plugin_spec import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment
    from hub_client.install_plan import InstallPlan
    from hub_client.installer import Installer


def wanted(*texts: str) -> list[Requirement]:
    return [Requirement.parse(text) for text in texts]


def names(*texts: str) -> list[OperatorName]:
    return [OperatorName.parse(text) for text in texts]


def install(installer: Installer, *texts: str) -> InstallPlan:
    plan = installer.plan(wanted(*texts))
    installer.apply(plan)
    return plan


def steps(plan: InstallPlan) -> list[str]:
    return [f"{each.kind} {each.name} {each.version}" for each in plan.steps]


def installed(environment: Environment) -> dict[str, str]:
    return {str(each.name): str(each.version) for each in environment.receipts()}


def files(*folders: Path) -> dict[str, bytes]:
    """Every file below the folders, with its bytes."""

    def found() -> Iterator[tuple[str, bytes]]:
        for folder in folders:
            for path in folder.rglob("*"):
                # Locks, probes and Python's own caches say nothing about the contents.
                if path.is_file() and path.suffix not in {".lock", ".pyc"}:
                    yield str(path), path.read_bytes()

    return dict(found())


def test_a_plan_writes_nothing(
    installer: Installer, operators: OperatorFolder, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-tensor", "2.0")
    operators.publish("acme/embed", "1.0.0", packages=["hub-tensor"])
    folders = installer.environment.prefix, installer.config.cache_dir, operators.path
    before = files(*folders)
    plan = installer.plan(wanted("acme/embed"))
    assert files(*folders) == before
    assert plan.to_dict() == {
        "operators": [
            {
                "action": "add",
                "name": "acme/embed",
                "version": "1.0.0",
                "installed": None,
                "source": operators.spec,
            }
        ],
        "packages": [
            {
                "action": "add",
                "name": "hub-tensor",
                "version": "2.0",
                "installed": None,
            }
        ],
    }


def test_trees_packages_and_receipts_are_there_afterwards(
    installer: Installer, operators: OperatorFolder, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-tensor", "2.0")
    blur = operators.publish("acme/blur", "1.0.0", packages=["hub-tensor>=1"])
    embed = operators.publish("acme/embed", "2.0.0", operators=["acme/blur<2"])
    plan = install(installer, "acme/embed")
    assert steps(plan) == ["add acme/blur 1.0.0", "add acme/embed 2.0.0"]
    first, second = installer.environment.receipts()
    assert (first.tree, second.tree) == (tree_digest(blur), tree_digest(embed))
    assert (first.requested, second.requested) == (False, True)
    assert second.dependencies == tuple(names("acme/blur"))
    assert first.packages == ("hub-tensor>=1",)
    for receipt in (first, second):
        installer.store.verify(receipt.tree)
    assert installer.environment.installed_packages() == {"hub-tensor": "2.0"}


def test_events_tell_what_is_about_to_happen_receipts_last(
    installer: Installer, operators: OperatorFolder, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-tensor", "2.0")
    operators.publish("acme/blur", "1.0.0")
    operators.publish(
        "acme/embed", "2.0.0", operators=["acme/blur"], packages=["hub-tensor"]
    )
    told: list[str] = []
    installer.apply(
        installer.plan(wanted("acme/embed")),
        on_event=lambda event: told.append(f"{event.kind} {event.subject}"),
    )
    assert told == [
        "fetch acme/blur 1.0.0",
        "fetch acme/embed 2.0.0",
        "packages 1 Python package",
        "receipt acme/blur",
        "receipt acme/embed",
    ]


def test_what_is_installed_takes_no_process_and_no_socket(
    installer: Installer,
    operators: OperatorFolder,
    python_packages: PackageFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python_packages.add("hub-tensor", "2.0")
    operators.publish("acme/embed", "1.0.0", packages=["hub-tensor"])
    install(installer, "acme/embed")
    for call in ("subprocess.run", "subprocess.Popen", "socket.socket"):
        monkeypatch.setattr(call, None)
    plan = install(installer, "acme/embed>=1")
    assert plan.is_empty
    assert steps(plan) == ["keep acme/embed 1.0.0"]


def test_an_installed_version_is_kept_although_there_is_a_newer_one(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    install(installer, "acme/blur")
    operators.publish("acme/blur", "2.0.0")
    operators.publish("acme/embed", "1.0.0", operators=["acme/blur"])
    plan = install(installer, "acme/embed")
    assert steps(plan) == ["keep acme/blur 1.0.0", "add acme/embed 1.0.0"]


def test_a_version_that_will_not_do_is_changed(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    install(installer, "acme/blur")
    operators.publish("acme/blur", "2.0.0")
    plan = install(installer, "acme/blur>=2")
    (step,) = plan.steps
    assert (step.kind, str(step.installed), str(step.version)) == (
        "change",
        "1.0.0",
        "2.0.0",
    )
    assert installed(installer.environment) == {"acme/blur": "2.0.0"}


def test_a_version_that_is_passed_over_for_its_manifest_is_told(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/embed", "1.0.0")
    manifest = operators.publish("acme/embed", "1.1.0") / "operator.yaml"
    manifest.write_text("[]", encoding="utf-8")
    told: list[str] = []
    warned = replace(installer, warn=told.append)
    assert steps(warned.plan(wanted("acme/embed"))) == ["add acme/embed 1.0.0"]
    reason = "has an invalid manifest: line 1: expected a mapping at the top"
    assert told == [
        f"acme/embed 1.1.0 at `{operators.spec}` is passed over: it {reason}"
    ]
    with pytest.raises(ResolutionConflict) as refused:
        warned.plan(wanted("acme/embed>1"))
    assert refused.value.clauses == (
        "you require `acme/embed>1`",
        f"acme/embed 1.1.0 {reason}",
    )


def test_asking_for_a_dependency_makes_it_asked_for(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    operators.publish("acme/embed", "1.0.0", operators=["acme/blur"])
    install(installer, "acme/embed")
    install(installer, "acme/blur")
    receipt = installer.environment.receipt(names("acme/blur")[0])
    assert receipt is not None
    assert receipt.requested
    assert install(installer, "acme/blur").is_empty


def test_a_change_that_breaks_an_operator_which_stays_is_refused(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    operators.publish("acme/blur", "2.0.0")
    operators.publish("acme/embed", "1.0.0", operators=["acme/blur<2"])
    install(installer, "acme/embed")
    with pytest.raises(StillNeeded) as caught:
        installer.plan(wanted("acme/blur>=2"))
    assert str(caught.value) == (
        "acme/embed 1.0.0 needs `acme/blur<2`, and acme/blur would become 2.0.0"
    )
    assert caught.value.hint == (
        "Install `acme/embed` together with it, or use an environment of its own"
    )


def test_an_untrusted_source_is_refused_before_anything_is_fetched(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/embed", "1.0.0")
    untrusting = replace(installer, config=replace(installer.config, trusted=()))
    with pytest.raises(UntrustedPublisher):
        untrusting.plan(wanted("acme/embed"))
    assert not installer.store.root.exists()
    install(replace(untrusting, trust_all=True), "acme/embed")
    assert installed(installer.environment) == {"acme/embed": "1.0.0"}


def test_uninstalling_takes_the_receipt_and_leaves_the_store(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    install(installer, "acme/blur")
    (receipt,) = installer.environment.receipts()
    plan = installer.plan_uninstall(names("acme/blur"))
    assert steps(plan) == ["remove acme/blur 1.0.0"]
    installer.apply(plan)
    assert installed(installer.environment) == {}
    assert installer.store.has(receipt.tree)


def test_an_operator_that_another_needs_is_not_uninstalled(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    operators.publish("acme/embed", "1.0.0", operators=["acme/blur"])
    install(installer, "acme/embed")
    with pytest.raises(StillNeeded) as caught:
        installer.plan_uninstall(names("acme/blur"))
    assert str(caught.value) == "acme/embed 1.0.0 needs `acme/blur`"
    assert caught.value.hint == "Remove both: `hub uninstall acme/blur acme/embed`"
    installer.apply(installer.plan_uninstall(names("acme/blur", "acme/embed")))
    assert installed(installer.environment) == {}


def test_an_operator_that_is_not_here_cannot_be_uninstalled(
    installer: Installer,
) -> None:
    with pytest.raises(NotInstalled) as caught:
        installer.plan_uninstall(names("acme/blur"))
    assert str(caught.value) == "`acme/blur` is not installed"
    assert caught.value.hint == "`hub list` shows what is"


def test_an_operator_that_is_edited_in_its_folder_is_installed_again(
    installer: Installer, operators: OperatorFolder
) -> None:
    folder = operators.publish("acme/blur", "1.0.0")
    install(installer, "acme/blur")
    assert install(installer, "acme/blur").is_empty
    (folder / "echo" / "__init__.py").write_text("# better\n")
    assert steps(install(installer, "acme/blur")) == ["change acme/blur 1.0.0"]
    (receipt,) = installer.environment.receipts()
    assert receipt.tree == tree_digest(folder)


def test_a_dependency_that_is_edited_in_its_folder_is_installed_again(
    installer: Installer, operators: OperatorFolder
) -> None:
    folder = operators.publish("acme/blur", "1.0.0")
    operators.publish("acme/mix", "1.0.0", operators=["acme/blur"])
    install(installer, "acme/mix")
    assert install(installer, "acme/mix").is_empty
    (folder / "echo" / "__init__.py").write_text("# better\n")
    assert "change acme/blur 1.0.0" in steps(install(installer, "acme/mix"))


def test_a_tree_that_left_the_store_is_fetched_again(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    install(installer, "acme/blur")
    shutil.rmtree(installer.store.root)
    assert steps(install(installer, "acme/blur")) == ["change acme/blur 1.0.0"]
    (receipt,) = installer.environment.receipts()
    installer.store.verify(receipt.tree)


def test_a_tree_that_was_changed_in_the_store_is_not_installed(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    install(installer, "acme/blur")
    (receipt,) = installer.environment.receipts()
    installer.apply(installer.plan_uninstall(names("acme/blur")))
    code = installer.store.path(receipt.tree) / "echo" / "__init__.py"
    code.chmod(0o644)
    code.write_bytes(code.read_bytes().swapcase())
    folders = installer.environment.prefix, installer.store.root / "sha256"
    before = files(*folders)
    with pytest.raises(DigestMismatch) as caught:
        install(installer, "acme/blur")
    assert caught.value.subject == f"`{installer.store.path(receipt.tree)}`"
    assert caught.value.hint == "Delete that folder and install again"
    assert files(*folders) == before
    assert installed(installer.environment) == {}


def test_a_package_that_left_is_installed_again(
    installer: Installer, operators: OperatorFolder, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-tensor", "2.0")
    operators.publish("acme/blur", "1.0.0", packages=["hub-tensor"])
    install(installer, "acme/blur")
    (metadata,) = installer.environment.prefix.rglob("hub_tensor-2.0.dist-info")
    shutil.rmtree(metadata)
    plan = install(installer, "acme/blur")
    assert steps(plan) == ["keep acme/blur 1.0.0"]
    assert [str(pin) for pin in plan.packages.add] == ["hub-tensor 2.0"]
    assert installer.environment.installed_packages() == {"hub-tensor": "2.0"}


def test_a_package_is_changed_only_if_that_is_allowed(
    installer: Installer, operators: OperatorFolder, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-tensor", "1.0")
    operators.publish("acme/blur", "1.0.0", packages=["hub-tensor"])
    install(installer, "acme/blur")
    python_packages.add("hub-tensor", "2.0")
    operators.publish("acme/embed", "1.0.0", packages=["hub-tensor>=2"])
    folders = installer.environment.prefix, installer.store.root
    before = files(*folders)
    with pytest.raises(PackageChangeRefused) as caught:
        installer.plan(wanted("acme/embed"))
    assert str(caught.value) == (
        "Installed Python packages would change, and nothing was done\n"
        "  hub-tensor 1.0 to 2.0\n"
        "  acme/blur requires `hub-tensor`\n"
        "  acme/embed requires `hub-tensor>=2`"
    )
    assert (
        caught.value.hint
        == "Pass `--yes` to change them, or use an environment of its own"
    )
    assert files(*folders) == before
    installer.apply(installer.plan(wanted("acme/embed"), allow_changes=True))
    assert installer.environment.installed_packages() == {"hub-tensor": "2.0"}
