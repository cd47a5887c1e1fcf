"""Operators from git, from the first install to a repository that is gone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.git_servers import serve_http
from servers.operator_files import operator_files
from servers.python_packages import make_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.git_repository import GitRepository

    from hub_client.environment import Environment
    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]


@pytest.fixture(params=["file", pytest.param("http", marks=pytest.mark.slow)])
def source(request: pytest.FixtureRequest, repository: GitRepository) -> Iterator[str]:
    """The repository's source, over each protocol in turn."""
    if request.param == "file":
        yield f"git+{repository.url}"
    else:
        with serve_http(repository.path.parent) as server:
            yield f"git+{server.url}/{repository.path.name}"


def add(hub: Hub, source: str, into: Into) -> str:
    hub.said("trust", "add", source)
    return hub.said("add", "acme/embed", "--source", source, *into)


def locked(key: str) -> str:
    """A value of the lock's only operator."""
    lines = Path("hub.lock").read_text(encoding="utf-8").splitlines()
    (line,) = (each for each in lines if each.startswith(f"{key} = "))
    return line.partition(" = ")[2].strip('"')


def test_the_newest_tag_is_installed_and_pinned_to_its_commit(
    hub: Hub,
    repository: GitRepository,
    source: str,
    target: Environment,
    into: Into,
) -> None:
    repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    files = operator_files("acme/embed", "1.1.0")
    commit = repository.release("1.1.0", files, annotated=True)
    repository.release("2.0.0rc1", operator_files("acme/embed", "2.0.0rc1"))
    assert add(hub, source, into) == (
        "Locking\n"
        "Wrote `hub.toml`\n"
        "Wrote `hub.lock`\n"
        f"Resolved 1 operator from {source} in …\n"
        "+ acme/embed 1.1.0\n"
        "Installed 1 operator in …\n"
    )
    assert Path("hub.toml").read_text(encoding="utf-8") == (
        f'operators = [\n    "acme/embed",\n]\n\n[sources]\n"acme/embed" = "{source}"\n'
    )
    assert (locked("ref"), locked("revision")) == ("refs/tags/v1.1.0", commit)
    (receipt,) = target.receipts()
    assert (receipt.source, receipt.revision) == (source, commit)
    assert receipt.tree == locked("tree")


def test_an_untrusted_repository_is_refused_and_nothing_is_written(
    hub: Hub, repository: GitRepository, source: str, into: Into
) -> None:
    repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    assert hub.refused("add", "acme/embed", "--source", source, *into) == (
        "Locking\n"
        "error: An operator is its publisher's code, and these are not trusted\n"
        f"  acme/embed 1.0.0 from `{source}`\n"
        "\n"
        f"hint: Read the code, then run `hub trust add {source}`, "
        "or pass `--trust-once`\n"
    )
    assert list(Path().iterdir()) == []
    hub.said("trust", "add", source)
    hub.said("add", "acme/embed", "--source", source, *into)


def test_a_tag_that_was_moved_is_not_followed_and_is_told_at_the_next_lock(
    hub: Hub,
    repository: GitRepository,
    source: str,
    target: Environment,
    into: Into,
) -> None:
    before = repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    add(hub, source, into)
    moved = operator_files("acme/embed", "1.0.0", readme="moved")
    after = repository.release("1.0.0", moved)
    assert hub.said("lock") == "Nothing to change in `hub.lock`\n"
    assert hub.said("sync", "--locked", "--trust-once", *into) == (
        "The environment matches `hub.lock`\n"
    )
    hub_toml = Path("hub.toml")
    hub_toml.write_text(hub_toml.read_text().replace("embed", "embed<2", 1))
    assert hub.refused("lock", "--trust-once") == (
        "Locking\n"
        f"error: acme/embed 1.0.0 at `{source}` is not what was locked\n"
        f"  locked {before}\n"
        f"  found  {after}\n"
        "\n"
        "hint: Ask its publisher why the version changed; "
        "`hub lock --upgrade` accepts it\n"
    )
    assert locked("revision") == before
    hub.said("lock", "--upgrade", "--trust-once")
    assert locked("revision") == after
    hub.said("sync", "--trust-once", *into)
    (receipt,) = target.receipts()
    assert receipt.revision == after


