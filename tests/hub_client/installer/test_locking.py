"""From a project to its lock, and from a lock to an environment."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet
from servers.operator_files import operator_files
from servers.python_packages import make_environment

from hub_client.installer import OtherPython
from hub_client.locker import RevisionChanged, lock_project
from hub_client.lockfile import Lockfile
from hub_client.packages import InstallerMissing, PackageConflict, open_installer
from hub_client.project import Project
from hub_client.tree_digest import DigestMismatch
from hub_client.trust import UntrustedPublisher
from plugin_spec import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from servers.git_repository import GitRepository
    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.installer import Installer


def project_of(*operators: str) -> Project:
    listed = ", ".join(f'"{each}"' for each in operators)
    return Project.parse(Path.cwd() / "hub.toml", f"operators = [{listed}]\n")


def lock(
    installer: Installer,
    project: Project,
    previous: Lockfile | None = None,
    kind: str = "uv",
) -> Lockfile:
    return lock_project(
        project,
        router=installer.router,
        store=installer.store,
        config=installer.config,
        installer=open_installer(kind),
        previous=previous,
    )


def versions(locked: Lockfile) -> dict[str, str]:
    return {str(each.name): str(each.version) for each in locked.operators}


def sync(installer: Installer, locked: Lockfile) -> None:
    installer.apply(installer.plan_sync(locked))


def test_a_lock_is_refused_where_the_python_is_not_one_that_it_serves(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/embed", "1.0.0")
    locked = lock(installer, project_of("acme/embed"))
    (embed,) = locked.operators
    older = replace(embed, requires_python=SpecifierSet("<3.11"))
    inputs = ("operator acme/embed", "python >=3.99")
    for other in (replace(locked, inputs=inputs), replace(locked, operators=(older,))):
        with pytest.raises(OtherPython):
            installer.plan_sync(other)
    with pytest.raises(OtherPython) as caught:
        installer.plan_pinned(
            [Requirement.parse("acme/embed")],
            replace(locked, inputs=inputs, operators=(older,)),
        )
    assert str(caught.value) == (
        f"`hub.lock` is not for Python {installer.environment.python_version}\n"
        "  The project requires Python `>=3.99`\n"
        "  acme/embed 1.0.0 requires Python `<3.11`"
    )


def test_the_same_project_gives_the_same_bytes(
    installer: Installer, operators: OperatorFolder, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-tensor", "2.0", requires=["hub-array"])
    python_packages.add("hub-array", "1.0")
    operators.publish("acme/blur", "1.0.0", packages=["hub-tensor"])
    operators.publish("acme/embed", "1.0.0", operators=["acme/blur"])
    project = project_of("acme/embed")
    first = lock(installer, project)
    assert versions(first) == {"acme/blur": "1.0.0", "acme/embed": "1.0.0"}
    assert [each.name for each in first.packages] == ["hub-array", "hub-tensor"]
    assert lock(installer, project, first).dumps() == first.dumps()
    assert lock(installer, project).dumps() == first.dumps()


def test_what_is_locked_stays_until_it_is_upgraded(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    project = project_of("acme/blur")
    first = lock(installer, project)
    operators.publish("acme/blur", "1.1.0")
    assert versions(lock(installer, project, first)) == {"acme/blur": "1.0.0"}
    assert versions(lock(installer, project)) == {"acme/blur": "1.1.0"}


@pytest.mark.parametrize(
    ("asked", "files"),
    [
        (["acme/own"], ["tokenizer.json"]),
        (["acme/own", "acme/other"], ["default.safetensors", "tokenizer.json"]),
        (["acme/own", "acme/caller"], ["default.safetensors", "tokenizer.json"]),
        (["acme/own", "acme/embed"], ["default.safetensors", "tokenizer.json"]),
    ],
)
def test_weights_that_every_call_brings_itself_are_not_locked(
    installer: Installer, operators: OperatorFolder, asked: list[str], files: list[str]
) -> None:
    weights = [
        {
            "for": {"model": "a", "checkpoint_path": None},
            "repo": "acme/a",
            "file": "default.safetensors",
        },
        {"repo": "acme/a", "file": "tokenizer.json"},
    ]
    text = {"type": ["string", "null"], "default": None}
    options = {"model": text, "checkpoint_path": text}
    embed = operators.publish("acme/embed", "1.0.0") / "operator.yaml"
    with embed.open("a", encoding="utf-8") as manifest:
        manifest.write(f"parameters: {json.dumps(options)}\n")
        manifest.write(f"weights: {json.dumps(weights)}\n")
    operators.publish("acme/caller", "1.0.0", operators=["acme/embed"])
    own = {"checkpoint_path": {"file": "own.txt"}}
    for name, given in (("acme/own", own), ("acme/other", {"model": "a"})):
        steps = [{"operator": "acme/embed", "with": given}]
        pipeline = operators.publish(name, "1.0.0", own="") / "operator.yaml"
        said = pipeline.read_text(encoding="utf-8")
        said = said.replace("kind: operator", "kind: pipeline")
        said = said.replace("module: echo", f"steps: {json.dumps(steps)}")
        pipeline.write_text(said, encoding="utf-8")
    locked = Lockfile.loads(lock(installer, project_of(*asked)).dumps())
    found = locked.operator(OperatorName.parse("acme/embed"))
    assert found is not None
    assert [each.file for each in found.weights] == files


def test_locked_packages_stay_as_long_as_they_fit(
    installer: Installer, operators: OperatorFolder, python_packages: PackageFolder
) -> None:
    for name in ("hub-array", "hub-tensor"):
        python_packages.add(name, "1.0")
    on_linux = "hub-array; sys_platform == 'linux'"
    operators.publish("acme/blur", "1.0.0", packages=["hub-tensor", on_linux])
    project = project_of("acme/blur")
    first = lock(installer, project)
    for name in ("hub-array", "hub-tensor"):
        python_packages.add(name, "2.0")
    assert lock(installer, project, first).packages == first.packages
    assert {each.version for each in lock(installer, project).packages} == {"2.0"}
    operators.publish("acme/rank", "1.0.0", packages=["hub-tensor>=2"])
    more = lock(installer, project_of("acme/blur", "acme/rank"), first)
    assert {each.name: each.version for each in more.packages} == {
        "hub-array": "1.0",
        "hub-tensor": "2.0",
    }


def test_locking_takes_nothing_from_an_untrusted_source(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    untrusting = replace(installer, config=replace(installer.config, trusted=()))
    with pytest.raises(UntrustedPublisher):
        lock(untrusting, project_of("acme/blur"))
    assert not installer.store.root.exists()
    locked = lock(installer, project_of("acme/blur"))
    with pytest.raises(UntrustedPublisher):
        untrusting.plan_sync(locked)


def test_packages_that_exclude_one_another_name_their_operators(
    installer: Installer, operators: OperatorFolder, python_packages: PackageFolder
) -> None:
    python_packages.add("hub-tensor", "1.0")
    python_packages.add("hub-tensor", "2.0")
    operators.publish("acme/blur", "1.0.0", packages=["hub-tensor<2"])
    operators.publish("acme/embed", "1.0.0", packages=["hub-tensor>=2"])
    with pytest.raises(PackageConflict) as caught:
        lock(installer, project_of("acme/blur", "acme/embed"))
    assert list(map(str, caught.value.operators)) == ["acme/blur", "acme/embed"]


def test_pip_alone_cannot_lock(
    installer: Installer, operators: OperatorFolder, python_packages: PackageFolder
) -> None:
    operators.publish("acme/blur", "1.0.0", packages=["hub-tensor"])
    with pytest.raises(InstallerMissing) as caught:
        lock(installer, project_of("acme/blur"), kind="pip")
    assert str(caught.value) == (
        "A lock is for every platform, which needs uv, and uv cannot be found"
    )


def test_a_lock_gives_a_second_environment_the_same(
    installer: Installer,
    operators: OperatorFolder,
    python_packages: PackageFolder,
    tmp_path: Path,
) -> None:
    python_packages.add("hub-tensor", "2.0")
    operators.publish("acme/blur", "1.0.0", packages=["hub-tensor"])
    locked = lock(installer, project_of("acme/blur"))
    operators.publish("acme/blur", "2.0.0")
    python_packages.add("hub-tensor", "3.0")
    other = replace(installer, environment=make_environment(tmp_path / "other"))
    sync(installer, locked)
    sync(other, locked)
    assert other.environment.receipts() == installer.environment.receipts()
    assert other.environment.installed_packages() == {"hub-tensor": "2.0"}
    assert other.plan_sync(locked).is_empty


def test_files_that_are_not_the_locked_ones_are_refused(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/blur", "1.0.0")
    locked = lock(installer, project_of("acme/blur"))
    (pinned,) = locked.operators
    wrong = replace(pinned, tree=f"sha256:{'0' * 64}")
    tampered = replace(locked, operators=(wrong,))
    with pytest.raises(DigestMismatch) as caught:
        sync(installer, tampered)
    assert (caught.value.expected, caught.value.actual) == (wrong.tree, pinned.tree)
    assert str(caught.value) == (
        f"The files of acme/blur 1.0.0 from `{pinned.source}` are not the expected "
        "ones\n"
        f"  expected {wrong.tree}\n"
        f"  found    {pinned.tree}"
    )
    assert caught.value.hint == (
        "Ask its publisher, and who wrote the lock or index that says otherwise"
    )
    assert installer.environment.receipts() == ()


def test_a_folder_that_was_edited_is_locked_anew_and_cannot_pass_for_the_old(
    installer: Installer, operators: OperatorFolder
) -> None:
    folder = operators.publish("acme/blur", "1.0.0")
    project = project_of("acme/blur")
    locked = lock(installer, project)
    (folder / "echo" / "__init__.py").write_text("# better\n")
    # The store has what was locked: nothing is asked of the folder.
    sync(installer, locked)
    shutil.rmtree(installer.store.root)
    with pytest.raises(DigestMismatch):
        sync(installer, locked)
    assert lock(installer, project, locked) != locked


def from_git(installer: Installer, repository: GitRepository) -> Installer:
    spec = f"git+{repository.url}"
    config = replace(installer.config, sources={"*": spec}, trusted=(spec,))
    router = type(installer.router)(config.sources, cache_dir=config.cache_dir)
    return replace(installer, config=config, router=router)


def test_a_tag_that_was_moved_is_told_with_both_commits(
    installer: Installer, repository: GitRepository
) -> None:
    before = repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    installer = from_git(installer, repository)
    project = project_of("acme/embed")
    locked = lock(installer, project)
    files = operator_files("acme/embed", "1.0.0", readme="moved")
    after = repository.release("1.0.0", files)
    with pytest.raises(RevisionChanged) as caught:
        lock(installer, project, locked)
    assert str(caught.value) == (
        f"acme/embed 1.0.0 at `git+{repository.url}` is not what was locked\n"
        f"  locked {before}\n"
        f"  found  {after}"
    )
    assert caught.value.hint == (
        "Ask its publisher why the version changed; `hub lock --upgrade` accepts it"
    )
    sync(installer, locked)
    (receipt,) = installer.environment.receipts()
    assert receipt.revision == before
    assert lock(installer, project).operators[0].revision == after


def test_a_branch_with_the_name_of_a_tag_is_not_taken(
    installer: Installer, repository: GitRepository
) -> None:
    released = repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    other = operator_files("acme/embed", "1.0.0", readme="a branch")
    repository.branch("v1.0.0", repository.commit(other))
    locked = lock(from_git(installer, repository), project_of("acme/embed"))
    (pinned,) = locked.operators
    assert (pinned.revision, pinned.ref) == (released, "refs/tags/v1.0.0")


def test_a_repository_that_went_away_is_not_missed(
    installer: Installer, repository: GitRepository
) -> None:
    repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    installer = from_git(installer, repository)
    locked = lock(installer, project_of("acme/embed"))
    shutil.rmtree(repository.path)
    sync(installer, locked)
    (receipt,) = installer.environment.receipts()
    installer.store.verify(receipt.tree)
