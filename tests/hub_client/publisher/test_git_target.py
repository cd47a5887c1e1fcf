"""Publishing to real repositories: what arrives, what does not, and what is refused."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from servers.git_servers import GitHttpServer, serve_http
from servers.operator_files import operator_files

from hub_client import git_commands
from hub_client.git_url import parse_git_url
from hub_client.publisher import open_target
from hub_client.publisher.contents import NotItsOwn
from hub_client.publisher.git_target import Diverged
from hub_client.publisher.pinned import NotPublished, find_release
from hub_client.publisher.publication import CheckFailed, VersionTaken, prepare
from hub_client.publisher.remote import PushRefused, PushUnanswered, Remote
from hub_client.publisher.scratch_repository import (
    NoIdentity,
    ScratchRepository,
    ScratchUnwritable,
)
from hub_client.publisher.work_tree import Unpublishable
from hub_client.publisher.workspace import open_workspace
from hub_client.store import MAKE_ROOM, CacheUnwritable
from plugin_spec.errors import HubError
from plugin_spec.names import OperatorName
from tests.hub_client.publisher.conftest import Author

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.git_repository import GitRepository

    from hub_client.candidate import Release
    from hub_client.publisher import Target
    from hub_client.publisher.publication import Publication

NAME = OperatorName.parse("acme/embed")


@dataclass(frozen=True, slots=True)
class Publisher:
    target: Target
    folder: Path

    def publish(self, path: Path, *, allow_older: bool = False) -> str:
        files = self.folder / "files"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        published = self.target.releases(NAME)
        prepared = prepare(path, files, published=published, allow_older=allow_older)
        return self.target.publish(prepared)

    def versions(self) -> list[str]:
        return sorted(str(each.version) for each in self.target.releases(NAME))

    def release(self, version: str) -> Release:
        (found,) = (r for r in self.target.releases(NAME) if str(r.version) == version)
        return found


@pytest.fixture
def publisher(repository: GitRepository, tmp_path: Path) -> Publisher:
    spec = f"git+{repository.url}"
    target = open_target(spec, NAME, cache_dir=tmp_path / "cache")
    return Publisher(target, tmp_path / "publishing")


def files_at(repository: GitRepository, revision: str) -> list[str]:
    return repository.git("ls-tree", "-r", "--name-only", revision).splitlines()


PLAIN = ["LICENSE", "README.md", "echo/__init__.py", "operator.yaml"]


def test_a_plain_folder_is_published_as_a_commit_of_its_files(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    commit = publisher.publish(author.folder)
    assert publisher.release("1.0.0").revision == commit
    assert repository.git("rev-parse", "main") == commit
    assert files_at(repository, "v1.0.0") == PLAIN
    assert repository.git("log", "-1", "--format=%an: %s", commit) == (
        "Ann Author: acme/embed 1.0.0"
    )


def test_what_is_ignored_or_made_by_running_stays_at_home(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    author.write(
        "1.0.0",
        **{
            ".gitignore": b"*.log\n",
            "noise.log": b"",
            "echo/__pycache__/x.pyc": b"",
            ".venv/pyvenv.cfg": b"",
            ".venv/lib/secret.py": b"",
        },
    )
    publisher.publish(author.folder)
    assert files_at(repository, "v1.0.0") == [".gitignore", *PLAIN]


def test_the_second_version_follows_the_first(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    first = publisher.publish(author.folder)
    author.write("1.1.0")
    (author.folder / "README.md").write_bytes(b"# Echo, again\n")
    second = publisher.publish(author.folder)
    assert repository.git("rev-parse", f"{second}^", "main") == f"{first}\n{second}"


def test_files_go_to_the_branch_that_the_repository_shows(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    repository.branch("trunk", repository.commit({"README.md": b"Empty\n"}))
    repository.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    commit = publisher.publish(author.folder)
    assert repository.git("rev-parse", "trunk") == commit
    assert files_at(repository, "trunk") == PLAIN


@pytest.mark.parametrize("branches", [["main", "other"], ["other", "trunk"]])
def test_where_no_branch_is_shown_a_version_follows_what_is_there(
    publisher: Publisher, author: Author, repository: GitRepository, branches: list[str]
) -> None:
    first = publisher.publish(author.folder)
    repository.git("update-ref", "--no-deref", "HEAD", first)
    repository.git("update-ref", "-d", "refs/heads/main")
    for branch in branches:
        repository.branch(branch, first)
    author.write("1.1.0")
    second = publisher.publish(author.folder)
    assert (
        repository.git("rev-parse", f"{second}^", branches[0]) == f"{first}\n{second}"
    )
    names = repository.git("for-each-ref", "--format=%(refname:short)", "refs/heads")
    assert names.split() == branches


def test_a_branch_with_an_end_of_line_in_its_name_hinders_nothing(
    publisher: Publisher, author: Author, repository: GitRepository
) -> None:
    publisher.publish(author.folder)
    repository.git("branch", "one\u2028two\x85three", "main")
    author.write("1.1.0")
    publisher.publish(author.folder)
    assert repository.git("tag") == "v1.0.0\nv1.1.0"


def test_a_repository_of_sha256_objects_is_published_as_any_other(
    author: Author, tmp_path: Path
) -> None:
    words = ("init", "--quiet", "--bare", "--object-format=sha256")
    author.git(*words, str(tmp_path / "long.git"))
    author.git("init", "--quiet", "--object-format=sha256")
    commit = author.commit()
    spec = f"git+file://{tmp_path}/long.git"
    target = open_target(spec, NAME, cache_dir=tmp_path / "cache")
    publisher = Publisher(target, tmp_path / "publishing")
    assert publisher.publish(author.folder) == commit
    assert publisher.release("1.0.0").revision == commit
    assert find_release(target, NAME, Version("1.0.0")).revision == commit
    target.yank(publisher.release("1.0.0"), "too dark")
    assert publisher.release("1.0.0").yanked == "too dark"
    target.restore(publisher.release("1.0.0"))
    assert publisher.release("1.0.0").yanked is None
    shutil.rmtree(author.folder / ".git")
    author.write("1.1.0")
    assert len(publisher.publish(author.folder)) == 64


def test_of_a_work_tree_the_authors_own_commit_is_published(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    commit = author.commit()
    assert publisher.publish(author.folder) == commit
    assert repository.git("rev-parse", "main", "v1.0.0") == f"{commit}\n{commit}"
    assert author.git("tag", "--list") == ""


def test_a_clean_clone_can_publish(
    publisher: Publisher, repository: GitRepository, author: Author, tmp_path: Path
) -> None:
    commit = author.commit()
    author.git("push", "--quiet", repository.url, "main")
    clone = tmp_path / "clone"
    author.git("clone", "--quiet", "--depth=1", repository.url, str(clone))
    assert publisher.publish(clone) == commit
    assert publisher.versions() == ["1.0.0"]


def test_a_linked_work_tree_can_publish(
    publisher: Publisher, author: Author, tmp_path: Path
) -> None:
    commit = author.commit()
    linked = tmp_path / "linked"
    author.git("worktree", "add", "--quiet", "--detach", str(linked))
    assert publisher.publish(linked) == commit


def test_the_authors_own_tag_is_the_one_that_is_pushed(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    author.commit()
    author.git("tag", "-a", "-m", "First", "v1.0.0")
    publisher.publish(author.folder)
    tag = author.git("rev-parse", "v1.0.0")
    assert repository.git("rev-parse", "v1.0.0") == tag
    assert repository.git("cat-file", "-t", "v1.0.0") == "tag"


def test_a_tag_of_the_author_at_another_commit_is_refused(
    publisher: Publisher, author: Author
) -> None:
    first = author.commit()
    author.git("tag", "v1.0.0")
    (author.folder / "README.md").write_bytes(b"# Mended\n")
    second = author.commit()
    with pytest.raises(HubError) as caught:
        publisher.publish(author.folder)
    assert str(caught.value) == (
        "The tag `v1.0.0` here names another commit\n"
        f"  it names       {first}\n"
        f"  checked out is {second}"
    )
    assert publisher.versions() == []


def test_a_folder_of_a_larger_work_tree_is_published_alone(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    top = author.folder.parent
    (top / "secret.txt").write_bytes(b"not for others")
    author.commit(top)
    publisher.publish(author.folder)
    assert files_at(repository, "v1.0.0") == PLAIN


def test_a_dirty_tree_is_refused_and_nothing_is_pushed(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    author.commit()
    author.write("1.0.0", **{"notes.txt": b"", "README.md": b"# Changed\n"})
    (author.folder / "LICENSE").unlink()
    with pytest.raises(Unpublishable) as caught:
        publisher.publish(author.folder)
    assert str(caught.value) == (
        f"`{author.folder}` cannot be published as it stands\n"
        "  'LICENSE' is committed, and not here\n"
        "  'README.md' is not as committed\n"
        "  'notes.txt' is not committed"
    )
    assert caught.value.hint == (
        "Commit it, or name it in `.gitignore`, and run this again"
    )
    (author.folder / "notes.txt").unlink()
    with pytest.raises(Unpublishable) as caught:
        publisher.publish(author.folder)
    assert caught.value.hint == "Commit what changed, or restore it, and run this again"
    assert repository.git("for-each-ref") == ""


def test_a_file_that_git_rewrites_as_it_is_checked_out_is_named(
    publisher: Publisher, author: Author
) -> None:
    attributes = b"*.id ident\n*.key filter=secret\n*.bin filter=lfs\n"
    files = {".gitattributes": attributes, "a.id": b"$Id$\n", "a.bin": b"1"}
    author.write("1.0.0", **files, **{"a.key": b"KEY"})
    author.commit()
    (author.folder / "a.id").unlink()
    author.git("checkout", "--quiet", "a.id")
    author.write("1.0.0", **{"a.key": b"key", "a.bin": b"2"})
    with pytest.raises(Unpublishable) as caught:
        publisher.publish(author.folder)
    assert caught.value.problems == (
        "'a.bin' is not as committed",
        "'a.id' is not as committed: `.gitattributes` gives it `ident`",
        "'a.key' is not as committed: `.gitattributes` gives it `filter`",
    )
    assert caught.value.hint == (
        "Users get files as they are committed: "
        "commit them so, without such an attribute"
    )


def pointer(content: bytes) -> bytes:
    oid = hashlib.sha256(content).hexdigest()
    head = "version https://git-lfs.github.com/spec/v1"
    return f"{head}\noid sha256:{oid}\nsize {len(content)}\n".encode()


def test_a_file_that_lfs_keeps_is_not_published_as_its_pointer(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    weights = b"weights" * 99
    author.write("1.0.0", **{"model.safetensors": pointer(weights)})
    author.commit()
    with pytest.raises(
        Unpublishable, match=r"is a Git LFS pointer: run `git lfs pull`"
    ):
        publisher.publish(author.folder)
    (author.folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(Unpublishable, match=r"'model.safetensors' is kept by Git LFS"):
        publisher.publish(author.folder)
    assert repository.git("for-each-ref") == ""


def test_what_is_staged_and_not_committed_is_dirty(
    publisher: Publisher, author: Author
) -> None:
    author.commit()
    (author.folder / "more.txt").write_bytes(b"")
    author.git("add", "more.txt")
    with pytest.raises(Unpublishable, match=r"'more.txt' is not committed"):
        publisher.publish(author.folder)


def test_a_work_tree_without_a_commit_is_refused(
    publisher: Publisher, author: Author
) -> None:
    author.git("init", "--quiet")
    with pytest.raises(Unpublishable, match="nothing is committed yet"):
        publisher.publish(author.folder)


def test_an_existing_version_is_refused(publisher: Publisher, author: Author) -> None:
    publisher.publish(author.folder)
    (author.folder / "README.md").write_bytes(b"# Another\n")
    with pytest.raises(VersionTaken) as caught:
        publisher.publish(author.folder)
    assert str(caught.value) == "acme/embed 1.0.0 is published already"


def test_an_older_version_needs_to_be_told_and_leaves_the_branch_alone(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    author.write("2.0.0")
    newest = publisher.publish(author.folder)
    author.write("1.0.1")
    with pytest.raises(VersionTaken) as caught:
        publisher.publish(author.folder)
    assert str(caught.value) == (
        "acme/embed 2.0.0 is published, which is newer than 1.0.1"
    )
    publisher.publish(author.folder, allow_older=True)
    assert publisher.versions() == ["1.0.1", "2.0.0"]
    assert repository.git("rev-parse", "main") == newest


def test_errors_of_the_check_are_told_and_nothing_is_pushed(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    (author.folder / "LICENSE").unlink()
    with pytest.raises(CheckFailed) as caught:
        publisher.publish(author.folder)
    ((mend,), shown) = (
        {each.mend for each in caught.value.findings},
        str(caught.value),
    )
    assert shown == f"`{author.folder}` has errors\n  LICENSE: missing\n    {mend}"
    assert caught.value.hint == (
        f"`hub check {author.folder} --run` shows whether they are mended"
    )
    assert repository.git("for-each-ref") == ""


def test_links_and_repositories_within_are_refused(
    publisher: Publisher, author: Author
) -> None:
    (author.folder / "link").symlink_to("/etc/passwd")
    author.git("init", "--quiet", "inner")
    (author.folder / "inner" / "file").write_bytes(b"")
    with pytest.raises(Unpublishable) as caught:
        publisher.publish(author.folder)
    assert caught.value.problems == (
        "'inner' is a repository of its own",
        "'link' is a symbolic link",
    )
    assert caught.value.hint == "Put regular files there, or name these in `.gitignore`"
    shutil.rmtree(author.folder / "inner")
    author.commit()
    with pytest.raises(Unpublishable) as caught:
        publisher.publish(author.folder)
    assert caught.value.problems == ("'link' is a symbolic link",)
    assert (
        caught.value.hint == "Commit regular files in their place, and run this again"
    )


def test_a_push_that_the_server_refuses_leaves_no_branch_and_no_tag(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    hook = repository.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        '#!/bin/sh\ncase "$1" in refs/tags/*) echo no tags >&2; exit 1; esac\n'
    )
    hook.chmod(0o755)
    with pytest.raises(PushRefused, match="did not take the push, and has none of it"):
        publisher.publish(author.folder)
    assert repository.git("for-each-ref") == ""
    hook.unlink()
    publisher.publish(author.folder)
    assert publisher.versions() == ["1.0.0"]


@pytest.fixture
def proxy(repository: GitRepository) -> Iterator[GitHttpServer]:
    repository.git("config", "http.receivepack", "true")
    with serve_http(repository.path.parent) as server:
        yield server


@pytest.mark.parametrize("cuts", [True, False])
def test_a_push_whose_answer_is_lost_is_looked_for(
    proxy: GitHttpServer, author: Author, tmp_path: Path, *, cuts: bool
) -> None:
    spec = f"git+{proxy.url}/embed.git"
    target = open_target(spec, NAME, cache_dir=tmp_path / "cache")
    publisher = Publisher(target, tmp_path / "publishing")
    proxy.lost, proxy.cuts = "/git-receive-pack", cuts
    commit = publisher.publish(author.folder)
    assert publisher.release("1.0.0").revision == commit
    target.yank(publisher.release("1.0.0"), "too dark")
    assert publisher.release("1.0.0").yanked == "too dark"
    target.restore(publisher.release("1.0.0"))
    assert publisher.release("1.0.0").yanked is None


def test_what_nobody_can_tell_of_a_push_is_not_told(
    proxy: GitHttpServer, repository: GitRepository, tmp_path: Path
) -> None:
    scratch = ScratchRepository.create(tmp_path / "git")
    url = parse_git_url(f"{proxy.url}/embed.git")
    commit = repository.commit({"a.txt": b""})
    remote = Remote(url, scratch)
    remote.tip("main")
    proxy.lost = ""
    with pytest.raises(PushUnanswered) as caught:
        remote.push(f"{commit}:refs/tags/v1.0.0")
    assert str(caught.value).startswith(
        f"`{url}` does not say whether it took the push: "
    )
    assert caught.value.hint == (
        "Run this again when it answers: it sends nothing twice"
    )


def test_a_branch_that_somebody_else_pushed_is_no_answer(
    proxy: GitHttpServer, repository: GitRepository, tmp_path: Path
) -> None:
    commit = repository.commit({"a.txt": b""})
    url = parse_git_url(f"{proxy.url}/embed.git")
    remote = Remote(url, ScratchRepository.create(tmp_path / "git"))
    remote.tip("main")
    repository.git("config", "http.receivepack", "false")
    with pytest.raises(PushRefused, match="error: 403"):
        remote.push(f"{commit}:refs/heads/main", f"{commit}:refs/tags/v1.0.0")


def test_who_is_at_work_there_is_waited_for(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    lock = repository.path / "refs" / "heads" / "main.lock"
    lock.touch()
    done = Timer(1, lock.unlink)
    done.start()
    publisher.publish(author.folder)
    done.join()
    assert publisher.versions() == ["1.0.0"]


def test_a_lock_that_a_killed_git_left_is_named_and_not_taken_away(
    publisher: Publisher,
    repository: GitRepository,
    author: Author,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hub_client.publisher.remote._WAITS", (0.01,))
    lock = repository.path / "refs" / "heads" / "main.lock"
    lock.touch()
    with pytest.raises(PushRefused, match="has none of it") as caught:
        publisher.publish(author.folder)
    left = re.search(r"a killed one left `([^`]+)`: delete it", str(caught.value.hint))
    assert left
    assert Path(left[1]).samefile(lock)
    assert repository.git("for-each-ref") == ""
    lock.unlink()
    publisher.publish(author.folder)
    assert publisher.versions() == ["1.0.0"]


def test_of_two_who_publish_one_version_at_once_the_second_is_refused(
    publisher: Publisher, repository: GitRepository, author: Author, tmp_path: Path
) -> None:
    prepared = [
        prepare(author.folder, tmp_path / place, published=())
        for place in ("one", "two")
    ]
    first = publisher.target.publish(prepared[0])
    with pytest.raises(VersionTaken, match="is published already"):
        publisher.target.publish(prepared[1])
    assert repository.git("rev-parse", "main", "v1.0.0") == f"{first}\n{first}"


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Two versions after the first, from two clones, checked before either goes out."""

    first: str
    """Published first."""
    second: str
    from_commits: bool
    """Whether they are commits of their authors, and not plain folders."""
    prepared: dict[str, Publication]


