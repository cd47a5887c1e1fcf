"""From a key to a lock that says who signed, as users and publishers type it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files
from servers.signing import ssh_publisher

from hub_client.config import HubConfig
from hub_client.lockfile import Lockfile
from hub_client.store import Store

if TYPE_CHECKING:
    from servers.git_repository import GitRepository
    from servers.signing import Publisher

    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]
FILES = operator_files("acme/embed", "1.0.0")
ASK = "Ask the publisher about it before you run any of it"
NEWER = operator_files("acme/embed", "1.1.0")


@pytest.fixture
def alice(tmp_path: Path) -> Publisher:
    return ssh_publisher(tmp_path / "keys", "alice")


@pytest.fixture
def bob(tmp_path: Path) -> Publisher:
    return ssh_publisher(tmp_path / "keys", "bob")


@pytest.fixture
def source(hub: Hub, repository: GitRepository, alice: Publisher) -> str:
    """Where the operator is; its user trusts it if Alice signed."""
    text = f'operators = ["acme/embed"]\n[sources]\n"*" = "git+{repository.url}"\n'
    Path("hub.toml").write_text(text, encoding="utf-8")
    source = f"git+{repository.url}"
    words = ("trust", "add", source, "--require-signature", alice.public)
    done = f"`{source}` is trusted, if signed by {alice.signer}\n"
    assert hub.said(*words).endswith(done)
    return source


def test_who_must_sign_is_said_when_listing_and_when_trusting_again(
    hub: Hub, source: str, alice: Publisher
) -> None:
    assert hub.result("trust", "list") == f"{source}  if signed by {alice.signer}\n"
    condition = f"is trusted, if signed by {alice.signer}\n"
    assert hub.said("trust", "add", source).endswith(f"`{source}` {condition}")


def signer() -> str | None:
    return Lockfile.load(Path("hub.lock")).operators[0].signer


def test_what_a_wider_entry_still_trusts_is_said_when_the_narrower_goes(
    hub: Hub, alice: Publisher
) -> None:
    host, team = "git+https://git.acme.example/", "git+https://git.acme.example/team/"
    hub.said("trust", "add", host)
    hub.said("trust", "add", team, "--require-signature", alice.public)
    assert json.loads(hub.result("trust", "list", "--json")) == [
        {"source": host, "signers": []},
        {"source": team.rstrip("/"), "signers": [alice.signer]},
    ]
    assert hub.said("trust", "remove", team) == (
        f"warning: `{team}` stays trusted, as `{host}` is, and now without a signature "
        f"of {alice.signer}\n"
    )
    assert hub.said("trust", "remove", host) == f"`{host}` is not trusted any more\n"


def test_the_signer_goes_into_the_lock_and_is_verified_again(
    hub: Hub, repository: GitRepository, source: str, alice: Publisher, into: Into
) -> None:
    alice.release(repository, "1.0.0", FILES)
    hub.said("sync", *into)
    assert signer() == alice.signer
    assert hub.said("verify", "--signatures", *into) == (
        "Verifying\nVerified 1 signature, 1 tree, 1 receipt and 0 files of weights\n"
    )


def test_what_is_not_signed_never_reaches_the_store(
    hub: Hub, repository: GitRepository, source: str, into: Into
) -> None:
    repository.release("1.0.0", FILES)
    for words in (("lock",), ("sync", *into), ("sync", "--trust-once", *into)):
        assert "is not signed as your configuration requires" in hub.refused(*words)
    assert Store(HubConfig.load().cache_dir / "store").digests() == ()
    assert not Path("hub.lock").exists()


def test_what_another_signed_is_refused_though_locked_and_in_the_store(
    hub: Hub, repository: GitRepository, source: str, bob: Publisher, into: Into
) -> None:
    settings = Path(os.environ["HUB_CONFIG_DIR"], "config.toml")
    policy = settings.read_text(encoding="utf-8")
    settings.write_text(f'trusted = ["{source}"]\n', encoding="utf-8")
    bob.release(repository, "1.0.0", FILES)
    hub.said("lock")
    settings.write_text(policy, encoding="utf-8")
    said = hub.refused("sync", "--locked", *into)
    assert f"  its tag is signed by {bob.signer}\n" in said
    done = hub("verify", "--signatures", "--json", *into)
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)["differences"]
    assert (found["place"], found["subject"]) == ("signature", "acme/embed 1.0.0")
    assert f"its tag is signed by {bob.signer}" in found["details"]


def test_a_change_of_signer_is_named_when_locking_again(
    hub: Hub,
    repository: GitRepository,
    source: str,
    alice: Publisher,
    bob: Publisher,
) -> None:
    alice.release(repository, "1.0.0", FILES)
    hub.said("lock")
    bob.release(repository, "1.1.0", NEWER)
    hub.said("trust", "add", source, "--require-signature", bob.public)
    assert hub("lock", "--upgrade").stderr == (
        "Locking\n"
        f"warning: acme/embed 1.1.0 is signed by {bob.signer}; "
        f"1.0.0 was by {alice.signer}\n"
        "~ acme/embed 1.0.0 -> 1.1.0\n"
        "Wrote `hub.lock`\n"
    )
    assert signer() == bob.signer


@pytest.mark.slow  # takes more than a second
def test_who_requires_no_signature_keeps_the_signer_that_a_lock_names(
    hub: Hub, repository: GitRepository, source: str, alice: Publisher
) -> None:
    alice.release(repository, "1.0.0", FILES)
    hub.said("lock")
    hub.said("trust", "remove", source)
    hub.said("trust", "add", source)
    assert HubConfig.load().required_signatures == {}
    assert hub.said("lock", "--upgrade") == (
        "Locking\nNothing to change in `hub.lock`\n"
    )
    repository.release("1.1.0", NEWER)
    assert (
        "warning: acme/embed 1.1.0 is signed by nobody whose signature you require; "
        f"1.0.0 was by {alice.signer}\n"
    ) in hub("lock", "--upgrade").stderr
    assert signer() is None


@pytest.mark.slow  # takes more than a second
def test_an_upgrade_to_what_is_not_signed_says_how_to_go_on_without_it(
    hub: Hub, repository: GitRepository, source: str, alice: Publisher, into: Into
) -> None:
    alice.release(repository, "1.0.0", FILES)
    hub.said("lock")
    repository.release("1.1.0", NEWER)
    said = hub.refused("lock", "--upgrade")
    assert said.endswith(
        "; an earlier version, if there is one, is `acme/embed<1.1.0`\n"
    )
    hub.said("add", "acme/embed<1.1.0", *into)
    assert hub.said("lock", "--upgrade").endswith("Nothing to change in `hub.lock`\n")


def test_a_lock_cannot_say_that_something_is_signed(
    hub: Hub, repository: GitRepository, source: str, alice: Publisher, into: Into
) -> None:
    alice.release(repository, "1.0.0", FILES)
    hub.said("lock")
    text = Path("hub.lock").read_text(encoding="utf-8")
    Path("hub.lock").write_text(
        text.replace(alice.signer, "ssh:SHA256:other"), encoding="utf-8"
    )
    done = hub("verify", "--signatures", *into)
    assert done.returncode == 1
    assert done.stdout == (
        "signature: acme/embed 1.0.0: somebody else signed it\n"
        "  locked ssh:SHA256:other\n"
        f"  found  {alice.signer}\n"
    )
    assert done.stderr.endswith(f"\n\nhint: {ASK}\n")


def test_a_signature_that_its_source_does_not_give_is_looked_for_in_a_bundle(
    hub: Hub, repository: GitRepository, source: str, alice: Publisher, into: Into
) -> None:
    alice.release(repository, "1.0.0", FILES)
    hub.said("sync", *into)
    hub.said("bundle", "-o", "bundle")
    repository.path.rename(repository.path.with_name("gone"))
    shutil.rmtree(HubConfig.load().cache_dir / "git")
    done = hub("verify", "--signatures", *into)
    assert (done.returncode, repository.url in done.stdout) == (1, True)
    other = "; `--from` takes what its source does not give from a bundle"
    assert done.stderr.endswith(f"\n\nhint: {ASK}{other}\n")
    words = ("verify", "--signatures", "--from", "bundle", *into)
    assert "Verified 1 signature, 1 tree" in hub.said(*words)
    for signature in Path("bundle", "signatures").iterdir():
        signature.unlink()
    done = hub(*words)
    assert done.returncode == 1
    assert other not in done.stderr


def test_a_signature_is_not_required_where_none_can_be(
    hub: Hub, alice: Publisher
) -> None:
    said = hub.refused("trust", "add", "dir:/srv", "--require-signature", alice.public)
    assert said == (
        "error: signatures can be required of git and Hugging Face alone, got "
        "'dir:/srv'\n\nhint: Write `git+URL`, or its beginning up to a `/`; or "
        "`hf:ORG`\n"
    )
    said = hub.refused("trust", "add", "hf:acme", "--require-signature", alice.public)
    assert said == (
        f"error: `hf:acme` has no commits or tags that `{alice.signer}` could sign\n\n"
        "hint: Require an identity there: `sigstore:IDENTITY@ISSUER`\n"
    )
    assert not Path(os.environ["HUB_CONFIG_DIR"]).exists()


def test_a_setting_that_requires_it_there_all_the_same_lets_nothing_come(
    hub: Hub, alice: Publisher
) -> None:
    key = alice.public.read_text(encoding="utf-8").strip()
    folder = Path(os.environ["HUB_CONFIG_DIR"])
    folder.mkdir()
    (folder / "config.toml").write_text(
        f'[[require-signature]]\nsource = "dir:/srv"\nkeys = ["{key}"]\n'
    )
    Path("hub.toml").write_text('operators = ["image-decode/cv2"]\n')
    assert hub("lock").stderr.endswith(
        "error: signatures can be required of git and Hugging Face alone, got "
        "'dir:/srv'\n\nhint: Write `git+URL`, or its beginning up to a `/`; or "
        "`hf:ORG`\n"
    )
    assert not Path("hub.lock").exists()
