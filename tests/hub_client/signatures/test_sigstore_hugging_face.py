"""Sigstore bundles in a branch of a repository at Hugging Face, by the real client."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import huggingface_hub.constants
import pytest
from fastapi import Response
from packaging.version import Version
from servers.operator_files import operator_files, write_files
from servers.sigstore_world import SigstoreWorld

from hub_client.admission import admit, find_signer, with_signed_trees
from hub_client.candidate import Candidate, Release
from hub_client.config import HubConfig
from hub_client.signatures import (
    SignatureRefused,
    SignatureUnreachable,
    SigstoreIdentity,
    add_required,
)
from hub_client.signatures.statement import release_statement
from hub_client.sources import hugging_face_client
from hub_client.sources.router import SourceRouter
from hub_client.store import Store
from hub_client.tree_digest import tree_digest
from hub_client.trust import add_trusted
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

    from servers.hugging_face import HuggingFaceServer

NAME, VERSION = OperatorName.parse("acme/embed"), Version("1.0.0")
FILES = {**operator_files("acme/embed", "1.0.0"), "model.safetensors": bytes(9000)}
ALICE = SigstoreIdentity("alice@acme.example", "https://id.example")
FILE = "v1.0.0.sigstore.json"


@dataclass(frozen=True, slots=True)
class Released:
    """A release whose user requires Alice's bundle."""

    server: HuggingFaceServer
    candidate: Candidate

    def attach(self, bundle: object, file: str = FILE) -> None:
        content = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
        repository = self.server.repository("acme/embed")
        repository.commit("hub-signatures", {file: content}, "sign")

    def signer(self, *, offline: bool = False, tree: str | None = None) -> str | None:
        config = HubConfig.load()
        router = SourceRouter({}, cache_dir=config.cache_dir, offline=offline)
        release = replace(self.candidate.release, tree=tree)
        wanted = replace(self.candidate, release=release)
        return find_signer(wanted, config, router=router, directory=None)

    def refusal(self, *, tree: str | None = None) -> str:
        with pytest.raises(SignatureRefused) as caught:
            self.signer(tree=tree)
        (found,) = caught.value.found
        return found


@pytest.fixture(scope="module")
def world() -> SigstoreWorld:
    return SigstoreWorld()


@pytest.fixture
def released(
    hugging_face: HuggingFaceServer,
    world: SigstoreWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Released:
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    cache = str(tmp_path / "huggingface")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", cache)
    monkeypatch.setattr(hugging_face_client, "WAITS", (0.01,))
    commit = hugging_face.create("acme/embed", FILES)
    hugging_face.repository("acme/embed").git("tag", "v1.0.0", commit)
    root = world.trusted_root()
    add_required(HubConfig.load().config_dir, "hf:acme", (ALICE,), trusted_root=root)
    add_trusted(HubConfig.load().config_dir, "hf:acme")
    manifest = Manifest.from_yaml(FILES["operator.yaml"])
    release = Release(VERSION, commit, "refs/tags/v1.0.0")
    return Released(hugging_face, Candidate(NAME, release, "hf:acme/embed", manifest))


@pytest.fixture
def tree(released: Released, tmp_path: Path) -> str:
    """The digest that the release has in a store, the server's own file included."""
    repository = released.server.repository("acme/embed")
    own = repository.git("cat-file", "blob", "v1.0.0:.gitattributes")
    return tree_digest(write_files(tmp_path / "t", {**FILES, ".gitattributes": own}))


@pytest.mark.slow
def test_a_bundle_for_the_release_counts_and_is_kept_for_offline(
    released: Released, world: SigstoreWorld, tree: str, tmp_path: Path
) -> None:
    released.attach(world.sign(release_statement(NAME, VERSION, tree)))
    assert released.signer() == ALICE.signer
    assert not [each for each in released.server.requests if "safetensors" in each]
    config = HubConfig.load()
    router = SourceRouter({}, cache_dir=config.cache_dir)
    found = admit([released.candidate], config, router=router, directory=None)
    (wanted,) = with_signed_trees([released.candidate], found)
    assert wanted.release.tree == tree
    store = Store(tmp_path / "store")
    assert store.add(lambda folder: router.fetch(wanted, folder)) == tree
    # That of another version, and then one that is no good, come to the branch.
    released.attach(world.sign(b"other"), "v2.0.0.sigstore.json")
    released.attach(b"{}")
    released.server.requests.clear()
    assert released.signer(offline=True) == ALICE.signer
    assert released.signer(offline=True, tree=tree) == ALICE.signer
    assert released.server.requests == []


def test_whatever_else_is_in_its_place_is_refused_by_one_clear_error(
    released: Released, world: SigstoreWorld, tree: str
) -> None:
    missing = f"its repository's branch `hub-signatures` has no `{FILE}`"
    assert released.refusal() == f"its sigstore bundle is missing: {missing}"
    right = release_statement(NAME, VERSION, tree)
    released.attach(world.sign(right), "v1.0.1.sigstore.json")
    assert released.refusal() == f"its sigstore bundle is missing: {missing}"
    for identity, issuer in (
        ("mallory@acme.example", "https://id.example"),
        ("alice@acme.example", "https://other.example"),
    ):
        released.attach(world.sign(right, identity, issuer))
        refusal = f"its sigstore bundle is by sigstore:{identity}@{issuer}"
        assert released.refusal() == refusal
    other = release_statement(NAME, Version("1.0.1"), tree)
    mismatch = "its sigstore bundle is not good: Bundle message digest mismatch"
    released.attach(world.sign(other))
    assert released.refusal() == mismatch
    tampered = world.sign(right)
    tampered["messageSignature"]["signature"] = "AAAA"
    released.attach(tampered)
    assert released.refusal().startswith("its sigstore bundle is not good: ")
    released.attach(bytes(1 << 18) + b"{}")
    assert released.refusal() == "its sigstore bundle is larger than 262144 bytes"
    released.attach(world.sign(right))
    assert released.refusal(tree=f"sha256:{'0' * 64}") == mismatch
    assert released.signer() == ALICE.signer


@pytest.mark.slow
def test_a_server_that_refuses_it_is_not_a_missing_bundle(
    released: Released,
) -> None:
    released.server.before = lambda request: (
        Response(status_code=403) if "hub-signatures" in request.url.path else None
    )
    with pytest.raises(SignatureUnreachable, match="refuses access"):
        released.signer()
