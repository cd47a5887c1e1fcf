"""From a statement to a lock that says who signed, as publishers and users type it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files, write_files
from servers.sigstore_world import SigstoreWorld

from hub_client.config import HubConfig
from hub_client.lockfile import Lockfile
from hub_client.store import Store

if TYPE_CHECKING:
    from servers.git_repository import GitRepository
    from servers.hugging_face import HuggingFaceServer

    from tests.hub_client.cli.conftest import Hub

PAGES = {"README.md": b"# Echo\n", "LICENSE": b"Apache License\n"}
ALICE = "sigstore:alice@acme.example@https://id.example"


@pytest.fixture(params=["git", "hf"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the operator is published to, by each way in turn."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Alice")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "alice@acme.example")
    if request.param == "git":
        repository: GitRepository = request.getfixturevalue("repository")
        source = f"git+{repository.url}"
    else:
        server: HuggingFaceServer = request.getfixturevalue("hugging_face")
        server.create("acme/embed")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        source = f"hf+{server.url}/acme/embed"
    text = f'operators = ["acme/embed"]\n[sources]\n"*" = "{source}"\n'
    Path("hub.toml").write_text(text, encoding="utf-8")
    return source


def publish(hub: Hub, source: str, world: SigstoreWorld, identity: str) -> None:
    """Write the statement, sign it, and publish with the bundle."""
    version = "1.0.0"
    write_files(Path("work"), {**operator_files("acme/embed", version), **PAGES})
    words = ("publish", "work", "--to", source, "--no-run")
    done = hub(*words, "--statement", "release.txt")
    assert done.returncode == 0, done.stderr
    assert "`release.txt` is what to sign with sigstore" in done.stderr
    bundle = world.sign(Path("release.txt").read_bytes(), identity)
    Path("bundle.json").write_text(json.dumps(bundle), encoding="utf-8")
    hub.said(*words, "--sigstore-bundle", "bundle.json", "--yes")


@pytest.mark.slow
def test_who_signed_by_sigstore_goes_into_the_lock_and_is_verified_again(
    hub: Hub, source: str, into: tuple[str, str]
) -> None:
    world = SigstoreWorld()
    Path("root.json").write_bytes(world.trusted_root())
    publish(hub, source, world, "alice@acme.example")
    words = ("trust", "add", source, "--require-signature", ALICE)
    condition = f"if signed by {ALICE}\n"
    said = hub.said(*words, "--trusted-root", "root.json")
    assert said.endswith(f"`{source}` is trusted, {condition}")
    Path("root.json").unlink()
    assert hub.result("trust", "list") == f"{source}  {condition}"
    hub.said("sync", *into)
    locked = Lockfile.load(Path("hub.lock")).operators[0]
    assert locked.signer == ALICE
    assert "Verified 1 signature" in hub.said("verify", "--signatures", *into)
    statement = Path("release.txt").read_text(encoding="utf-8")
    assert statement == f"acme/embed 1.0.0 {locked.tree}\n"


@pytest.mark.slow
@pytest.mark.parametrize("source", ["git"], indirect=True)
def test_what_another_signed_by_sigstore_never_reaches_the_store(
    hub: Hub, source: str, into: tuple[str, str]
) -> None:
    world = SigstoreWorld()
    Path("root.json").write_bytes(world.trusted_root())
    publish(hub, source, world, "mallory@acme.example")
    words = ("trust", "add", source, "--require-signature", ALICE)
    hub.said(*words, "--trusted-root", "root.json")
    said = hub.refused("sync", *into)
    assert said == (
        f"Locking\nerror: acme/embed 1.0.0 from `{source}` is not signed as your "
        "configuration requires\n"
        "  its sigstore bundle is by sigstore:mallory@acme.example@"
        "https://id.example\n"
        f"  expected {ALICE}\n\n"
        "hint: Ask its publisher; if you trust another key of theirs, run "
        "`hub trust add SOURCE --require-signature SIGNER`; an earlier version, "
        "if there is one, is `acme/embed<1.0.0`\n"
    )
    assert Store(HubConfig.load().cache_dir / "store").digests() == ()
    assert not Path("hub.lock").exists()


@pytest.mark.slow
@pytest.mark.parametrize("source", ["hf"], indirect=True)
def test_a_bundle_brings_the_signature_to_a_machine_without_a_network(
    hub: Hub, source: str, into: tuple[str, str], tmp_path: Path
) -> None:
    world = SigstoreWorld()
    Path("root.json").write_bytes(world.trusted_root())
    publish(hub, source, world, "alice@acme.example")
    words = ("trust", "add", source, "--require-signature", ALICE)
    hub.said(*words, "--trusted-root", "root.json")
    hub.said("lock")
    assert " has 1 operator and 1 signature for " in hub.said("bundle", "-o", "usb")
    (signature,) = Path("usb/signatures").iterdir()
    alone = {
        "HUB_OFFLINE": "1",
        **{name: str(tmp_path / name) for name in ("HUB_CACHE_DIR", "HF_HOME")},
    }
    content = signature.read_bytes()
    signature.write_bytes(content.replace(b"hashedrekord", b"hashedrecord"))
    done = hub("sync", "--from", "usb", *into, **alone)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: `signatures/{signature.name}` in `usb` is damaged" in done.stderr
    signature.write_bytes(content)
    done = hub("sync", "--from", "usb", *into, **alone)
    assert done.returncode == 0, done.stderr
    said = hub("verify", "--signatures", *into, "--from", "usb", **alone).stderr
    assert said.startswith("Verifying\nVerified 1 signature, 1 tree, 1 receipt")


def test_a_trusted_root_is_for_identities(hub: Hub) -> None:
    source = "hf:acme"
    done = hub("trust", "add", source, "--trusted-root", "root.json")
    assert done.returncode == 2
    assert "it is for `--require-signature sigstore:…`" in done.stderr
    words = ("--require-signature", "alice.pub", "--trusted-root", "root.json")
    done = hub("trust", "add", source, *words)
    assert done.returncode == 2
    assert "a key has none: it is for `sigstore:…`" in done.stderr
