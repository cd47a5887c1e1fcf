"""A sigstore bundle goes out with the version that it signs, or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from servers.sigstore_world import SigstoreWorld

from hub_client.publisher import open_target
from hub_client.publisher.attached_bundle import WrongBundle, attach_bundle
from hub_client.publisher.publication import prepare
from hub_client.publisher.remote import PushRefused
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

    from servers.git_repository import GitRepository

    from hub_client.publisher import Target
    from hub_client.publisher.publication import Publication
    from tests.hub_client.publisher.conftest import Author

NAME = OperatorName.parse("acme/embed")
NOTES = "refs/notes/sigstore"


@dataclass(frozen=True, slots=True)
class Signing:
    """An author who signs what they publish."""

    author: Author
    target: Target
    folder: Path

    def prepared(self, version: str) -> Publication:
        self.author.write(version)
        published = self.target.releases(NAME)
        return prepare(self.author.folder, self.folder / version, published=published)

    def publish(self, version: str) -> tuple[str, bytes]:
        publication = self.prepared(version)
        file = self.folder / f"{version}.sigstore.json"
        statement = self.target.statement(publication)
        bundle = SigstoreWorld().sign(statement)
        file.write_text(json.dumps(bundle), encoding="utf-8")
        attached = attach_bundle(publication, file, statement=statement)
        commit = self.target.publish(attached)
        return commit, file.read_bytes()


@pytest.fixture
def signing(author: Author, repository: GitRepository, tmp_path: Path) -> Signing:
    spec = f"git+{repository.url}"
    folder = tmp_path / "publishing"
    folder.mkdir()
    return Signing(
        author, open_target(spec, NAME, cache_dir=tmp_path / "cache"), folder
    )


def note(repository: GitRepository, commit: str) -> bytes:
    return repository.git("notes", f"--ref={NOTES}", "show", commit).encode()


def test_each_version_has_its_own_bundle_beside_earlier_ones(
    signing: Signing, repository: GitRepository
) -> None:
    first, second = signing.publish("1.0.0"), signing.publish("1.1.0")
    assert note(repository, first[0]) == first[1]
    assert note(repository, second[0]) == second[1]
    assert repository.git("rev-parse", "v1.1.0") == second[0]
    assert len(repository.git("rev-list", NOTES).splitlines()) == 2


def test_an_authors_own_commit_gets_the_note(
    signing: Signing, repository: GitRepository
) -> None:
    signing.author.write("1.0.0")
    commit = signing.author.commit()
    assert signing.publish("1.0.0")[0] == commit
    assert note(repository, commit)


def test_where_the_note_is_not_taken_there_is_no_version(
    signing: Signing, repository: GitRepository
) -> None:
    hook = repository.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\ncase "$1" in refs/notes/*) exit 1;; esac\n')
    hook.chmod(0o755)
    with pytest.raises(PushRefused):
        signing.publish("1.0.0")
    assert repository.git("for-each-ref") == ""


def test_a_bundle_for_other_files_or_another_version_is_refused(
    signing: Signing, repository: GitRepository, tmp_path: Path
) -> None:
    publication = signing.prepared("1.0.0")
    right = signing.target.statement(publication)
    said = right.decode().strip()
    file = tmp_path / "bundle.json"
    for statement in (b"acme/embed 1.0.0 sha256:0\n", right.strip()):
        file.write_text(json.dumps(SigstoreWorld().sign(statement)), encoding="utf-8")
        with pytest.raises(WrongBundle) as caught:
            attach_bundle(publication, file, statement=right)
        assert str(caught.value) == (
            f"`{file}` signs something else than this release\n  expected `{said}`"
        )


def test_a_file_that_is_no_bundle_is_refused(signing: Signing, tmp_path: Path) -> None:
    publication, file = signing.prepared("1.0.0"), tmp_path / "bundle.json"
    deep, endless = b"[" * 100_000, b" " * (1 << 18) + b"{}"
    for content in (
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"messageSignature": 1}',
        deep,
        endless,
    ):
        file.write_bytes(content)
        with pytest.raises(WrongBundle, match="is no sigstore bundle of a file"):
            attach_bundle(publication, file, statement=b"")
