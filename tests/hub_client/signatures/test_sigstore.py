"""Sigstore bundles of a sigstore of the test's own, checked by the library itself."""

from __future__ import annotations

import base64
import json
import re
import sys
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from packaging.version import Version
from servers.operator_files import operator_files
from servers.signing import ssh_publisher
from servers.sigstore_world import MINUTES, NOW, SigstoreWorld

from hub_client.admission import find_signer
from hub_client.candidate import Candidate, Release
from hub_client.config import HubConfig, InvalidConfig
from hub_client.git_commands import OUTPUT_LIMIT
from hub_client.signatures import (
    InvalidKey,
    SignatureRefused,
    SignatureUnreachable,
    SigstoreIdentity,
    read_key_file,
)
from hub_client.signatures.policy import add_required
from hub_client.signatures.sigstore_bundle import (
    BundleRefused,
    InvalidTrustedRoot,
    SigstoreMissing,
    check_bundle,
    read_trusted_root,
)
from hub_client.signatures.statement import release_statement
from hub_client.sources.router import SourceRouter
from hub_client.tree_digest import tree_digest
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.git_repository import GitRepository

NAME, VERSION = OperatorName.parse("acme/embed"), Version("1.0.0")
FILES = operator_files("acme/embed", "1.0.0")
STATEMENT = release_statement(NAME, VERSION, f"sha256:{'0' * 64}")
ALICE = SigstoreIdentity("alice@acme.example", "https://id.example")


@pytest.fixture(scope="module")
def world() -> SigstoreWorld:
    return SigstoreWorld()


@pytest.fixture
def statement(tmp_path: Path) -> bytes:
    for path, content in FILES.items():
        file = tmp_path / "tree" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return release_statement(NAME, VERSION, tree_digest(tmp_path / "tree"))


