"""A signature comes with a bundle, and is checked where no source can be asked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from servers.git_repository import GitRepository, Special
from servers.operator_files import operator_files, write_files
from servers.signing import ssh_publisher
from servers.sigstore_world import SigstoreWorld

from hub_client.admission import find_signer
from hub_client.bundle.collecting import Collector
from hub_client.bundle.folder import BundleFolder
from hub_client.bundle.reading import Bundle
from hub_client.bundle.router import BundleRouter
from hub_client.config import HubConfig
from hub_client.environment import Environment
from hub_client.lockfile import Lockfile
from hub_client.packages import open_installer
from hub_client.signatures import (
    SignatureRefused,
    SigstoreIdentity,
    add_required,
    read_key_file,
)
from hub_client.signatures.statement import release_statement
from hub_client.sources.packed_signature import PackRefused, pack_signed
from hub_client.sources.router import NoSignatures, SourceRouter
from hub_client.store import Store
from hub_client.trust import add_trusted
from plugin_spec.errors import HubError
from tests.hub_client.bundle.conftest import HERE, locked

if TYPE_CHECKING:
    from pathlib import Path

    from servers.signing import Publisher

    from hub_client.lockfile import LockedOperator

FILES = {**operator_files("acme/embed", "1.0.0"), "echo/deep/er.txt": b"deep\n"}
ALICE = SigstoreIdentity("alice@acme.example", "https://id.example")
ENVIRONMENT = Environment.current()


@dataclass(frozen=True, slots=True)
class Signed:
    """A release in git, what a lock has of it, and a bundle."""

    repository: GitRepository
    operator: LockedOperator
    folder: Path

    @property
    def lock(self) -> Lockfile:
        return Lockfile((), (self.operator,), ())

    def bundle(self) -> list[str]:
        """Make the bundle, or bring it up to date; what came."""
        config = HubConfig.load()
        collector = Collector(
            store=Store(config.cache_dir / "store"),
            router=SourceRouter(
                {}, cache_dir=config.cache_dir, is_trusted=lambda _: True
            ),
            config=config,
            installer=open_installer("uv"),
            requires_python=SpecifierSet(">=3.11"),
        )
        with BundleFolder.open(self.folder) as folder:
            collector.collect(self.lock, (HERE,), folder)
            return [each for each in folder.added if each.startswith("signatures/")]

    def signer(self) -> str | None:
        """Who signed, with nothing but the bundle to ask."""
        gone = self.repository.path.with_name("gone.git")
        if self.repository.path.exists():
            self.repository.path.rename(gone)
        config, bundle = HubConfig.load(), Bundle.open(str(self.folder))
        offer = bundle.offer(self.lock, ENVIRONMENT)
        router = BundleRouter(
            bundle.place, offer, self.lock.operators, cache_dir=self.folder / "none"
        )
        return find_signer(self.operator, config, router=router, directory=None)

    def refusal(self) -> str:
        with pytest.raises(SignatureRefused) as caught:
            self.signer()
        return caught.value.found[-1]

    def forge(self, content: bytes | None) -> None:
        """Put something in the place of the signature; None to leave it out."""
        listing = json.loads((self.folder / "bundle.json").read_bytes())
        (file,) = (x for x in listing["files"] if x["path"].startswith("signatures/"))
        if content is None:
            listing["files"].remove(file)
        else:
            (self.folder / file["path"]).write_bytes(content)
            file["size"] = len(content)
            file["sha256"] = hashlib.sha256(content).hexdigest()
        (self.folder / "bundle.json").write_text(json.dumps(listing))

    def statement(self, version: str = "1.0.0") -> bytes:
        tree = self.operator.tree
        return release_statement(self.operator.name, Version(version), tree)


@pytest.fixture
def alice(tmp_path: Path) -> Publisher:
    return ssh_publisher(tmp_path / "keys", "alice")


def release(
    repository: GitRepository, folder: Path, commit: str, **instead: str
) -> Signed:
    source = f"git+{repository.url}"
    add_trusted(HubConfig.load().config_dir, source)
    entry = locked(write_files(folder / "work", FILES), source)
    fields = {"revision": commit, "ref": "refs/tags/v1.0.0", **instead}
    return Signed(repository, replace(entry, **fields), folder / "bundle")


def require(signed: Signed, publisher: Publisher) -> None:
    keys, _ = read_key_file(publisher.public)
    add_required(HubConfig.load().config_dir, signed.operator.source, keys)


@pytest.mark.parametrize("sign", ["tag", "commit"])
def test_what_a_key_signed_in_git_is_verified_from_the_bundle_alone(
    repository: GitRepository, alice: Publisher, tmp_path: Path, sign: str
) -> None:
    commit = alice.release(repository, "1.0.0", FILES, sign=sign)
    signed = release(repository, tmp_path, commit)
    signed.bundle()
    with_policy = [f"signatures/{signed.operator.tree[7:]}.pack"]
    require(signed, alice)
    # Who comes to require one makes the bundle again, and has it once.
    assert signed.bundle() == with_policy
    assert signed.bundle() == []
    assert signed.signer() == alice.signer
    git = GitRepository.create(tmp_path / "other.git").git
    git("index-pack", "--stdin", stdin=(signed.folder / with_policy[0]).read_bytes())
    assert " blob " not in git("cat-file", "--batch-all-objects", "--batch-check")


def test_what_is_not_the_locked_release_is_refused_though_a_key_signed_it(
    repository: GitRepository, alice: Publisher, tmp_path: Path
) -> None:
    other = alice.release(repository, "1.0.0", {**FILES, "more.txt": b""})
    signed = release(repository, tmp_path, other)
    require(signed, alice)
    # A lock that pins a signed commit with the files of nobody's.
    with pytest.raises(SignatureRefused) as caught:
        signed.bundle()
    files = f"its commit has other files than {signed.operator.tree}"
    assert caught.value.found == ("its commit is not signed", files)
    commit = alice.release(repository, "1.0.0", FILES)
    signed = replace(signed, operator=replace(signed.operator, revision=commit))
    signed.bundle()
    pack = next((signed.folder / "signatures").iterdir()).read_bytes()
    hostile = replace(signed, operator=replace(signed.operator, revision=other))
    with pytest.raises(PackRefused, match=f"is not the signed commit {other}"):
        hostile.signer()
    for content in (b"", b"PACK", pack[:-1], pack.replace(b"PACK", b"KCAP")):
        signed.forge(content)
        with pytest.raises(PackRefused):
            signed.signer()
    signed.forge(pack)
    assert signed.signer() == alice.signer
    for ref, problem in {
        "refs/tags/v1.0": "its tag is not signed",
        "refs/tags/v1.1.0": "`refs/tags/v1.1.0` is no tag of 1.0.0",
    }.items():
        renamed = replace(signed.operator, ref=ref)
        assert replace(signed, operator=renamed).refusal() == problem
    signed.forge(None)
    with pytest.raises(NoSignatures, match=r"holds no signature of acme/embed 1\.0\.0"):
        signed.signer()


def test_a_signed_commit_of_other_files_than_the_bundles_is_refused(
    repository: GitRepository, alice: Publisher, tmp_path: Path
) -> None:
    commit = alice.release(repository, "1.0.0", FILES)
    signed = release(repository, tmp_path, commit)
    require(signed, alice)
    signed.bundle()
    # Another tree, whose lock and bundle say that it is of the signed commit.
    write_files(tmp_path / "work", {"echo/deep/er.txt": b"evil\n"})
    evil = locked(tmp_path / "work", signed.operator.source)
    forged = replace(signed.operator, tree=evil.tree, manifest=evil.manifest)
    for each in (signed.folder / "trees").iterdir():
        write_files(each, {"echo/deep/er.txt": b"evil\n"})
        each.rename(each.with_name(evil.tree[7:]))
    text = (signed.folder / "bundle.json").read_text()
    text = text.replace(signed.operator.tree[7:], evil.tree[7:])
    deep, bad = (hashlib.sha256(each).hexdigest() for each in (b"deep\n", b"evil\n"))
    text = text.replace(deep, bad)
    (signed.folder / "bundle.json").write_text(text)
    for each in (signed.folder / "signatures").iterdir():
        each.rename(each.with_name(f"{evil.tree[7:]}.pack"))
    signed = replace(signed, operator=forged)
    assert signed.refusal() == f"its commit has other files than {evil.tree}"


def test_a_signed_commit_that_no_source_would_take_is_refused(
    repository: GitRepository, alice: Publisher, tmp_path: Path
) -> None:
    signed = release(repository, tmp_path, alice.release(repository, "1.0.0", FILES))
    require(signed, alice)
    signed.bundle()
    link = {"echo/deep/er.txt": Special.link("deep\n")}
    hostile: list[dict[str, Special | bytes]] = [link, {".git/hooks/x": b""}]
    commits = [
        alice.release(repository, "1.0.0", {**FILES, **files}, sign="commit")
        for files in hostile
    ]
    packs = [pack_signed(repository.path, commit, None) for commit in commits]
    linked, malformed = (
        replace(signed, operator=replace(signed.operator, revision=commit))
        for commit in commits
    )
    # The link's target has the bytes, and so the name, of the file that is there.
    signed.forge(packs[0])
    files = f"its commit has other files than {signed.operator.tree}"
    assert linked.refusal() == files
    signed.forge(packs[1])
    with pytest.raises(PackRefused, match="hasDotgit"):
        malformed.signer()


def test_a_sigstore_bundle_is_verified_from_the_bundle_alone(
    repository: GitRepository, tmp_path: Path
) -> None:
    world = SigstoreWorld()
    signed = release(repository, tmp_path, repository.release("1.0.0", FILES))
    add_required(
        HubConfig.load().config_dir,
        signed.operator.source,
        (ALICE,),
        trusted_root=world.trusted_root(),
    )
    bundle = json.dumps(world.sign(signed.statement())).encode()
    blob = repository.write("blob", bundle)
    words = ("add", "-C", blob, signed.operator.revision)
    repository.git("notes", "--ref=sigstore", *words)
    (path,) = signed.bundle()
    assert (signed.folder / path).read_bytes() == bundle
    assert signed.signer() == ALICE.signer
    for other, said in (
        (world.sign(signed.statement("1.0.1")), "is not good: Bundle message digest"),
        (world.sign(signed.statement(), "mallory@acme.example"), "is by sigstore:mall"),
        (
            world.sign(signed.statement(), issuer="https://other.example"),
            "is by sigstore:alice@acme.example@https://other.example",
        ),
        (SigstoreWorld().sign(signed.statement()), "is not good: "),
    ):
        signed.forge(json.dumps(other).encode())
        assert signed.refusal().startswith(f"its sigstore bundle {said}")
    signed.forge(bytes((1 << 18) + 1))
    assert signed.refusal() == "its sigstore bundle is larger than 262144 bytes"
    signed.forge(bundle)
    (signed.folder / path).write_bytes(bundle.replace(b"a", b"b"))
    with pytest.raises(HubError, match="is damaged"):
        signed.signer()
    signed.forge(None)
    with pytest.raises(NoSignatures):
        signed.signer()