def test_a_moved_tag_whose_commit_is_gone_names_both_commits(
    hub: Hub, repository: GitRepository, source: str, into: Into, tmp_path: Path
) -> None:
    before = repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    add(hub, source, into)
    files = operator_files("acme/embed", "1.0.0", readme="moved")
    tree = f"{repository.commit(files)}^{{tree}}"
    after = repository.git("commit-tree", "-m", "another history", tree)
    repository.branch("main", after)
    repository.tag("v1.0.0", after)
    repository.forget_unreachable()
    other = make_environment(tmp_path / "other")
    words = ("sync", "--locked", "--trust-once", "--python", other.prefix)
    shutil.rmtree(tmp_path / "home" / "cache")
    said = hub.refused(*words)
    assert said[said.index("error: ") :] == (
        "error: `refs/tags/v1.0.0` of acme/embed 1.0.0 was moved at "
        f"`{source.removeprefix('git+')}`\n"
        f"  expected commit {before}\n"
        f"  found    commit {after}\n"
        "\n"
        "hint: Ask its publisher why; if you accept the new commit, "
        "run `hub lock --upgrade`\n"
    )
    assert other.receipts() == ()


def test_a_repository_that_went_away_is_not_missed_by_who_has_its_tree(
    hub: Hub,
    repository: GitRepository,
    source: str,
    into: Into,
    tmp_path: Path,
) -> None:
    commit = repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    add(hub, source, into)
    shutil.rmtree(repository.path)
    other = make_environment(tmp_path / "other")
    words = ("sync", "--locked", "--trust-once", "--python", other.prefix)
    assert "Installed 1 operator in …\n" in hub.said(*words)
    cache = tmp_path / "home" / "cache"
    shutil.rmtree(cache)
    third = make_environment(tmp_path / "third")
    said = hub.refused(*words[:-1], third.prefix)
    assert said[said.index("error: ") :].startswith(
        f"error: Cannot fetch commit {commit} of acme/embed 1.0.0\n"
        f"  the copy in `{cache}/git/"
    )
    assert said.endswith(
        "\n\nhint: Check the address, your network and that you may read it; "
        "a machine that installed it has it in its store\n"
    )
    assert third.receipts() == ()


def test_offline_installs_what_was_fetched_before_and_nothing_else(
    hub: Hub, repository: GitRepository, source: str, into: Into, tmp_path: Path
) -> None:
    repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    flags = ("--source", source, "--trust-once", "--offline", "--no-project")
    assert hub.refused("install", "acme/embed", *flags, *into) == (
        f"error: Offline, and nothing of `{source.removeprefix('git+')}` "
        "was fetched before\n"
        "\n"
        "hint: Run again without `--offline`, or with HUB_OFFLINE=0\n"
    )
    add(hub, source, into)
    other = make_environment(tmp_path / "other")
    hub.said("install", "acme/embed", *flags, "--python", other.prefix)
    assert [str(each.version) for each in other.receipts()] == ["1.0.0"]


def test_a_repository_given_for_two_names_is_said_to_be_of_one(
    hub: Hub, repository: GitRepository
) -> None:
    repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    source = f"git+{repository.url}"
    names = ("acme/embed", "acme/blur")
    said = hub.refused("add", *names, "--source", source, "--trust-once")
    assert (
        "Because acme/blur 1.0.0 is another operator's: expected `acme/blur 1.0.0`, "
        "as its place says, got `acme/embed 1.0.0`\n\n"
        f"hint: See that `acme/blur` is from `{source}`; if it is, tell its publisher\n"
    ) in said