@pytest.fixture(scope="module")
def root(world: SigstoreWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sigstore") / "trusted_root.json"
    file.write_bytes(world.trusted_root())
    return file


def refused(bundle: dict[str, Any] | bytes, root: Path | None) -> str:
    """Why a bundle does not count, without a repository around it."""
    content = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
    with pytest.raises(BundleRefused) as caught:
        check_bundle(content, STATEMENT, (ALICE,), trusted_root=root)
    return str(caught.value)


@dataclass(frozen=True, slots=True)
class Released:
    """A release whose user requires Alice's bundle."""

    repository: GitRepository
    commit: str

    def attach(self, bundle: dict[str, Any] | bytes) -> None:
        content = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
        blob = self.repository.write("blob", content)
        words = ("add", "--force", "-C", blob, self.commit)
        self.repository.git("notes", "--ref=sigstore", *words)

    def signer(self, *, offline: bool = False) -> str | None:
        config = HubConfig.load()
        source = f"git+{self.repository.url}"
        router = SourceRouter(
            {"acme/*": source},
            cache_dir=config.cache_dir,
            offline=offline,
            is_trusted=lambda _: True,
        )
        release = Release(VERSION, self.commit, "refs/tags/v1.0.0")
        manifest = Manifest.from_yaml(FILES["operator.yaml"])
        candidate = Candidate(NAME, release, source, manifest)
        return find_signer(candidate, config, router=router, directory=None)

    def refusal(self) -> str:
        with pytest.raises(SignatureRefused) as caught:
            self.signer()
        (found,) = caught.value.found
        assert not (HubConfig.load().cache_dir / "store").exists()
        return found.removeprefix("its sigstore bundle ")


@pytest.fixture
def released(repository: GitRepository, world: SigstoreWorld) -> Released:
    commit = repository.release("1.0.0", FILES)
    root = world.trusted_root()
    source = f"git+{repository.url}"
    add_required(HubConfig.load().config_dir, source, (ALICE,), trusted_root=root)
    return Released(repository, commit)


def test_a_bundle_for_the_release_counts_and_is_kept_for_offline(
    released: Released, world: SigstoreWorld, statement: bytes
) -> None:
    released.attach(world.sign(statement))
    signer = "sigstore:alice@acme.example@https://id.example"
    assert released.signer() == signer
    assert released.signer(offline=True) == signer


def test_a_release_without_a_bundle_is_refused(released: Released) -> None:
    with pytest.raises(SignatureRefused) as caught:
        released.signer()
    assert str(caught.value) == (
        f"acme/embed 1.0.0 from `git+{released.repository.url}` is not signed as your "
        "configuration requires\n"
        "  its sigstore bundle is missing: its commit has no such note\n"
        f"  expected {ALICE.signer}"
    )


def test_notes_that_cannot_be_fetched_are_not_called_missing(
    released: Released, world: SigstoreWorld
) -> None:
    with pytest.raises(SignatureRefused):
        released.signer()
    with pytest.raises(SignatureUnreachable, match="you are offline, and it was not"):
        released.signer(offline=True)
    # One that is here and does not count is told too: another may have come since.
    released.attach(world.sign(STATEMENT))
    problem = released.refusal()
    path = released.repository.path
    path.rename(path.with_name("elsewhere.git"))
    with pytest.raises(SignatureUnreachable) as caught:
        released.signer()
    assert str(caught.value) == (
        f"acme/embed 1.0.0 from `git+{released.repository.url}` may be signed as your "
        "configuration requires, which cannot be told\n"
        f"  its sigstore bundle {problem}\n"
        f"  its sigstore bundle cannot be fetched: '{path}' does not appear to be a git "
        "repository\n"
        "  expected sigstore:alice@acme.example@https://id.example"
    )


@pytest.mark.parametrize(
    ("identity", "issuer"),
    [
        ("mallory@acme.example", "https://id.example"),
        ("alice@acme.example", "https://other.example"),
        ("https://acme.example/release.yml@refs/heads/main", "https://id.example"),
    ],
)
def test_another_identity_and_another_issuers_are_refused_and_named(
    released: Released,
    world: SigstoreWorld,
    statement: bytes,
    identity: str,
    issuer: str,
) -> None:
    released.attach(world.sign(statement, identity, issuer))
    assert released.refusal() == f"is by sigstore:{identity}@{issuer}"


@pytest.mark.parametrize(
    ("signed", "instead"),
    [
        (rb"1\.0\.0", b"1.0.1"),
        (rb"acme/embed", b"acme/other"),
        (rb"sha256:.*", b"sha256:" + b"0" * 64),
    ],
)
def test_a_bundle_for_another_version_name_or_tree_is_refused(
    released: Released,
    world: SigstoreWorld,
    statement: bytes,
    signed: bytes,
    instead: bytes,
) -> None:
    released.attach(world.sign(re.sub(signed, instead, statement)))
    assert released.refusal() == "is not good: Bundle message digest mismatch"


def test_a_certificate_that_had_expired_when_it_signed_is_refused(
    released: Released, world: SigstoreWorld, statement: bytes
) -> None:
    released.attach(world.sign(statement, logged_at=NOW + 2 * MINUTES))
    assert "cert is not valid at validation time" in released.refusal()


def test_a_bundle_of_another_sigstore_is_refused(
    released: Released, statement: bytes
) -> None:
    released.attach(SigstoreWorld().sign(statement))
    assert released.refusal().startswith("is not good: failed to build timestamp")


def entry(bundle: dict[str, Any]) -> dict[str, Any]:
    (found,) = bundle["verificationMaterial"]["tlogEntries"]
    assert isinstance(found, dict)
    return found


def flipped(text: str) -> str:
    content = bytearray(base64.b64decode(text))
    content[-1] ^= 1
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("body", "is not good: invalid log entry: inclusion proof contains invalid"),
        ("promise", "is not good: invalid log entry: SET: invalid inclusion promise"),
        ("checkpoint", "is not good: invalid log entry: "),
        ("signature", "is not good: Signature is invalid for input"),
        ("time", "is not good: invalid log entry: SET: invalid inclusion promise"),
        ("certificate", "is not good: failed to build timestamp certificate chain"),
    ],
)
def test_one_flipped_bit_is_refused(
    world: SigstoreWorld, root: Path, part: str, reason: str
) -> None:
    bundle = world.sign(STATEMENT)
    logged = entry(bundle)
    if part == "body":
        logged["canonicalizedBody"] = flipped(logged["canonicalizedBody"])
    elif part == "promise":
        promise = logged["inclusionPromise"]
        promise["signedEntryTimestamp"] = flipped(promise["signedEntryTimestamp"])
    elif part == "checkpoint":
        checkpoint = logged["inclusionProof"]["checkpoint"]
        checkpoint["envelope"] = checkpoint["envelope"].replace("\n2\n", "\n3\n")
    elif part == "time":
        logged["integratedTime"] = str(int(logged["integratedTime"]) + 1)
    elif part == "signature":
        signature = bundle["messageSignature"]
        signature["signature"] = flipped(signature["signature"])
    else:
        certificate = bundle["verificationMaterial"]["certificate"]
        certificate["rawBytes"] = flipped(certificate["rawBytes"])
    assert refused(bundle, root).startswith(reason)


