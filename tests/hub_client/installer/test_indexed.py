"""From an index to an environment, and to a lock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.git_repository import GitRepository
from servers.index_files import IndexRepository, digest_of
from servers.operator_files import operator_files

from hub_client.config import HubConfig
from hub_client.installer import Installer
from hub_client.locker import lock_project
from hub_client.packages import open_installer
from hub_client.project import Project
from hub_client.sources.git import TagMoved
from hub_client.sources.index import IndexDisagrees
from hub_client.sources.router import SourceRouter
from hub_client.store import Store
from hub_client.tree_digest import DigestMismatch
from hub_client.trust import UntrustedPublisher, add_trusted
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment
    from hub_client.lockfile import Lockfile

FILES = operator_files("acme/embed", "1.0.0", operators=["acme/decode>=1"])
DECODE = operator_files("acme/decode", "1.2.0")
EMBED = Requirement.parse("acme/embed")


@pytest.fixture
def index(tmp_path: Path, repository: GitRepository) -> IndexRepository:
    """An index of acme/embed, and of acme/decode, which that needs."""
    index = IndexRepository(GitRepository.create(tmp_path / "index.git"))
    decode = GitRepository.create(tmp_path / "repositories" / "decode.git")
    commit = repository.release("1.0.0", FILES)
    index.list(f"git+{repository.url}", commit, FILES)
    index.list(f"git+{decode.url}", decode.release("1.2.0", DECODE), DECODE)
    index.commit()
    return index


def installer(index: IndexRepository, target: Environment) -> Installer:
    """Takes every operator from the index, as a new process would."""
    config = HubConfig.load(sources={"*": index.spec})
    router = SourceRouter(
        config.sources, cache_dir=config.cache_dir, offline=config.offline
    )
    return Installer(target, Store(config.cache_dir / "store"), router, config)


def trust(repository: GitRepository) -> None:
    folder = f"git+file://{repository.path.parent}"
    add_trusted(HubConfig.load().config_dir, folder)


def install(installer: Installer) -> None:
    installer.apply(installer.plan([EMBED]))


def lock(installer: Installer) -> Lockfile:
    return lock_project(
        Project.parse(Path.cwd() / "hub.toml", 'operators = ["acme/embed"]\n'),
        router=installer.router,
        store=installer.store,
        config=installer.config,
        installer=open_installer("uv"),
    )


def test_trust_is_asked_for_the_operators_own_source(
    index: IndexRepository, repository: GitRepository, target: Environment
) -> None:
    add_trusted(HubConfig.load().config_dir, f"git+{index.repository.url}")

    with pytest.raises(UntrustedPublisher) as error:
        installer(index, target).plan([EMBED])

    decode = repository.url.replace("embed", "decode")
    assert str(error.value) == (
        "An operator is its publisher's code, and these are not trusted\n"
        f"  acme/decode 1.2.0 from `git+{decode}`\n"
        f"  acme/embed 1.0.0 from `git+{repository.url}`"
    )


def test_an_installed_operator_says_where_it_is_from(
    index: IndexRepository, repository: GitRepository, target: Environment
) -> None:
    trust(repository)

    install(installer(index, target))

    receipt = target.receipt(EMBED.name)
    assert receipt is not None
    assert receipt.source == f"git+{repository.url}"
    assert receipt.tree == digest_of(FILES)


def test_what_is_installed_through_an_index_needs_it_no_more(
    index: IndexRepository, repository: GitRepository, target: Environment
) -> None:
    trust(repository)
    install(installer(index, target))
    index.repository.path.rename(index.repository.path.with_suffix(".away"))

    assert installer(index, target).plan([EMBED]).is_empty


def test_offline_after_one_fetch_an_index_resolves(
    index: IndexRepository,
    repository: GitRepository,
    target: Environment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trust(repository)
    install(installer(index, target))
    monkeypatch.setenv("HUB_OFFLINE", "1")
    for folder in (index.repository.path, repository.path):
        folder.rename(folder.with_suffix(".away"))
    for receipt in target.receipts():
        target.remove_receipt(receipt.name)

    install(installer(index, target))

    assert target.receipt(EMBED.name) is not None


@pytest.mark.parametrize("warm", [False, True])
def test_a_moved_tag_is_refused_with_both_commits(
    index: IndexRepository,
    repository: GitRepository,
    target: Environment,
    *,
    warm: bool,
) -> None:
    trust(repository)
    if warm:
        install(installer(index, target))
        for receipt in target.receipts():
            target.remove_receipt(receipt.name)
    commit = repository.git("rev-parse", "v1.0.0^{commit}")
    moved = repository.release(
        "1.0.0", operator_files("acme/embed", "1.0.0", readme="moved")
    )
    new = installer(index, target)

    for act in (install, lock):
        with pytest.raises(TagMoved) as error:
            act(new)
        assert str(error.value) == (
            f"`refs/tags/v1.0.0` of acme/embed was moved at `git+{repository.url}`\n"
            f"  indexed commit {commit}\n"
            f"  found   commit {moved}"
        )

    assert target.receipts() == ()
    assert new.store.has(digest_of(FILES)) == warm


def test_what_was_yanked_and_is_not_yet_in_the_index_is_told(
    index: IndexRepository, repository: GitRepository, target: Environment
) -> None:
    trust(repository)
    commit = repository.git("rev-parse", "v1.0.0^{commit}")
    repository.git("tag", "-a", "-m", "halos on dark edges", "yanked-v1.0.0", commit)
    warned: list[str] = []

    install(replace(installer(index, target), warn=warned.append))

    (said,) = warned
    assert said == (
        f"acme/embed 1.0.0 was yanked at `git+{repository.url}`, which its index does "
        "not say yet: halos on dark edges"
    )
    warned.clear()
    index.lines["operators/acme/embed.jsonl"].clear()
    index.list(f"git+{repository.url}", commit, FILES, yanked="halos on dark edges")
    index.commit()
    for receipt in target.receipts():
        target.remove_receipt(receipt.name)
    pinned = replace(installer(index, target), warn=warned.append)
    pinned.apply(pinned.plan([Requirement.parse("acme/embed==1.0.0")]))
    assert warned == ["acme/embed 1.0.0 was yanked: halos on dark edges"]


def test_what_is_gone_from_its_source_is_told(
    index: IndexRepository, repository: GitRepository, target: Environment
) -> None:
    trust(repository)
    repository.delete_tag("v1.0.0")
    warned: list[str] = []
    install(replace(installer(index, target), warn=warned.append))
    (said,) = warned
    gone = f"acme/embed 1.0.0 is gone from `git+{repository.url}`"
    assert said == f"{gone}, and its index still lists it"


def test_a_source_that_does_not_answer_takes_nothing_back(
    index: IndexRepository, repository: GitRepository, target: Environment
) -> None:
    trust(repository)
    install(installer(index, target))
    before = target.receipts()
    for receipt in before:
        target.remove_receipt(receipt.name)
    repository.path.rename(repository.path.with_suffix(".away"))

    install(installer(index, target))

    assert target.receipts() == before


def test_a_lock_made_through_an_index_is_used_without_it(
    index: IndexRepository,
    repository: GitRepository,
    target: Environment,
    python_packages: PackageFolder,
) -> None:
    del python_packages
    trust(repository)
    locked = lock(installer(index, target))
    pinned = locked.operator(EMBED.name)
    assert pinned is not None
    assert pinned.source == f"git+{repository.url}"
    assert pinned.tree == digest_of(FILES)
    index.repository.path.rename(index.repository.path.with_suffix(".away"))

    elsewhere = replace(
        installer(index, target), store=Store(Path.cwd() / "empty-store")
    )
    elsewhere.apply(elsewhere.plan_sync(locked))

    assert target.receipt(EMBED.name) is not None


def test_files_that_are_not_those_of_the_index_are_refused(
    index: IndexRepository, repository: GitRepository, target: Environment
) -> None:
    trust(repository)
    files = operator_files("acme/embed", "1.1.0")
    commit = repository.release("1.1.0", files)
    index.list(f"git+{repository.url}", commit, files, tree=digest_of(FILES))
    index.commit()

    with pytest.raises(DigestMismatch):
        install(installer(index, target))
    assert target.receipt(EMBED.name) is None


def test_packages_that_only_the_index_asks_for_are_not_installed(
    index: IndexRepository,
    repository: GitRepository,
    target: Environment,
    python_packages: PackageFolder,
) -> None:
    python_packages.add("evil", "1.0")
    trust(repository)
    commit = repository.release("1.1.0", operator_files("acme/embed", "1.1.0"))
    forged = operator_files("acme/embed", "1.1.0", packages=["evil"])
    index.list(
        f"git+{repository.url}",
        commit,
        forged,
        tree=digest_of(operator_files("acme/embed", "1.1.0")),
    )
    index.commit()

    with pytest.raises(IndexDisagrees):
        install(installer(index, target))

    assert "evil" not in target.installed_packages()
    assert target.receipt(EMBED.name) is None
    with pytest.raises(IndexDisagrees):
        lock(installer(index, target))
