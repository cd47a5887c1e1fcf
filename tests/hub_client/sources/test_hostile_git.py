"""Hostile addresses, refs and trees: refused, with nothing of them run or stored."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from packaging.version import Version
from servers.git_repository import GitRepository, Special
from servers.git_servers import serve_http
from servers.operator_files import operator_files

from hub_client import git_commands
from hub_client.candidate import Candidate, Release
from hub_client.git_commands import GitFailed, run_git
from hub_client.git_url import InvalidGitUrl, parse_git_url
from hub_client.index.mirror import IndexMirror
from hub_client.sources.git import GitSource, RepositoryUnreachable
from hub_client.sources.git_copy import InvalidRevision
from hub_client.sources.git_mirror import GitMirror
from hub_client.sources.index import IndexSource, IndexUnreachable
from hub_client.store import Store
from hub_client.tree_digest import UnsafeTree
from plugin_spec.errors import HubError
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.git_servers import GitHttpServer

NAME = OperatorName.parse("acme/embed")
FILES = operator_files(str(NAME), "1.0.0")
MANIFEST = Manifest.from_yaml(FILES["operator.yaml"])


@pytest.fixture
def source(embed: GitRepository, tmp_path: Path) -> GitSource:
    return GitSource(embed.url, cache_dir=tmp_path / "cache")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def install(source: GitSource, store: Store) -> str:
    """What an installer does once it has chosen the only release."""
    (release,) = source.versions(NAME)
    candidate = Candidate(NAME, release, "git+test", MANIFEST)
    return store.add(lambda folder: source.fetch(candidate, folder))


def is_empty(store: Store) -> bool:
    files = (path for path in store.root.rglob("*") if path.name != "staging.lock")
    return not any(path.is_file() for path in files)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ext::sh -c touch% x", "expected the address of a git repository"),
        ("--upload-pack=touch x", "expected the address of a git repository"),
        ("-u", "expected the address of a git repository"),
        ("/srv/embed.git", "expected the address of a git repository"),
        ("ftp://h/embed.git", "expected the address of a git repository"),
        ("https://h", "expected the address of a git repository"),
        ("fd::17", "expected the address of a git repository"),
        ("ssh://-oProxyCommand=touch x/e", "has a host that ssh would read"),
        ("ssh://-oProxyCommand=touch@h/e", "has a host that ssh would read"),
        ("ssh://git@-oProxyCommand=x/e", "has a host that ssh would read"),
        ("https:///embed.git", "has no plain host name"),
        ("https://h\u0430cme/embed.git", "has no plain host name"),
        ("https://a b/embed.git", "has no plain host name"),
        ("https://a\\@b/embed.git", "has no plain user name"),
        ("git://h:65979/embed.git", "has a port above 65535"),
        ("git://h:100000000443/embed.git", "has a port above 65535"),
        ("https://me:secret@h/e.git", "has a password in it"),
        ("file://host/embed.git", "has a host before its path"),
        ("https://h/a/../b.git", "has `.` or `..` in its path"),
        ("https://h/a/%2e%2e/b.git", "has `.` or `..` in its path"),
        ("https://h/a%2f..%2fb.git", "has `.` or `..` in its path"),
        ("https://h/a/%252e%252e/b.git", "has `.` or `..` in its path"),
        ("https://h/a/..%20/b.git", "has `.` or `..` in its path"),
        ("https://h/a/..;/b.git", "has `.` or `..` in its path"),
        ("https://h/a/.%2e%3bx=y/b.git", "has `.` or `..` in its path"),
        ("https://h/a?x=y", "has a query, a fragment"),
        ("https://h/a#y", "has a query, a fragment"),
        ("https://h/{version}", "has a query, a fragment or an unknown placeholder"),
        ("https://h/a%0ab", "has a space, a backslash or a control character"),
        ("https://h/a b", "has a space, a backslash or a control character"),
        ("https://h/a\nb", "expected the address of a git repository"),
    ],
)
def test_an_address_that_is_no_plain_url_never_reaches_git(
    url: str, problem: str, tmp_path: Path
) -> None:
    source = GitSource(url, cache_dir=tmp_path / "cache")
    with pytest.raises(InvalidGitUrl) as refusal:
        source.versions(NAME)
    assert problem in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert not (tmp_path / "cache").exists()


def test_a_folder_with_a_space_is_refused_with_how_to_write_it() -> None:
    with pytest.raises(InvalidGitUrl) as refusal:
        parse_git_url("file:///home/me/my operators/embed.git")
    assert refusal.value.hint == "Write a space as `%20`"
    assert parse_git_url("file:///home/me/my%20operators/embed.git")


def test_an_address_as_scp_writes_it_is_refused_with_the_url_to_write() -> None:
    with pytest.raises(InvalidGitUrl) as refusal:
        parse_git_url("git@git.acme.example:team/embed.git")
    assert refusal.value.hint == (
        "Write it as `ssh://git@git.acme.example/team/embed.git`"
    )


@pytest.mark.parametrize(
    "url",
    [
        "ssh://git@h:22/a.git",
        "http://[::1]:80/a.git",
        "http://h:0065535/a.git",
        "file:///srv/ä.git",
        "ssh://h/~me/a.git",
    ],
)
def test_an_ordinary_address_is_kept_as_it_is(url: str) -> None:
    assert str(parse_git_url(url)) == url


def test_git_itself_refuses_other_protocols_and_options_after_the_parser(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "ran"
    for url in (f"ext::touch {mark}", f"--upload-pack=touch {mark}"):
        with pytest.raises(HubError):
            run_git("ls-remote", "--tags", "--", url, remote=True)
    assert not mark.exists()
    # Others git would speak by itself.
    with pytest.raises(GitFailed, match="transport 'ftp' not allowed"):
        run_git("ls-remote", "--", "ftp://127.0.0.1:9/embed.git", remote=True)


def test_an_option_that_came_past_the_parser_is_an_address_to_git(
    embed: GitRepository, tmp_path: Path
) -> None:
    commit = embed.release("1.0.0", FILES)
    option: Any = f"--upload-pack=touch {tmp_path}/ran"
    mirror = IndexMirror(option, tmp_path / "cache")
    for ask in (
        mirror.remote_tags,
        mirror.fetch_tip,
        mirror.fetch_notes,
        lambda: mirror.fetch(commit, "refs/tags/v1.0.0"),
    ):
        with pytest.raises(GitFailed, match="--upload-pack=touch"):
            ask()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "ref",
    [
        "--output=X",
        "v1.0.0",
        "refs/heads/v1.0.0",
        "refs/tags/v1..0",
        "refs/tags/v1:refs/x",
        "refs/tags/--upload-pack=x",
        "refs/tags/v1.0.0\n",
        "refs/tags/v1/../../x",
    ],
)
def test_a_ref_that_is_no_version_tag_never_reaches_git(
    source: GitSource, embed: GitRepository, ref: str
) -> None:
    release = Release(Version("1.0.0"), embed.release("1.0.0", FILES), ref)
    with pytest.raises(InvalidRevision) as refusal:
        source.manifest(NAME, release)
    assert str(refusal.value) == f"expected `refs/tags/v` and a version, got {ref!r}"
    assert not any(file.name == "X" for file in source._cache_dir.rglob("*"))


@pytest.mark.parametrize("revision", ["HEAD", "1234567", "--output=X", "v1.0.0", ""])
def test_a_revision_that_is_no_full_commit_never_reaches_git(
    source: GitSource, embed: GitRepository, revision: str
) -> None:
    embed.release("1.0.0", FILES)
    with pytest.raises(InvalidRevision) as refusal:
        source.manifest(NAME, Release(Version("1.0.0"), revision, "refs/tags/v1.0.0"))
    assert str(refusal.value) == f"expected a full commit id, got {revision!r}"


@pytest.mark.parametrize(
    ("special", "problem"),
    [
        (Special.link("/etc/passwd"), "'special' is a symbolic link"),
        (Special.link("operator.yaml"), "'special' is a symbolic link"),
        (Special.submodule("1" * 40), "'special' is a submodule"),
    ],
)
def test_links_and_submodules_are_refused(
    source: GitSource,
    store: Store,
    embed: GitRepository,
    special: Special,
    problem: str,
) -> None:
    embed.release("1.0.0", {**FILES, "special": special})
    with pytest.raises(UnsafeTree) as refusal:
        install(source, store)
    assert refusal.value.problems == (problem,)
    assert is_empty(store)


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/post-checkout",
        ".GIT/config",
        "echo/.git/config",
        "../outside",
        "echo/../../outside",
        ".git\u200c/config",
        "git~1/config",
    ],
)
def test_a_tree_that_leaves_itself_or_holds_a_repository_is_refused(
    source: GitSource,
    store: Store,
    embed: GitRepository,
    tmp_path: Path,
    path: str,
) -> None:
    embed.release("1.0.0", {**FILES, path: b"evil"})
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UnsafeTree, match="may not be stored"):
        install(source, store)
    assert is_empty(store)
    assert {p.name for p in set(tmp_path.iterdir()) - set(before)} == {"cache"} | (
        {"store"} if store.root.exists() else set()
    )


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("ECHO/__init__.py", "'ECHO' and 'echo' differ only in case"),
        ("con.py", "'con.py' has the name of a Windows device"),
        ("a\\b", "'a\\\\b' has a character that Windows forbids"),
        ("dot.", "'dot.' has a name that ends with a dot or a space"),
        ("new\nline", "'new\\nline' has a control, invisible or undecodable character"),
        (
            "echo/__pycache__/x.pyc",
            "'echo/__pycache__/x.pyc' is compiled code, which no digest covers",
        ),
        ("x" * 256, f"'{'x' * 256}' has a name of more than 255 bytes"),
    ],
)
def test_names_that_differ_between_systems_are_refused(
    source: GitSource, store: Store, embed: GitRepository, path: str, problem: str
) -> None:
    embed.release("1.0.0", {**FILES, path: b""})
    with pytest.raises(UnsafeTree) as refusal:
        install(source, store)
    assert problem in refusal.value.problems
    assert is_empty(store)


def test_an_embedded_repository_with_a_monitor_never_runs_it(
    source: GitSource, store: Store, embed: GitRepository, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    bare = {
        "bare/HEAD": b"ref: refs/heads/main\n",
        "bare/config": f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = ..\n\tfsmonitor = touch {mark}; false\n".encode(),
        "bare/objects/x": b"",
        "bare/refs/x": b"",
    }
    embed.release("1.0.0", {**FILES, **bare})
    tree = store.path(install(source, store))
    assert (tree / "bare/config").exists()
    # Not even where git is told that this is its repository.
    subprocess.run(["git", "init", "--quiet", tmp_path / "work"], check=True)
    config = tmp_path / "work/.git/config"
    config.write_text(f"[core]\n\tfsmonitor = touch {mark}; false\n")
    run_git("status", "--", git_dir=tmp_path / "work/.git", work_tree=tmp_path / "work")
    assert not mark.exists()


def test_attributes_change_no_byte(
    source: GitSource, store: Store, embed: GitRepository
) -> None:
    files = {
        **FILES,
        ".gitattributes": b"* text eol=crlf\nid.txt export-subst\nx export-ignore\n",
        "id.txt": b"$Format:%H$ $Id$\n",
        "x": b"kept\n",
    }
    embed.release("1.0.0", files)
    tree = store.path(install(source, store))
    assert {p: (tree / p).read_bytes() for p in files} == files


def test_hooks_templates_and_configuration_of_the_machine_do_not_run(
    source: GitSource,
    store: Store,
    embed: GitRepository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark, hooks = tmp_path / "ran", tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    for name in ("reference-transaction", "post-checkout", "fsmonitor"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (hooks / name).chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = {hooks}/fsmonitor\n"
        f"[init]\n\ttemplateDir = {tmp_path}/template\n"
        f'[url "file:///nowhere/"]\n\tinsteadOf = {embed.url}\n'
    )
    embed.release("1.0.0", FILES)
    commit = embed.commit(operator_files(str(NAME), "1.1.0"))
    # There git finds it, whatever becomes of the variables.
    shutil.copyfile(config, tmp_path / ".gitconfig")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(config))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
    assert store.has(install(source, store))
    mirror = source._mirror(NAME)
    assert not (mirror.path / "hooks").exists()
    # A mirror's own are of no use to anyone either.
    shutil.copytree(hooks, mirror.path / "hooks")
    mirror.fetch(commit, "refs/tags/v1.1.0")
    assert not mark.exists()


def test_the_repository_around_the_current_folder_is_not_asked(
    source: GitSource,
    store: Store,
    embed: GitRepository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    embed.release("1.0.0", FILES)
    around = tmp_path / "around"
    subprocess.run(["git", "init", "--quiet", around], check=True)
    with (around / ".git/config").open("a") as file:
        file.write(f'[url "file:///nowhere/"]\n\tinsteadOf = {embed.url}\n')
    monkeypatch.chdir(around)
    monkeypatch.setenv("GIT_DIR", str(around / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", os.devnull)
    assert store.has(install(source, store))


def of_ten_each(repository: GitRepository, levels: int) -> str:
    """A tree of ten names for one thing, whose names are ten, and so on."""
    kind, object_id = "100644 blob", repository.write("blob", b"x")
    for _ in range(levels):
        lines = (f"{kind} {object_id}\tf{number}\0" for number in range(10))
        object_id = repository.git("mktree", "-z", stdin="".join(lines).encode())
        kind = "040000 tree"
    return object_id


@pytest.mark.parametrize("levels", [5, 9])  # too many to keep; too many to list
def test_a_few_objects_that_are_a_great_many_files_are_refused(
    levels: int, source: GitSource, store: Store, embed: GitRepository
) -> None:
    tree = of_ten_each(embed, levels)
    embed.tag("v1.0.0", embed.git("commit-tree", "-m", "bomb", tree))
    with pytest.raises(UnsafeTree) as refusal:
        install(source, store)
    assert refusal.value.problems == ("they are too many: more than 20,000",)
    assert is_empty(store)


def test_a_few_objects_that_are_a_great_index_are_refused(
    embed: GitRepository, tmp_path: Path
) -> None:
    root = f"040000 tree {of_ten_each(embed, 9)}\toperators\0".encode()
    tree = embed.git("mktree", "-z", stdin=root)
    embed.branch("main", embed.git("commit-tree", "-m", "bomb", tree))
    index = IndexSource(embed.url, cache_dir=tmp_path / "cache")
    with pytest.raises(IndexUnreachable) as refusal:
        index.versions(NAME)
    assert str(refusal.value) == (
        f"Too many are the operators of `index+{embed.url}`: "
        "no end after 33,554,432 bytes"
    )


class _Talker(BaseHTTPRequestHandler):
    """Answers git forever: with tags, or with what it should tell its user."""

    def do_GET(self) -> None:
        kind = "application/x-git-upload-pack-advertisement"
        said = (b"version 2\n", b"ls-refs\n", b"fetch=shallow\n")
        first = packet(b"# service=git-upload-pack\n") + b"0000"
        self.answer(kind, first + b"".join(map(packet, said)) + b"0000")

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer("application/x-git-upload-pack-result", b"")
        if b"ls-refs" in asked:
            tags = (b"%040x refs/tags/v1.0.%d\n" % (n + 1, n) for n in range(9999))
            said = b"".join(map(packet, tags))
        else:
            first = (b"shallow-info\n", b"shallow " + b"a" * 40 + b"\n")
            self.wfile.write(b"".join(map(packet, first)) + b"0001")
            self.wfile.write(packet(b"packfile\n"))
            said = packet(b"\x02" + b"x" * 60_000 + b"\n") * 20
        with suppress(OSError):
            while True:
                self.wfile.write(said)

    def answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Namer(_Talker):
    """Gives tags names that git would not make."""

    def do_POST(self) -> None:
        names = (b"v1.0.0", b"v1.1.0\tx", b"v1.2.0\nx", b"v1.3.0\xff", b"\x1bv1.4.0")
        tags = (b"%040x refs/tags/%s\n" % (1, name) for name in names)
        kind = "application/x-git-upload-pack-result"
        self.answer(kind, b"".join(map(packet, tags)) + b"0000")


def packet(text: bytes) -> bytes:
    return b"%04x" % (len(text) + 4) + text


@pytest.fixture(params=[_Talker])
def talker(request: pytest.FixtureRequest) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}/embed.git"
        server.shutdown()


def test_what_a_server_says_without_end_is_not_kept(
    talker: str, tmp_path: Path
) -> None:
    mirror = GitMirror(parse_git_url(talker), tmp_path / "cache")
    with pytest.raises(GitFailed, match=r"no end after 33,554,432 bytes$"):
        mirror.fetch("a" * 40, "refs/tags/v1.0.0")


@pytest.mark.skipif(sys.platform != "linux", reason="others cannot hold git to it")
def test_a_list_of_tags_without_end_takes_no_more_memory_than_it_may(
    talker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(git_commands._TRANSFERS, "ls-remote", 64 << 20)
    monkeypatch.setattr(git_commands, "TIMEOUT_SECONDS", 60)
    mirror = GitMirror(parse_git_url(talker), tmp_path / "cache")
    with pytest.raises(GitFailed, match="Out of memory"):
        mirror.remote_tags()


@pytest.mark.parametrize("talker", [_Namer], indirect=True)
def test_tags_with_names_that_git_would_not_make_are_passed_over(
    talker: str, tmp_path: Path
) -> None:
    found = GitSource(talker, cache_dir=tmp_path / "cache")
    assert [str(each.version) for each in found.versions(NAME)] == ["1.0.0", "1.2.0"]


@pytest.mark.parametrize("section", ["http", "http.{url}/"])
def test_a_server_that_sends_on_to_another_one_is_not_followed(
    section: str,
    http: GitHttpServer,
    repositories: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    GitRepository.create(repositories / "embed.git").release("1.0.0", FILES)
    config = tmp_path / "gitconfig"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    with serve_http(repositories) as trusted:
        trusted.moved_to = http.url
        for key, value in {
            "http.extraHeader": "Authorization: Basic token",
            f"{section.format(url=trusted.url)}.followRedirects": "true",
        }.items():
            subprocess.run(["git", "config", "--global", key, value], check=True)
        url = f"{trusted.url}/embed.git"
        with pytest.raises(RepositoryUnreachable) as refusal:
            GitSource(url, cache_dir=tmp_path / "cache").versions(NAME)
    assert str(refusal.value) == (
        f"Cannot list the versions at `{url}`: its server sends on to another "
        "address, and that is not followed: if you trust who has it there, name that "
        "address as the source"
    )
    assert http.requests == []


def test_an_object_git_calls_malformed_is_refused(
    source: GitSource, store: Store, embed: GitRepository
) -> None:
    blob = embed.write("blob", FILES["operator.yaml"])
    entry = b"100644 operator.yaml\0" + bytes.fromhex(blob)
    tree = embed.write("tree", entry * 2)
    embed.tag("v1.0.0", embed.git("commit-tree", "-m", "twins", tree))
    with pytest.raises(UnsafeTree) as refusal:
        install(source, store)
    (problem,) = refusal.value.problems
    assert problem.startswith("git refuses it: ")
    assert "duplicateEntries" in problem
    assert is_empty(store)