def parts(
    value: dict[str, Any] | list[Any], path: tuple[Any, ...] = ()
) -> Iterator[tuple[Any, ...]]:
    """The way to each text of a bundle."""
    keyed = value if isinstance(value, dict) else dict(enumerate(value))
    for key, inner in keyed.items():
        if isinstance(inner, str):
            yield (*path, key)
        else:
            yield from parts(inner, (*path, key))


ANYTHING: tuple[Any, ...] = (
    None,
    0,
    10**30,
    "",
    "0",
    "AA==",
    "\x1b[2J",
    "é",
    [],
    {},
    "A" * 4000,
)


def test_no_part_of_a_bundle_can_be_anything_else(
    world: SigstoreWorld, root: Path
) -> None:
    bundle = world.sign(STATEMENT)
    tried = list(parts(bundle))
    for *outer, last in tried:
        for instead in ANYTHING:
            changed = deepcopy(bundle)
            part: Any = changed
            for key in outer:
                part = part[key]
            part[last] = instead
            assert refused(changed, root).isprintable()
    assert len(tried) == 17


def test_the_entry_of_another_signature_is_refused(
    world: SigstoreWorld, root: Path
) -> None:
    bundle, other = world.sign(STATEMENT), world.sign(STATEMENT)
    bundle["verificationMaterial"]["tlogEntries"] = [entry(other)]
    assert refused(bundle, root) == (
        "is not good: transparency log entry is inconsistent with other materials"
    )


@pytest.mark.parametrize("log", ["certificate_log", "log"])
def test_what_a_log_that_does_not_count_took_is_refused(
    world: SigstoreWorld, root: Path, log: str
) -> None:
    other = SigstoreWorld(
        world.authority,
        world.certificate_log if log == "log" else SigstoreWorld().certificate_log,
    )
    said = refused(other.sign(STATEMENT), root)
    assert "keyring: invalid signature" in said


@pytest.mark.parametrize(
    "note", [b"", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, b'{"mediaType": 7}']
)
def test_bytes_that_are_no_bundle_are_refused(root: Path, note: bytes) -> None:
    assert refused(note, root).startswith("is not good: failed to load bundle")


def test_a_note_that_is_no_bundle_is_refused(released: Released) -> None:
    released.attach(b"reviewed by bob")
    assert released.refusal().startswith("is not good: failed to load bundle")


@pytest.mark.parametrize("size", [1 << 18, OUTPUT_LIMIT])
def test_a_note_of_any_size_is_refused_unread(released: Released, size: int) -> None:
    released.attach(b" " * size + b"{}")
    assert released.refusal() == "is larger than 262144 bytes"


def test_a_bundle_that_was_mended_counts_and_an_earlier_one_need_not_go(
    released: Released, world: SigstoreWorld, statement: bytes
) -> None:
    released.attach(world.sign(statement, "mallory@acme.example"))
    released.refusal()
    released.attach(world.sign(statement))
    assert released.signer() == ALICE.signer


def test_where_many_have_notes_each_commit_has_its_own(
    released: Released, world: SigstoreWorld, statement: bytes
) -> None:
    released.attach(world.sign(statement))
    git = released.repository.git
    blob = git("rev-parse", f"refs/notes/sigstore:{released.commit}")
    folder, rest = released.commit[:2], released.commit[2:]
    inner = git("mktree", stdin=f"100644 blob {blob}\t{rest}\n".encode())
    outer = git("mktree", stdin=f"040000 tree {inner}\t{folder}\n".encode())
    git("update-ref", "refs/notes/sigstore", git("commit-tree", "-m", "deeper", outer))
    assert released.signer() == ALICE.signer