@pytest.fixture(params=["1.1.0 1.2.0", "1.2.0 1.1.0"])
def order(request: pytest.FixtureRequest) -> list[str]:
    return str(request.param).split()


@pytest.fixture(params=["commits", "folders"])
def at_once(
    request: pytest.FixtureRequest,
    order: list[str],
    publisher: Publisher,
    repository: GitRepository,
    author: Author,
) -> AtOnce:
    author.commit()
    publisher.publish(author.folder)
    prepared = {}
    for version in order:
        clone = Author(author.folder.with_name(version))
        author.git("clone", "--quiet", repository.url, str(clone.folder))
        clone.write(version)
        if request.param == "commits":
            clone.commit()
        else:
            shutil.rmtree(clone.folder / ".git")
        files = clone.folder.with_name(f"{version}-files")
        published = publisher.target.releases(NAME)
        prepared[version] = prepare(clone.folder, files, published=published)
    return AtOnce(*order, request.param == "commits", prepared)


@pytest.mark.slow
def test_of_two_versions_published_at_once_the_branch_has_the_newest(
    publisher: Publisher, repository: GitRepository, at_once: AtOnce
) -> None:
    first, second = at_once.first, at_once.second
    published = {first: publisher.target.publish(at_once.prepared[first])}
    if first > second:
        newer = "acme/embed 1.2.0 is published, which is newer than 1.1.0"
        with pytest.raises(VersionTaken, match=re.escape(newer)):
            publisher.target.publish(at_once.prepared[second])
    elif at_once.from_commits:
        with pytest.raises(Diverged, match="has commits that are not here"):
            publisher.target.publish(at_once.prepared[second])
    else:
        published[second] = publisher.target.publish(at_once.prepared[second])
    assert repository.git("rev-parse", "main") == published[max(published)]
    assert publisher.versions() == ["1.0.0", *sorted(published)]


