"""An index told by a push, with real repositories."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from servers.git_repository import GitRepository
from servers.git_servers import serve_http
from servers.operator_files import operator_files

from hub_client.index.build import VersionChanged
from hub_client.index.entry import IndexEntry
from hub_client.publisher.index_target import IndexTarget, NotListed
from hub_client.publisher.remote import PushRefused
from hub_client.sources.rules import InvalidSource
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

EMBED = OperatorName.parse("acme/embed")
FILE = "operators/acme/embed.jsonl"


@pytest.fixture
def published(repository: GitRepository) -> GitRepository:
    repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    return repository


@pytest.fixture
def index(tmp_path: Path) -> GitRepository:
    return GitRepository.create(tmp_path / "repositories" / "index.git")


@pytest.fixture
def target(index: GitRepository, tmp_path: Path) -> IndexTarget:
    return IndexTarget(f"index+{index.url}", cache_dir=tmp_path / "cache")


def listed(index: GitRepository, branch: str = "main") -> list[str]:
    text = index.git("show", f"{branch}:{FILE}").encode() + b"\n"
    entry = IndexEntry.parse(EMBED, text, where=FILE)
    return [f"{each.version}{' yanked' * bool(each.yanked)}" for each in entry.versions]


def test_an_index_is_told_by_one_commit_that_keeps_all_else(
    published: GitRepository, index: GitRepository, target: IndexTarget
) -> None:
    before = index.commit({"list.txt": b"acme/embed\n", "README.md": b"# Ours\n"})
    updated = target.update(EMBED, f"git+{published.url}")
    assert not updated.is_proposal
    assert index.git("rev-parse", "main") == updated.commit
    assert index.git("rev-parse", "main^") == before
    assert index.git("log", "-1", "--format=%s", "main") == "acme/embed: add 1.0.0"
    assert index.git("diff", "--name-only", before, "main") == FILE
    assert listed(index) == ["1.0.0"]

    published.release("1.1.0", operator_files("acme/embed", "1.1.0"))
    published.tag("yanked-v1.0.0", published.git("rev-parse", "v1.0.0"))
    updated = target.update(EMBED)
    assert [each.kind for each in updated.changes] == ["yank", "add"]
    assert listed(index) == ["1.0.0 yanked", "1.1.0"]
    assert target.update(EMBED).commit is None


def test_an_empty_index_gets_its_first_commit(
    published: GitRepository, index: GitRepository, target: IndexTarget
) -> None:
    target.update(EMBED, f"git+{published.url}")
    assert listed(index) == ["1.0.0"]


def test_an_index_of_sha256_objects_is_told_as_any_other(
    published: GitRepository, tmp_path: Path
) -> None:
    long = GitRepository.create(tmp_path / "long.git", hashes="sha256")
    long.commit({"README.md": b"# Ours\n"})
    target = IndexTarget(f"index+{long.url}", cache_dir=tmp_path / "cache")
    assert target.update(EMBED, f"git+{published.url}").commit
    assert listed(long) == ["1.0.0"]


def test_a_proposal_is_a_branch_beside_the_one_in_use(
    published: GitRepository, index: GitRepository, target: IndexTarget
) -> None:
    before = index.commit({"README.md": b"# Ours\n"})
    source = f"git+{published.url}"
    proposed = target.update(EMBED, source, propose=True)
    assert proposed.is_proposal
    assert proposed.branch.startswith("hub/acme/embed-1.0.0-")
    assert index.git("rev-parse", "main") == before
    assert listed(index, proposed.branch) == ["1.0.0"]

    again = target.update(EMBED, source, propose=True)
    assert (again.branch, again.commit) == (proposed.branch, None)
    assert again.is_proposal


def test_of_two_at_once_both_are_listed(
    published: GitRepository, index: GitRepository, target: IndexTarget, tmp_path: Path
) -> None:
    index.commit({"README.md": b"# Ours\n"})
    sources = {}
    for name in ("acme/one", "acme/two", "acme/three"):
        other = GitRepository.create(tmp_path / "repositories" / f"{name[5:]}.git")
        other.release("1.0.0", operator_files(name, "1.0.0"))
        sources[OperatorName.parse(name)] = f"git+{other.url}"
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda pair: target.update(*pair), sources.items()))
    assert all(each.commit for each in done)
    files = index.git("ls-tree", "-r", "--name-only", "main", "operators").split()
    assert files == [f"operators/acme/{name}.jsonl" for name in ("one", "three", "two")]


@pytest.mark.slow  # takes more than a second
def test_who_is_slower_than_others_tries_again_and_is_not_sent_to_the_keeper(
    published: GitRepository,
    index: GitRepository,
    target: IndexTarget,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hub_client.publisher.index_target._PAUSES", (0.0, 0.0))
    index.commit({"README.md": b"# Ours\n"})
    hook = index.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        "#!/bin/sh\n[ $(git rev-list --count main) -gt 18 ] || git update-ref "
        "refs/heads/main $(git commit-tree -p main -m other main^{tree})\n"
    )
    hook.chmod(0o755)
    with pytest.raises(PushRefused) as caught:
        target.update(EMBED, f"git+{published.url}")
    assert caught.value.hint == "Somebody published there meanwhile: run this again"
    assert target.update(EMBED, f"git+{published.url}").commit
    assert listed(index) == ["1.0.0"]


def test_a_refused_push_leaves_the_index_and_says_what_its_keeper_can_take(
    published: GitRepository, index: GitRepository, target: IndexTarget
) -> None:
    before = index.commit({"README.md": b"# Ours\n"})
    hook = index.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho only for keepers >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PushRefused, match="only for keepers") as caught:
        target.update(EMBED, f"git+{published.url}")
    assert caught.value.hint == (
        "If only its keeper may write there, `--propose` pushes a branch that a pull "
        "request can take"
    )
    assert index.git("rev-parse", "main") == before


def test_a_version_that_changed_since_it_was_listed_is_refused(
    published: GitRepository, index: GitRepository, target: IndexTarget
) -> None:
    target.update(EMBED, f"git+{published.url}")
    before = index.git("rev-parse", "main")
    published.release("1.0.0", operator_files("acme/embed", "1.0.0", more="evil"))
    with pytest.raises(VersionChanged, match="is not what was indexed"):
        target.update(EMBED)
    assert index.git("rev-parse", "main") == before


def test_what_nobody_could_find_is_not_told(
    index: GitRepository, target: IndexTarget, tmp_path: Path
) -> None:
    index.commit({"README.md": b"# Ours\n"})
    with pytest.raises(NotListed, match="does not list acme/embed"):
        target.update(EMBED)
    with pytest.raises(InvalidSource, match="expected an index, got 'git"):
        IndexTarget("git+https://acme.example/i.git", cache_dir=tmp_path)
    with pytest.raises(InvalidSource, match="got 'dir:/srv/embed'"):
        target.update(EMBED, "dir:/srv/embed")
    far = IndexTarget("index+https://acme.example/i.git", cache_dir=tmp_path)
    with pytest.raises(InvalidSource, match="is a path of this machine, and"):
        far.check("git+file:///srv/embed.git")
    with pytest.raises(InvalidSource, match="is a path of this machine, and"):
        far.update(EMBED, "git+file:///srv/embed.git")


def test_an_index_does_not_have_its_keeper_read_a_path_of_theirs(
    published: GitRepository, index: GitRepository, target: IndexTarget, tmp_path: Path
) -> None:
    target.update(EMBED, f"git+{published.url}")
    published.release("1.1.0", operator_files("acme/embed", "1.1.0"))
    with serve_http(index.path.parent) as server:
        spec = f"index+{server.url}/{index.path.name}"
        far = IndexTarget(spec, cache_dir=tmp_path / "cache")
        with pytest.raises(InvalidSource, match="is a path of this machine, and"):
            far.update(EMBED)