def test_a_key_or_an_identity_may_have_signed(
    released: Released, world: SigstoreWorld, statement: bytes, tmp_path: Path
) -> None:
    bob = ssh_publisher(tmp_path / "keys", "bob")
    keys, _ = read_key_file(bob.public)
    add_required(HubConfig.load().config_dir, f"git+{released.repository.url}", keys)
    with pytest.raises(SignatureRefused) as caught:
        released.signer()
    assert caught.value.found == (
        "its commit is not signed",
        "its tag is not signed",
        "its sigstore bundle is missing: its commit has no such note",
    )
    released.attach(world.sign(statement))
    assert released.signer() == ALICE.signer
    bob.release(released.repository, "1.0.0", FILES)
    commit = released.repository.git("rev-parse", "v1.0.0^{commit}")
    assert Released(released.repository, commit).signer() == bob.signer


def test_without_the_library_nothing_counts(
    released: Released,
    world: SigstoreWorld,
    statement: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released.attach(world.sign(statement))
    monkeypatch.setitem(sys.modules, "sigstore.models", None)
    with pytest.raises(SigstoreMissing) as caught:
        released.signer()
    assert caught.value.hint == "pip install 'towhee-hub[sigstore]'"


def test_the_public_root_is_carried_and_trusts_no_other_sigstore(
    world: SigstoreWorld,
) -> None:
    said = refused(world.sign(STATEMENT), None)
    assert said.startswith("is not good: failed to build timestamp certificate chain")


def test_what_a_certificate_says_cannot_steer_a_terminal(
    world: SigstoreWorld, root: Path
) -> None:
    bundle = world.sign(STATEMENT, f"https://acme.example/\x1b[2J{'x' * 200}")
    assert refused(bundle, root).isprintable()


def test_a_file_that_is_no_trusted_root_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InvalidTrustedRoot, match=r"root.json` is no sigstore's"):
        read_trusted_root(tmp_path / "root.json")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x80\xff\x00", "not JSON: "),
        (b"[]", "its `mediaType` is not `application/vnd.dev.sigstore.trustedroot…`"),
        (b'{"mediaType": "application/json"}', "its `mediaType` is not "),
    ],
)
def test_without_the_library_a_trusted_root_still_has_to_say_that_it_is_one(
    content: bytes,
    reason: str,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sigstore.models", None)
    assert read_trusted_root(root) == root.read_bytes()
    (tmp_path / "root.json").write_bytes(content)
    with pytest.raises(InvalidTrustedRoot) as caught:
        read_trusted_root(tmp_path / "root.json")
    told = f"`{tmp_path / 'root.json'}` is no sigstore's trusted root: {reason}"
    assert str(caught.value).startswith(told)
    assert caught.value.hint == "Give the `trusted_root.json` of your sigstore"


def test_identities_of_two_sigstores_do_not_mix(released: Released) -> None:
    config_dir = HubConfig.load().config_dir
    source = f"git+{released.repository.url}"
    bob = SigstoreIdentity("bob@acme.example", ALICE.issuer)
    root = SigstoreWorld().trusted_root()
    before = HubConfig.load().trusted_roots[source].read_bytes()
    with pytest.raises(InvalidKey, match="has identities of another sigstore already"):
        add_required(config_dir, source, (bob,), trusted_root=root)
    add_required(config_dir, source, (bob, ALICE))
    config = HubConfig.load()
    assert config.required_signatures[source] == (ALICE.text, bob.text)
    assert config.trusted_roots[source].read_bytes() == before


def test_a_source_with_two_trusted_roots_is_no_configuration() -> None:
    folder = HubConfig.load().config_dir
    folder.mkdir(parents=True)
    table = '[[require-signature]]\nsource = "git+https://a.example/"\n'
    table += f'keys = ["{ALICE.text}"]\n'
    text = f'{table}{table}trusted-root = "r.json"\n'
    (folder / "config.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidConfig, match="has two trusted roots"):
        HubConfig.load()


@pytest.mark.parametrize(
    "text",
    [
        "sigstore:alice@acme.example",
        "sigstore:@https://id.example",
        "sigstore:alice@acme.example@http://id.example",
        "sigstore:alice @https://id.example",
        "sigstore:",
    ],
)
def test_an_identity_without_its_issuer_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey, match="expected an identity and its issuer"):
        SigstoreIdentity.parse(text)