@pytest.mark.slow
def test_a_push_that_another_one_was_faster_than_leaves_no_tag(
    publisher: Publisher,
    repository: GitRepository,
    at_once: AtOnce,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    push, faster = Remote.push, list[str]()

    def overtaken(remote: Remote, *refspecs: str) -> None:
        monkeypatch.setattr(Remote, "push", push)
        faster.append(publisher.target.publish(at_once.prepared[at_once.first]))
        push(remote, *refspecs)

    # What is published was looked at by then.
    monkeypatch.setattr(Remote, "push", overtaken)
    with pytest.raises(PushRefused, match="has none of it") as caught:
        publisher.target.publish(at_once.prepared[at_once.second])
    assert caught.value.hint == "Somebody published there meanwhile: run this again"
    assert repository.git("rev-parse", "main") == faster[0]
    assert publisher.versions() == ["1.0.0", at_once.first]


def test_commits_that_are_not_here_are_not_overwritten(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    other = repository.commit({"other.txt": b"from a colleague"})
    author.commit()
    with pytest.raises(Diverged) as caught:
        publisher.publish(author.folder)
    assert str(caught.value) == (
        f"`main` at `{repository.url}` has commits that are not here"
    )
    assert caught.value.hint == (
        f"Run `git pull --rebase {repository.url} main`, and publish again"
    )
    assert repository.git("rev-parse", "main") == other


def test_what_a_push_would_refuse_is_told_before_anybody_is_asked(
    publisher: Publisher, repository: GitRepository, author: Author, tmp_path: Path
) -> None:
    author.commit()
    author.git("tag", "v1.0.0")
    repository.commit({"other.txt": b"from a colleague"})
    with pytest.raises(Diverged, match="has commits that are not here"):
        publisher.target.contents(author.folder, NAME)
    (author.folder / "README.md").write_bytes(b"# Mended\n")
    author.commit()
    prepared = prepare(author.folder, tmp_path / "files", published=())
    with pytest.raises(HubError, match=r"The tag `v1.0.0` here names another commit"):
        publisher.target.check(prepared)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_clone_without_its_history_is_told_to_fetch_it(
    publisher: Publisher, repository: GitRepository, author: Author, *, is_new: bool
) -> None:
    author.commit()
    if not is_new:
        author.git("push", "--quiet", repository.url, "main")
    author.commit()
    author.commit()
    clone = author.folder.with_name("clone")
    url = author.folder.as_uri()
    author.git("clone", "--quiet", "--depth=1", url, str(clone))
    with pytest.raises((Diverged, PushRefused)) as caught:
        publisher.publish(clone)
    assert caught.value.hint == (
        "This clone is shallow: run `git fetch --unshallow`, and publish again"
    )
    author.git("fetch", "--quiet", "--unshallow", folder=clone)
    publisher.publish(clone)
    assert publisher.versions() == ["1.0.0"]


def test_what_is_no_version_of_the_operator_is_not_replaced(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    files = {f"src/{number}.py": b"" for number in range(6)}
    tip = repository.commit({"README.md": b"A project\n", **files})
    for look in (publisher.publish, lambda path: publisher.target.contents(path, NAME)):
        with pytest.raises(NotItsOwn) as caught:
            look(author.folder)
        assert str(caught.value) == (
            f"`git+{repository.url}` has other files, and no `operator.yaml`: "
            "acme/embed would take their place\n"
            "  src/0.py\n  src/1.py\n  src/2.py\n  src/3.py\n  src/4.py\n"
            "  … and 1 more"
        )
    assert caught.value.hint == (
        "Publish to a repository of its own, which may be new and empty"
    )
    assert repository.git("for-each-ref", "--format=%(objectname)") == tip


@pytest.mark.parametrize("committed", [True, False])
def test_a_version_does_not_go_into_the_repository_of_another_operator(
    publisher: Publisher, repository: GitRepository, author: Author, *, committed: bool
) -> None:
    tip = repository.release("9.0.0", operator_files("acme/other", "9.0.0"))
    if committed:
        author.git("clone", "--quiet", repository.url, "clone")
        shutil.move(author.folder / "clone" / ".git", author.folder / ".git")
        shutil.rmtree(author.folder / "clone")
        author.write("9.1.0")
        author.commit()
    for look in (publisher.publish, lambda path: publisher.target.contents(path, NAME)):
        author.write("9.1.0")
        with pytest.raises(NotItsOwn) as caught:
            look(author.folder)
        assert str(caught.value) == (
            f"`git+{repository.url}` is the repository of acme/other, "
            "and not of acme/embed"
        )
    refs = repository.git("for-each-ref", "--format=%(refname) %(objectname)")
    assert refs == f"refs/heads/main {tip}\nrefs/tags/v9.0.0 {tip}"


def test_an_authors_own_commits_may_have_begun_as_something_else(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    author.write("1.0.0", **{"notes.txt": b""})
    author.git("init", "--quiet", "--initial-branch=main")
    author.git("add", "notes.txt")
    author.git("commit", "--quiet", "-m", "Notes")
    author.git("push", "--quiet", repository.url, "main")
    author.git("rm", "--quiet", "notes.txt")
    commit = author.commit()
    contents = publisher.target.contents(author.folder, NAME)
    assert contents.paths == {"notes.txt"}
    assert publisher.publish(author.folder) == commit
    assert publisher.target.contents(author.folder, NAME).paths == frozenset()


def test_whose_a_release_is_its_own_manifest_says(
    publisher: Publisher, repository: GitRepository
) -> None:
    repository.release("1.0.0", operator_files("acme/other", "1.0.0"), annotated=True)
    repository.release("2.0.0", {"operator.yaml": b"name: ["})
    with pytest.raises(NotPublished) as caught:
        find_release(publisher.target, NAME, Version("1.0.0"))
    assert str(caught.value) == (
        f"`git+{repository.url}` has acme/other 1.0.0, and not acme/embed 1.0.0"
    )
    # Nobody can use that one, so that it may be withdrawn.
    assert find_release(publisher.target, NAME, Version("2.0.0")).ref


def test_nothing_that_the_work_tree_configures_runs(
    publisher: Publisher, author: Author, tmp_path: Path
) -> None:
    author.write("1.0.0", **{".gitattributes": b"* filter=evil diff=evil\n"})
    author.commit()
    mark = tmp_path / "ran"
    command = f"touch {mark}"
    for key in (
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.smudge",
        "diff.evil.textconv",
        "core.alternateRefsCommand",
        "credential.helper",
        "core.sshCommand",
    ):
        author.git("config", key, f"!{command}" if "credential" in key else command)
    for name in ("pre-push", "reference-transaction", "post-index-change"):
        hook = author.folder / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{command}\n")
        hook.chmod(0o755)
    publisher.publish(author.folder)
    assert not mark.exists()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("missing", ["HEAD", "HEAD:README.md"])
def test_an_object_that_the_work_tree_lacks_is_fetched_from_nowhere(
    publisher: Publisher,
    author: Author,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    *,
    known: bool,
) -> None:
    if not known:  # as to a git before 2.45
        monkeypatch.delitem(git_commands._ENVIRONMENT, "GIT_NO_LAZY_FETCH")
    author.commit()
    mark = author.folder.with_name("ran")
    lost = author.git("rev-parse", missing)
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"file://{author.folder}/.git",
        "remote.origin.promisor": "true",
        "remote.origin.uploadPack": f"touch {mark}; git-upload-pack",
    }.items():
        author.git("config", key, value)
    (author.folder / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(HubError):
        publisher.publish(author.folder)
    assert not mark.exists()
    # Its own git would have.
    subprocess.run(["git", "cat-file", "-e", lost], cwd=author.folder, check=False)
    assert mark.exists()


def test_who_made_a_commit_has_to_be_known(
    publisher: Publisher, author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = author.folder.with_name("plain")
    shutil.copytree(author.folder, plain)
    author.commit()
    monkeypatch.setenv("GIT_COMMITTER_NAME", "")
    with pytest.raises(NoIdentity):
        publisher.publish(plain)
    check = publisher.target.check_author
    for folder, signed in ((plain, False), (author.folder, True)):
        with pytest.raises(NoIdentity):
            check(folder, signed=signed)
    # The author's own commit says by whom it is.
    check(author.folder, signed=False)
    publisher.publish(author.folder)


def test_a_yanked_version_says_why_until_it_is_restored(
    publisher: Publisher, author: Author
) -> None:
    publisher.publish(author.folder)
    publisher.target.yank(publisher.release("1.0.0"), "vectors are not normalised")
    assert publisher.release("1.0.0").yanked == "vectors are not normalised"
    publisher.target.restore(publisher.release("1.0.0"))
    assert publisher.release("1.0.0").yanked is None
    publisher.target.yank(publisher.release("1.0.0"), "for another reason")
    assert publisher.release("1.0.0").yanked == "for another reason"


def test_a_plain_yank_tag_made_by_hand_counts(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    commit = publisher.publish(author.folder)
    repository.tag("yanked-v1.0.0", commit)
    assert publisher.release("1.0.0").yanked == "withdrawn by its publisher"


def test_every_yank_tag_of_a_version_goes_when_it_is_restored(
    publisher: Publisher, repository: GitRepository, author: Author
) -> None:
    commit = publisher.publish(author.folder)
    for tag in ("yanked-v1.0", "yanked-v1.0.0", "yanked-v1.0.1"):
        repository.tag(tag, commit)
    publisher.target.restore(publisher.release("1.0.0"))
    assert publisher.release("1.0.0").yanked is None
    publisher.target.restore(publisher.release("1.0.0"))
    assert repository.git("tag") == "v1.0.0\nyanked-v1.0.1"


def test_a_disk_without_room_for_a_publication_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(CacheUnwritable), open_workspace(tmp_path / "cache"):
        pass
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "large").write_bytes(random.Random(0).randbytes(99_999))  # noqa: S311  (what does not compress)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs more rights")
    try:
        scratch = ScratchRepository.create(disk / "git")
        with pytest.raises(ScratchUnwritable) as refusal:
            scratch.tree(tmp_path, ["large"])
        assert (
            str(refusal.value) == f"Cannot write to `{disk}`: No space left on device"
        )
        assert refusal.value.hint == MAKE_ROOM
    finally:
        subprocess.run(["umount", disk], check=True)
