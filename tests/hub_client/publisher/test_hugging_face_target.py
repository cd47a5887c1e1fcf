"""Publishing through the real client to a real server on loopback."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import huggingface_hub.constants
import pytest
from fastapi import HTTPException, Request, Response
from packaging.version import Version
from servers.hugging_face import Repository
from servers.operator_files import operator_files
from servers.sigstore_world import SigstoreWorld

from hub_client.publisher import open_target
from hub_client.publisher.attached_bundle import attach_bundle
from hub_client.publisher.contents import NotItsOwn
from hub_client.publisher.hugging_face_target import (
    BranchMissing,
    NotMadeYet,
    Overtaken,
    TagRefused,
    Unanswered,
    UploadRefused,
)
from hub_client.publisher.pinned import NotPublished, find_release
from hub_client.publisher.publication import VersionTaken, prepare
from hub_client.sources import hugging_face_client, hugging_face_transfer
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers.hugging_face import HuggingFaceServer

    from hub_client.publisher import Target
    from tests.hub_client.publisher.conftest import Author

NAME = OperatorName.parse("acme/embed")
# huggingface_hub 2.4 gives its HTTP library a stream in a deprecated way.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
WEIGHTS = bytes(range(256)) * 8192
PLAIN = ["LICENSE", "README.md", "echo/__init__.py", "operator.yaml"]


@pytest.fixture
def server(
    hugging_face: HuggingFaceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> HuggingFaceServer:
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    cache = str(tmp_path / "huggingface")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", cache)
    # The server has no such storage; its own tests say what it has.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(hugging_face_client, "WAITS", (0.01, 0.01))
    return hugging_face


@pytest.fixture
def target(server: HuggingFaceServer, tmp_path: Path) -> Target:
    del server
    return open_target("hf:{namespace}/{name}", NAME, cache_dir=tmp_path / "cache")


@pytest.fixture
def publish(target: Target, author: Author, tmp_path: Path) -> Callable[..., str]:
    def run(*, sign: bool = False) -> str:
        shutil.rmtree(tmp_path / "files", ignore_errors=True)
        published = target.releases(NAME)
        prepared = prepare(
            author.folder, tmp_path / "files", published=published, allow_older=True
        )
        if sign:
            statement, file = target.statement(prepared), tmp_path / "bundle.json"
            file.write_text(json.dumps(SigstoreWorld().sign(statement)))
            prepared = attach_bundle(prepared, file, statement=statement)
        return target.publish(prepared)

    return run


def versions(target: Target) -> dict[str, str]:
    return {str(each.version): each.revision for each in target.releases(NAME)}


def files_at(server: HuggingFaceServer, revision: str) -> list[str]:
    entries = server.repository("acme/embed").entries(revision)
    return sorted(each.path for each in entries if each.path != ".gitattributes")


def refuse(server: HuggingFaceServer, method: str, part: str, status: int) -> None:
    server.before = lambda request: (
        Response(status_code=status)
        if request.method == method and part in request.url.path
        else None
    )


def test_the_repository_is_made_and_weights_go_by_lfs(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[[], str],
    author: Author,
) -> None:
    assert target.releases(NAME) == ()
    author.write("1.0.0", **{"model.safetensors": WEIGHTS})
    commit = publish()
    assert versions(target) == {"1.0.0": commit}
    assert files_at(server, "v1.0.0") == sorted([*PLAIN, "model.safetensors"])
    (weights,) = (
        each
        for each in server.repository("acme/embed").entries(commit)
        if each.path == "model.safetensors"
    )
    assert (weights.size, weights.pointer_size is None) == (len(WEIGHTS), False)


def test_what_is_sent_may_take_longer_than_an_answer(
    server: HuggingFaceServer,
    publish: Callable[[], str],
    author: Author,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hugging_face_transfer, "PATIENCE", 0.5)
    server.before = lambda request: time.sleep(0.6 * (request.method == "PUT"))
    author.write("1.0.0", **{"model.safetensors": WEIGHTS})
    assert publish() == server.repository("acme/embed").commit_of("v1.0.0")


def test_weights_that_are_there_are_not_sent_again_and_what_is_gone_is_deleted(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[[], str],
    author: Author,
) -> None:
    author.write("1.0.0", **{"model.safetensors": WEIGHTS, "old.txt": b"old"})
    publish()
    server.requests.clear()
    author.write("1.1.0")
    (author.folder / "old.txt").unlink()
    publish()
    assert files_at(server, "v1.1.0") == sorted([*PLAIN, "model.safetensors"])
    assert not [line for line in server.requests if line.startswith("PUT")]
    assert list(versions(target)) == ["1.0.0", "1.1.0"]


def test_what_is_no_version_of_the_operator_is_not_replaced(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[[], str],
    author: Author,
) -> None:
    tip = server.create("acme/embed", {"model.safetensors": WEIGHTS, "README.md": b""})
    for look in (publish, lambda: target.contents(author.folder, NAME)):
        with pytest.raises(NotItsOwn) as caught:
            look()
        assert str(caught.value) == (
            "`hf:acme/embed` has other files, and no `operator.yaml`: acme/embed would "
            "take their place\n  model.safetensors"
        )
    assert server.repository("acme/embed").commit_of("main") == tip


def test_a_repository_without_its_main_branch_is_named(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[[], str],
    author: Author,
) -> None:
    server.create("acme/embed")
    server.repository("acme/embed").git("branch", "--move", "main", "other")
    for look in (publish, lambda: target.contents(author.folder, NAME)):
        with pytest.raises(BranchMissing) as caught:
            look()
        assert str(caught.value) == f"`{server.url}/acme/embed` has no branch `main`"


def test_a_version_does_not_go_into_the_repository_of_another_operator(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[[], str],
    author: Author,
) -> None:
    assert target.contents(author.folder, NAME).paths == frozenset()
    tip = server.create("acme/embed", operator_files("acme/other", "9.0.0"))
    repository = server.repository("acme/embed")
    repository.git("tag", "v9.0.0", tip)
    for look in (publish, lambda: target.contents(author.folder, NAME)):
        with pytest.raises(NotItsOwn, match="is the repository of acme/other, and not"):
            look()
    assert repository.commit_of("main") == tip
    assert list(versions(target)) == ["9.0.0"]
    with pytest.raises(
        NotPublished, match=r"has acme/other 9\.0\.0, and not acme/embed"
    ):
        find_release(target, NAME, Version("9.0.0"))


def test_a_file_that_lfs_keeps_here_is_sent_complete(
    server: HuggingFaceServer, publish: Callable[[], str], author: Author
) -> None:
    oid = hashlib.sha256(WEIGHTS).hexdigest()
    head = "version https://git-lfs.github.com/spec/v1"
    pointer = f"{head}\noid sha256:{oid}\nsize {len(WEIGHTS)}\n"
    author.write("1.0.0", **{"model.safetensors": pointer.encode()})
    author.commit()
    (author.folder / "model.safetensors").write_bytes(WEIGHTS)
    commit = publish()
    repository = server.repository("acme/embed")
    (sent,) = (
        each for each in repository.entries(commit) if each.path == "model.safetensors"
    )
    assert repository.read(sent) == WEIGHTS


def test_a_refused_commit_leaves_no_version(
    server: HuggingFaceServer, target: Target, publish: Callable[[], str]
) -> None:
    refuse(server, "POST", "/commit/", 403)
    with pytest.raises(UploadRefused) as caught:
        publish()
    assert str(caught.value).startswith(
        f"`{server.url}/acme/embed` did not take it: `{server.url}/acme/embed` "
        "refuses access: "
    )
    assert caught.value.hint == ("Check what your token may do, or run `hf auth login`")
    assert versions(target) == {}


def test_metadata_that_the_server_does_not_take_is_told_by_each_problem(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[[], str],
    author: Author,
) -> None:
    author.write("1.0.0", **{"README.md": b"---\nlicense: none\n---\nEmbed images.\n"})
    problems = ['"license" must be one of [mit]', '"tags" must be an array']
    body = json.dumps({"errors": [{"message": each} for each in problems]})
    server.before = lambda request: (
        Response(body, 400, media_type="application/json")
        if "/validate-yaml" in request.url.path
        else None
    )
    with pytest.raises(UploadRefused) as caught:
        publish()
    assert str(caught.value) == (
        f"`{server.url}/acme/embed` did not take it: Invalid metadata in README.md.\n"
        '  - "license" must be one of [mit]\n'
        '  - "tags" must be an array'
    )
    assert caught.value.hint == "Mend the lines between `---` in `README.md`"
    assert versions(target) == {}


def test_metadata_that_the_server_misses_stops_nothing_and_prints_no_code(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[[], str],
    author: Author,
) -> None:
    author.write("1.0.0", **{"README.md": b"Nothing between lines"})
    body = json.dumps({"errors": [], "warnings": [{"message": "empty metadata"}]})
    server.before = lambda request: (
        Response(body, media_type="application/json")
        if "/validate-yaml" in request.url.path
        else None
    )
    publish()
    assert versions(target)


def test_weights_that_do_not_arrive_leave_no_version(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[[], str],
    author: Author,
) -> None:
    author.write("1.0.0", **{"model.safetensors": WEIGHTS})
    refuse(server, "PUT", "/large-files/", 507)
    with pytest.raises(UploadRefused, match=r"did not take it: .*507"):
        publish()
    assert versions(target) == {}
    assert files_at(server, "main") == []


def test_after_a_refused_tag_the_same_command_completes_it(
    server: HuggingFaceServer, target: Target, publish: Callable[[], str]
) -> None:
    refuse(server, "POST", "/tag/", 503)
    with pytest.raises(TagRefused) as caught:
        publish()
    tip = server.repository("acme/embed").commit_of("main")
    assert str(caught.value).splitlines()[:2] == [
        f"`{server.url}/acme/embed` has the files of acme/embed 1.0.0 as commit {tip},",
        "  and not its tag `v1.0.0`: nobody sees the version yet",
    ]
    assert versions(target) == {}
    server.before = lambda _request: None
    server.requests.clear()
    assert publish() == tip
    assert versions(target) == {"1.0.0": tip}
    assert not [line for line in server.requests if "/commit/" in line]


def answer_lost(server: HuggingFaceServer, method: str, *git: str) -> None:
    """Do what is asked of tags, and answer once with 502, and then as told it is done."""
    statuses = iter([502])

    def act(request: Request) -> Response | None:
        if request.method != method or "/tag/" not in request.url.path:
            return None
        status = next(statuses, None)
        if status is None:
            return Response(status_code=409 if method == "POST" else 404)
        server.repository("acme/embed").git("tag", *git)
        return Response(status_code=status)

    server.before = act


def test_changes_whose_answers_are_lost_are_looked_for(
    server: HuggingFaceServer, target: Target, publish: Callable[[], str]
) -> None:
    tip = publish()
    server.repository("acme/embed").git("tag", "--delete", "v1.0.0")
    answer_lost(server, "POST", "v1.0.0", "main")
    assert publish() == tip
    assert versions(target) == {"1.0.0": tip}
    (release,) = target.releases(NAME)
    answer_lost(server, "POST", "-m", "too dark", "yanked-v1.0.0", "main")
    target.yank(release, "too dark")
    assert target.releases(NAME)[0].yanked
    answer_lost(server, "DELETE", "--delete", "yanked-v1.0.0")
    target.restore(release)
    assert not target.releases(NAME)[0].yanked


def test_a_tag_that_another_one_was_faster_with_is_told(
    server: HuggingFaceServer, target: Target, publish: Callable[[], str]
) -> None:
    other = server.create("acme/embed")
    answer_lost(server, "POST", "v1.0.0", other)
    with pytest.raises(VersionTaken) as caught:
        publish()
    assert str(caught.value) == (
        f"Somebody published acme/embed 1.0.0 meanwhile, as commit {other}"
    )
    assert versions(target) == {"1.0.0": other}


def test_what_nobody_can_tell_of_a_tag_is_not_told(
    server: HuggingFaceServer, publish: Callable[[], str]
) -> None:
    down: list[str] = []

    def go_down(request: Request) -> Response | None:
        down.extend(["down"] * ("/tag/" in request.url.path))
        return Response(status_code=503) if down else None

    server.before = go_down
    with pytest.raises(Unanswered, match=r"does not say whether it took it: .*503"):
        publish()


def test_a_commit_whose_answer_is_lost_is_not_made_again(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.create("acme/embed")
    commit = Repository.commit

    def lose(repository: Repository, *words: Any) -> str:  # noqa: ANN401
        commit(repository, *words)
        raise HTTPException(HTTPStatus.BAD_GATEWAY)

    monkeypatch.setattr(Repository, "commit", lose)
    tip = publish()
    repository = server.repository("acme/embed")
    assert repository.git("rev-list", "--count", "main") == b"2\n"
    assert versions(target) == {"1.0.0": tip}


def test_a_commit_that_another_one_was_faster_than_is_told(
    server: HuggingFaceServer, target: Target, publish: Callable[[], str]
) -> None:
    server.create("acme/embed")

    def overtake(request: Request) -> Response | None:
        if "/commit/" not in request.url.path:
            return None
        server.repository("acme/embed").commit("main", {"new.txt": b""}, "Meanwhile")
        return Response(status_code=412)

    server.before = overtake
    with pytest.raises(Overtaken) as caught:
        publish()
    assert str(caught.value) == (
        f"Somebody pushed to `{server.url}/acme/embed` meanwhile, and it did not take "
        "this"
    )
    assert caught.value.hint == "Run this again"
    assert versions(target) == {}


def test_a_server_without_xet_storage_is_named(
    server: HuggingFaceServer,
    publish: Callable[[], str],
    author: Author,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", False)
    server.create("acme/embed")
    author.write("1.0.0", **{"model.safetensors": WEIGHTS})
    with pytest.raises(UploadRefused) as caught:
        publish()
    assert caught.value.hint == (
        "Set HF_HUB_DISABLE_XET=1 and run this again: the server seems to have no Xet "
        "storage"
    )


def test_an_older_version_leaves_the_page_alone(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[[], str],
    author: Author,
    tmp_path: Path,
) -> None:
    author.write("1.0.2")
    checked_before = prepare(
        author.folder, tmp_path / "before", published=(), allow_older=True
    )
    author.write("2.0.0")
    newest = publish()
    author.write("1.0.1")
    older = publish()
    between = target.publish(checked_before)
    assert versions(target) == {"1.0.1": older, "1.0.2": between, "2.0.0": newest}
    assert server.repository("acme/embed").commit_of("main") == newest


def test_a_yanked_version_is_withdrawn_until_it_is_restored(
    server: HuggingFaceServer, target: Target, publish: Callable[[], str]
) -> None:
    publish()
    (release,) = target.releases(NAME)
    target.yank(release, "wrong mean")
    (release,) = target.releases(NAME)
    assert release.yanked == "withdrawn by its publisher"
    server.repository("acme/embed").git("tag", "yanked-v1.0", release.revision)
    target.restore(release)
    (release,) = target.releases(NAME)
    assert release.yanked is None


def signatures(server: HuggingFaceServer) -> list[str]:
    return files_at(server, "hub-signatures")


@pytest.mark.slow
def test_a_signed_version_has_its_bundle_before_its_tag(
    server: HuggingFaceServer,
    target: Target,
    publish: Callable[..., str],
    author: Author,
    tmp_path: Path,
) -> None:
    files = operator_files("acme/embed", "0.9.0")
    server.create("acme/embed", {"model.safetensors": WEIGHTS, **files})
    author.write("1.0.0", **{"model.safetensors": WEIGHTS})
    publish(sign=True)
    sent = [each for each in server.requests if "/commit/" in each or "/tag/" in each]
    assert [each.partition("acme/embed/")[2] for each in sent] == [
        "commit/main",
        "commit/hub-signatures",
        "tag/" + server.repository("acme/embed").commit_of("v1.0.0"),
    ]
    assert signatures(server) == ["v1.0.0.sigstore.json"]
    author.write("1.1.0")
    publish(sign=True)
    assert signatures(server) == ["v1.0.0.sigstore.json", "v1.1.0.sigstore.json"]
    repository = server.repository("acme/embed")
    content = repository.git("cat-file", "blob", "hub-signatures:v1.1.0.sigstore.json")
    assert content == (tmp_path / "bundle.json").read_bytes()
    assert list(versions(target)) == ["1.0.0", "1.1.0"]


def test_where_the_signature_is_not_taken_there_is_no_version(
    server: HuggingFaceServer, target: Target, publish: Callable[..., str]
) -> None:
    server.create("acme/embed")
    for part in ("/branch/hub-signatures", "/commit/hub-signatures"):
        refuse(server, "POST", part, 403)
        with pytest.raises(TagRefused) as caught:
            publish(sign=True)
        tip = server.repository("acme/embed").commit_of("main")
        said = str(caught.value).splitlines()
        assert said[0].endswith(f"has the files of acme/embed 1.0.0 as commit {tip},")
        assert said[1] == "  and not its signature: nobody sees the version yet"
        assert said[2].startswith("  the server says: ")
        assert versions(target) == {}
    server.before = lambda _request: None
    assert publish(sign=True) == tip
    assert versions(target) == {"1.0.0": tip}


def test_what_is_to_be_signed_is_not_told_before_the_repository_is_there(
    target: Target, publish: Callable[..., str], author: Author
) -> None:
    with pytest.raises(NotMadeYet) as caught:
        publish(sign=True)
    assert caught.value.hint == (
        "Make it first: `hf repos create acme/embed`; or put a `.gitattributes` of "
        "your own among the files"
    )
    author.write("1.0.0", **{".gitattributes": b""})
    signed = publish(sign=True)
    assert versions(target) == {"1.0.0": signed}


@pytest.mark.slow
@pytest.mark.parametrize("own", [{}, {".gitattributes": b"*.y text\n"}])
def test_a_version_is_signed_again_if_its_server_changed_a_file_as_it_came(
    target: Target,
    publish: Callable[..., str],
    author: Author,
    monkeypatch: pytest.MonkeyPatch,
    own: dict[str, bytes],
) -> None:
    author.write("1.0.0", **{".gitattributes": b""})
    publish()
    author.write("1.1.0", **own)
    if not own:
        (author.folder / ".gitattributes").unlink()
    written, commit = {".gitattributes": b"*.x text\n"}, Repository.commit
    monkeypatch.setattr(
        Repository,
        "commit",
        lambda self, branch, files, message: commit(
            self, branch, {**files, **written}, message
        ),
    )
    with pytest.raises(TagRefused, match=r"\.gitattributes` is not the one that was"):
        publish(sign=True)
    assert list(versions(target)) == ["1.0.0"]
    if own:
        author.write("1.1.0", **written)
    signed = publish(sign=True)
    assert versions(target)["1.1.0"] == signed
