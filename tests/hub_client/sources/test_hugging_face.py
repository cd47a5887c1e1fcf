from __future__ import annotations

import logging
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import huggingface_hub.constants
import pytest
from fastapi import Response
from huggingface_hub.utils._xet_progress_reporting import XetDownloadProgressReporter
from packaging.version import Version
from servers.operator_files import operator_files

from hub_client.candidate import Candidate, Release
from hub_client.sources import hugging_face_client
from hub_client.sources.hugging_face import (
    HuggingFaceSource,
    InvalidRepository,
    parse_spec,
)
from hub_client.sources.hugging_face_client import (
    RepositoryRefused,
    ServerUnreachable,
)
from hub_client.sources.hugging_face_transfer import Arrived
from hub_client.store import Store
from hub_client.transfer import shown
from hub_client.tree_digest import DigestMismatch
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.hugging_face import HuggingFaceServer

    from hub_client.transfer import Advance

EMBED = OperatorName.parse("acme/embed")
WEIGHTS = bytes(range(256)) * 8192


@pytest.fixture
def server(
    hugging_face: HuggingFaceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> HuggingFaceServer:
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    cache = tmp_path / "huggingface"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(hugging_face_client, "WAITS", (0.01, 0.01))
    return hugging_face


@pytest.fixture
def release(server: HuggingFaceServer) -> Release:
    """Version 1.0.0 of ``acme/embed``, with weights beside its code."""
    files = operator_files("acme/embed", "1.0.0")
    commit = server.create("acme/embed", {**files, "model.safetensors": WEIGHTS})
    server.repository("acme/embed").git("tag", "v1.0.0", commit)
    server.requests.clear()
    return Release(Version("1.0.0"), commit, "refs/tags/v1.0.0")


def source(*, offline: bool = False) -> HuggingFaceSource:
    cache = Path(os.environ["HUB_CACHE_DIR"])
    return HuggingFaceSource("hf:acme/{name}", cache_dir=cache, offline=offline)


def wanted(release: Release) -> Candidate:
    return Candidate(EMBED, release, "hf:acme/embed", source().manifest(EMBED, release))


def test_versions_are_tags_at_their_commits(
    server: HuggingFaceServer, release: Release
) -> None:
    repository = server.repository("acme/embed")
    repository.git("tag", "latest", release.revision)
    repository.git("tag", "-m", "an annotated one", "v1.1.0", release.revision)
    repository.git("branch", "v9.0.0", release.revision)
    found = source().versions(EMBED)
    assert [(str(each.version), each.revision) for each in found] == [
        ("1.0.0", release.revision),
        ("1.1.0", release.revision),
    ]
    # Where nothing can be noted, the server is asked again.
    notes = Path(os.environ["HUB_CACHE_DIR"], "hugging-face")
    shutil.rmtree(notes)
    notes.touch()
    assert source().versions(EMBED) == found


def test_a_manifest_is_read_without_the_rest_of_its_tree(
    server: HuggingFaceServer, release: Release
) -> None:
    manifest = source().manifest(EMBED, release)
    assert manifest.name == EMBED
    assert {line.rpartition("/")[2] for line in server.requests} == {
        release.revision,
        "operator.yaml",
    }


def test_a_tree_is_fetched_by_commit_and_its_weights_are_kept_once(
    release: Release, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    digest = store.add(lambda folder: source().fetch(wanted(release), folder))
    tree = store.path(digest)
    assert (tree / "model.safetensors").read_bytes() == WEIGHTS
    assert (tree / "echo" / "__init__.py").is_file()
    assert (tree / "model.safetensors").stat().st_nlink == 2
    assert (tree / "operator.yaml").stat().st_nlink == 1


def test_what_arrives_is_told_and_so_is_what_is_here_already(
    release: Release, tmp_path: Path
) -> None:
    told: list[tuple[str, int]] = []
    arrived: list[int] = []

    @contextmanager
    def show(text: str, total: int) -> Iterator[Advance]:
        told.append((text, total))
        yield arrived.append

    total = sum(file.size for file in source().files(wanted(release)))
    for place in ("tree", "again"):
        with shown(show):
            source().fetch(wanted(release), tmp_path / place)
        assert (told.pop(), sum(arrived)) == (("acme/embed 1.0.0", total), total)
        arrived.clear()


def test_what_xet_brings_is_told_once() -> None:
    arrived: list[int] = []
    bars = XetDownloadProgressReporter(
        reconstruction_desc="model.safetensors",
        total=10,
        log_level=logging.WARNING,
        tqdm_class=Arrived(arrived.append, 10).bar_class(),
    )
    for here in (4, 10):
        report = SimpleNamespace(
            total_bytes=10,
            total_bytes_completed=here,
            total_bytes_completion_rate=1.0,
            total_transfer_bytes_completed=here,
            total_transfer_bytes_completion_rate=1.0,
        )
        bars.update_progress(report)
    bars.close()
    assert arrived == [4, 6]


def test_other_bytes_of_the_right_length_are_refused(
    server: HuggingFaceServer, release: Release, tmp_path: Path
) -> None:
    def tamper(request: object) -> Response | None:
        path = request.url.path
        if request.method == "GET" and path.endswith("/model.safetensors"):
            return Response(bytes(len(WEIGHTS)), headers={"ETag": '"x"'})
        return None

    server.before = tamper
    with pytest.raises(DigestMismatch, match=r"`model.safetensors` at"):
        source().fetch(wanted(release), tmp_path / "tree")
    server.before = lambda _request: None
    source().fetch(wanted(release), tmp_path / "again")
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(
    server: HuggingFaceServer, release: Release, status: int
) -> None:
    answers = iter([Response(status_code=status, headers={"Retry-After": "0"})])
    server.before = lambda request: (
        next(answers, None) if request.url.path.endswith("/refs") else None
    )
    (found,) = source().versions(EMBED)
    assert found == release


def test_a_busy_server_is_asked_again_for_a_file(
    server: HuggingFaceServer, release: Release
) -> None:
    busy = Response(status_code=429, headers={"Retry-After": "0"})
    answers = iter([busy, busy])
    server.before = lambda request: (
        next(answers, None) if request.url.path.endswith("/operator.yaml") else None
    )
    assert source().manifest(EMBED, release).name == EMBED
    assert next(answers, None) is None


def test_a_server_that_stays_busy_is_named(server: HuggingFaceServer) -> None:
    server.before = lambda _request: Response(status_code=429)
    with pytest.raises(ServerUnreachable) as caught:
        source().versions(EMBED)
    assert str(caught.value) == (
        f"`{server.url}` does not give `acme/embed`: "
        "it asks to send fewer requests (429)"
    )


def test_a_missing_repository_may_be_a_private_one(server: HuggingFaceServer) -> None:
    with pytest.raises(RepositoryRefused) as caught:
        source().versions(EMBED)
    assert str(caught.value) == (
        f"`{server.url}/acme/embed` does not exist, or is private"
    )


@pytest.mark.parametrize(
    ("spec", "server", "name"),
    [
        ("hf:acme/embed", "https://huggingface.co", "acme/embed"),
        ("hf+https://hub.acme.example/acme/embed", "https://hub.acme.example", None),
        ("hf+http://[::1]:80/hub/acme/embed/", "http://[::1]:80/hub", None),
    ],
)
def test_a_spec_says_server_and_repository(
    spec: str, server: str, name: str | None
) -> None:
    found = parse_spec(spec)
    assert (found.endpoint, found.name) == (server, name or "acme/embed")


@pytest.mark.parametrize(
    "spec",
    [
        "hf:embed",
        "hf:acme/embed/more",
        "hf:acme/../embed",
        "hf:-acme/embed",
        "hf:acme/embed?x",
        "hf+https://acme/embed",
        "hf+ftp://hub.example/acme/embed",
        # What was trusted is `hf+https://hub.example/acme`.
        "hf+https://hub.example/acme/../evil/embed",
        "hf+https://hub.example/acme/%2e%2e/evil/embed",
        "hf+https://hub.example@evil.example/acme/embed",
        "hf:acm\u0435/embed",
        "hf+https://hub.ex\u0430mple.org/acme/embed",
        "hf+https://hub.example.org:\u0664\u0664\u0663/acme/embed",
    ],
)
def test_a_spec_that_could_be_read_in_two_ways_is_refused(spec: str) -> None:
    with pytest.raises(InvalidRepository, match="expected a Hugging Face repository"):
        parse_spec(spec)
