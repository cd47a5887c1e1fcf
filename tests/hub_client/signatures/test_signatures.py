from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from servers.operator_files import operator_files
from servers.signing import Publisher, gpg_publisher, ssh_publisher

from hub_client.admission import find_signer
from hub_client.candidate import Candidate, Release
from hub_client.config import HubConfig, InvalidConfig
from hub_client.signatures import (
    InvalidKey,
    SignatureRefused,
    SigningKey,
    SigstoreIdentity,
    add_required,
    keys_for,
    read_key_file,
    remove_required,
)
from hub_client.sources.router import SourceRouter
from hub_client.trust import InvalidTrust
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.git_repository import GitRepository

FILES = operator_files("acme/embed", "1.0.0")


@pytest.fixture(scope="module")
def gpg() -> Iterator[Publisher]:
    with gpg_publisher("gina") as publisher:
        yield publisher


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    return ssh_publisher(tmp_path_factory.mktemp("ssh"), "alice")


@pytest.fixture(scope="module")
def mallory(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    return ssh_publisher(tmp_path_factory.mktemp("ssh"), "mallory")


@pytest.fixture(params=["ssh", "gpg"])
def publisher(request: pytest.FixtureRequest) -> Publisher:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Publisher)
    return found


def require(repository: GitRepository, publisher: Publisher) -> None:
    keys, armored = read_key_file(publisher.public)
    source = f"git+{repository.url}"
    add_required(HubConfig.load().config_dir, source, keys, armored=armored)


def signer(
    repository: GitRepository,
    commit: str,
    *,
    offline: bool = False,
    ref: str = "refs/tags/v1.0.0",
) -> str | None:
    config = HubConfig.load()
    source = f"git+{repository.url}"
    rules, cache = {"acme/*": source}, config.cache_dir
    router = SourceRouter(
        rules, cache_dir=cache, offline=offline, is_trusted=lambda _: True
    )
    release = Release(Version("1.0.0"), commit, ref)
    manifest = Manifest.from_yaml(FILES["operator.yaml"])
    candidate = Candidate(OperatorName.parse("acme/embed"), release, source, manifest)
    return find_signer(candidate, config, router=router, directory=None)


def refusal(repository: GitRepository, commit: str) -> tuple[str, ...]:
    with pytest.raises(SignatureRefused) as caught:
        signer(repository, commit)
    return caught.value.found


@pytest.mark.parametrize("sign", ["commit", "tag"])
def test_a_release_is_signed_by_its_commit_or_by_its_tag(
    repository: GitRepository, publisher: Publisher, sign: str
) -> None:
    commit = publisher.release(repository, "1.0.0", FILES, sign=sign)
    require(repository, publisher)
    assert signer(repository, commit) == publisher.signer


def test_where_no_signature_is_required_none_is_looked_for(
    repository: GitRepository,
) -> None:
    assert signer(repository, repository.release("1.0.0", FILES)) is None


@pytest.mark.parametrize("annotated", [False, True])
def test_an_unsigned_release_is_refused(
    repository: GitRepository, ssh: Publisher, annotated: bool
) -> None:
    commit = repository.release("1.0.0", FILES, annotated=annotated)
    require(repository, ssh)
    with pytest.raises(SignatureRefused) as caught:
        signer(repository, commit)
    assert str(caught.value) == (
        f"acme/embed 1.0.0 from `git+{repository.url}` is not signed as your "
        "configuration requires\n"
        "  its commit is not signed\n"
        "  its tag is not signed\n"
        f"  expected {ssh.signer} alice@acme"
    )
    repository.path.rename(repository.path.with_name("elsewhere.git"))
    told = "is not signed" if annotated else "cannot be fetched: '"
    assert refusal(repository, commit)[1].startswith(f"its tag {told}")


@pytest.mark.parametrize("sign", ["commit", "tag"])
def test_the_signature_of_another_key_is_refused_and_named(
    repository: GitRepository,
    ssh: Publisher,
    gpg: Publisher,
    mallory: Publisher,
    sign: str,
) -> None:
    require(repository, ssh)
    for other in (mallory, gpg):
        commit = other.release(repository, "1.0.0", FILES, sign=sign)
        assert f"its {sign} is signed by {other.signer}" in refusal(repository, commit)


def test_a_commit_that_was_changed_after_signing_is_refused(
    repository: GitRepository, ssh: Publisher
) -> None:
    commit = ssh.release(repository, "1.0.0", FILES, sign="commit")
    text = repository.git("cat-file", "commit", commit) + "\n\nmore\n"
    forged = repository.write("commit", text.encode())
    repository.tag("v1.0.0", forged)
    require(repository, ssh)
    assert refusal(repository, forged) == (
        "its commit has a signature that is not good",
        "its tag is not signed",
    )


def test_the_signature_of_an_expired_key_is_refused(repository: GitRepository) -> None:
    with gpg_publisher("methuselah", expired=True) as gone:
        commit = gone.release(repository, "1.0.0", FILES)
        require(repository, gone)
        assert refusal(repository, commit) == (
            "its commit is not signed",
            "its tag has a signature that is not good",
        )


def test_a_signed_tag_counts_for_its_own_name_and_commit_alone(
    repository: GitRepository, ssh: Publisher
) -> None:
    require(repository, ssh)
    renamed = ssh.release(repository, "1.0.0", FILES, tag="v0.9.0")
    assert refusal(repository, renamed) == (
        "its commit is not signed",
        "its tag is not signed",
    )
    ssh.release(repository, "1.0.0", FILES)
    other = repository.commit(FILES)
    assert refusal(repository, other) == (
        "its commit is not signed",
        "its tag is not signed",
    )


def test_a_tag_of_another_version_counts_for_none(
    repository: GitRepository, ssh: Publisher
) -> None:
    require(repository, ssh)
    commit = ssh.release(repository, "9.0.0", FILES)
    with pytest.raises(SignatureRefused) as caught:
        signer(repository, commit, ref="refs/tags/v9.0.0")
    assert caught.value.found == ("`refs/tags/v9.0.0` is no tag of 1.0.0",)


def test_a_tag_that_was_signed_anew_counts_where_the_one_before_was_fetched(
    repository: GitRepository, ssh: Publisher, mallory: Publisher
) -> None:
    require(repository, ssh)
    commit = mallory.release(repository, "1.0.0", FILES)
    refusal(repository, commit)
    words = ("tag", "--force", "-s", "-m", "v1.0.0", "--", "v1.0.0", commit)
    ssh._git(repository, *words)
    assert signer(repository, commit) == ssh.signer
    mallory._git(repository, *words)
    assert signer(repository, commit) == ssh.signer


def test_a_signature_is_checked_again_without_the_network(
    repository: GitRepository, ssh: Publisher
) -> None:
    commit = ssh.release(repository, "1.0.0", FILES)
    require(repository, ssh)
    signer(repository, commit)
    repository.path.rename(repository.path.with_name("gone.git"))
    assert signer(repository, commit, offline=True) == ssh.signer


def test_keys_of_the_users_own_git_and_gpg_do_not_count(
    repository: GitRepository,
    ssh: Publisher,
    gpg: Publisher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require(repository, ssh)
    kind, blob, _ = ssh.public.read_text(encoding="ascii").split()
    del kind, blob
    commit = gpg.release(repository, "1.0.0", FILES)
    monkeypatch.setenv("GNUPGHOME", gpg.variables["GNUPGHOME"])
    assert f"its tag is signed by {gpg.signer}" in refusal(repository, commit)
    other = ssh_publisher(tmp_path / "keys", "other")
    signers = tmp_path / "signers"
    signers.write_text(f"* {other.public.read_text(encoding='ascii')}")
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[gpg "ssh"]\n\tallowedSignersFile = {signers}\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    commit = other.release(repository, "1.0.0", FILES)
    assert f"its tag is signed by {other.signer}" in refusal(repository, commit)


def test_a_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "hostname"
    file.write_text("vm\n", encoding="utf-8")
    with pytest.raises(InvalidKey) as refusal:
        read_key_file(file)
    assert str(refusal.value) == f"`{file}`: expected a public key, got 'vm'"


def test_the_most_specific_entry_says_whose_signature_counts(
    ssh: Publisher, mallory: Publisher
) -> None:
    (one,), _ = read_key_file(ssh.public)
    (two,), _ = read_key_file(mallory.public)
    required = {
        "git+https://git.acme.example/": [one.text],
        "git+https://git.acme.example/team": [two.text],
    }
    assert keys_for("git+https://git.acme.example/a.git", required) == (one,)
    assert keys_for("git+https://git.acme.example/team/a", required) == (two,)
    assert keys_for("git+https://git.example/a.git", required) is None


@pytest.mark.parametrize(
    "spelling",
    [
        "git+https://git.acme.example/team/embed",
        "git+https://git.acme.example/team/embed.git/",
        "git+https://git.acme.example/team/embed/.git",
        "git+https://git.acme.example//team/embed.git",
        "git+https://git.acme.example/team///embed.git",
        "git+https://git.acme.example/%74eam/embed.git",
        "git+https://git.acme.example/team%2Fembed.git",
        "git+https://git.acme.example/team;a=b/;c/embed%3Bd",
        "git+https://git.acme.example/Team/Embed.GIT",
        "git+https://git.acme.example/team/%45mbed",
        "git+https://git.acme.example/team/%2545mbed",
        "git+https://git.acme.example/team/embed%2EGit",
        "git+https://git.acme.example./team/embed",
        "git+https://git.acme.example:443/team/embed",
        "git+https://git.acme.example:00443/team/embed",
        "git+https://git@git.acme.example/team/embed",
        "git+http://git.acme.example/team/embed",
        "git+ssh://git@git.acme.example:22/team/embed",
        "git+git://git.acme.example/team/embed",
        "hf+https://git.acme.example/team/embed",
    ],
)
@pytest.mark.parametrize("entry", ["team/embed.git", "team/embed", "team/", "team"])
def test_no_spelling_of_a_repository_goes_past_who_has_to_sign_there(
    entry: str, spelling: str, ssh: Publisher, gpg: Publisher
) -> None:
    (wide,), (key,) = read_key_file(ssh.public)[0], read_key_file(gpg.public)[0]
    host = "git+https://git.acme.example/"
    required = {host: [wide.text], f"{host}{entry}": [key.text]}
    assert keys_for(spelling, required) == (key,)
    assert keys_for(f"{host}teams/embed", required) == (wide,)


@pytest.mark.parametrize(
    ("entry", "spelling"),
    [
        ("git+http://127.0.0.1/embed", "git+http://127.1/embed"),
        ("git+http://127.0.0.1/embed", "git+http://0x7f.0.0.1/embed"),
        ("git+http://2130706433/embed", "git+http://127.0.0.1./embed"),
        ("git+http://[::1]:8080/embed", "git+http://[0:0::01]:08080/embed"),
        ("git+http://127.0.0.1/embed", "git+http://[::FFFF:7f00:1]/embed"),
        ("hf:acme", "hf+https://huggingface.co:443/acme/embed"),
        ("hf:acme", "hf+https://huggingface.co./acme/embed"),
        ("hf:acme", "hf+http://hf.co/Acme/embed"),
        ("hf:acme", "git+https://huggingface.co/acme/embed"),
        ("git+https://huggingface.co/acme", "hf:acme/embed"),
    ],
)
def test_no_spelling_of_a_host_goes_past_who_has_to_sign_there(
    entry: str, spelling: str
) -> None:
    alice = SigstoreIdentity("alice@acme.example", "https://id.example")
    assert keys_for(spelling, {entry: [alice.text]}) == (alice,)


def test_another_port_is_another_place(ssh: Publisher) -> None:
    (key,), _ = read_key_file(ssh.public)
    required = {"git+https://git.acme.example:8443/": [key.text]}
    assert keys_for("git+https://git.acme.example/embed", required) is None
    assert keys_for("git+http://git.acme.example:8443/embed", required) == (key,)


def test_an_entry_with_a_slash_and_one_without_are_one(
    ssh: Publisher, gpg: Publisher
) -> None:
    (one,), (two,) = read_key_file(ssh.public)[0], read_key_file(gpg.public)[0]
    folder, source = HubConfig.load().config_dir, "git+https://git.acme.example/team"
    add_required(folder, f"{source}/", (one,))
    add_required(folder, source, (two,))
    assert keys_for(f"{source}/a", HubConfig.load().required_signatures) == (one, two)
    # As somebody may have written it.
    required = {f"{source}/": [one.text], source: [two.text]}
    assert keys_for(f"{source}/a", required) == (one, two)
    assert remove_required(folder, f"{source}/")
    assert HubConfig.load().required_signatures == {}


def test_policy_stands_in_the_users_configuration_with_all_else_it_says(
    ssh: Publisher, gpg: Publisher
) -> None:
    folder = HubConfig.load().config_dir
    folder.mkdir()
    file = folder / "config.toml"
    file.write_text("# mine\noffline = true\n", encoding="utf-8")
    for publisher in (ssh, gpg, ssh):
        keys, armored = read_key_file(publisher.public)
        source = "git+https://GIT.acme.example/"
        add_required(folder, source, keys, armored=armored)
    line = ssh.public.read_text(encoding="ascii").strip()
    assert file.read_text(encoding="utf-8") == (
        "# mine\noffline = true\n\n[[require-signature]]\n"
        'source = "git+https://git.acme.example/"\n'
        f'keys = [\n    "{line}",\n    "gpg {gpg.signer[4:]}",\n]\n'
    )
    assert (folder / "keys" / f"{gpg.signer[4:]}.asc").read_bytes() == (
        gpg.public.read_bytes()
    )
    assert remove_required(folder, "git+https://git.acme.example/")
    assert file.read_text(encoding="utf-8").startswith("# mine\noffline = true\n")
    assert HubConfig.load().required_signatures == {}


def test_a_project_cannot_say_whose_signature_counts(tmp_path: Path) -> None:
    text = '[[require-signature]]\nsource = "git+https://x.example/"\nkeys = []\n'
    (tmp_path / "work" / "hub.toml").write_text(text)
    with pytest.raises(InvalidConfig) as caught:
        HubConfig.load()
    assert caught.value.problems == (
        "require-signature: only the user's own configuration may set this",
    )


def test_signatures_cannot_be_required_where_there_are_none(ssh: Publisher) -> None:
    keys, _ = read_key_file(ssh.public)
    for source in ("dir:/srv/ops", "bundled"):
        with pytest.raises(InvalidTrust, match="of git and Hugging Face alone"):
            add_required(HubConfig.load().config_dir, source, keys)


def test_at_hugging_face_whatever_the_spelling_identities_alone_are_required(
    ssh: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,), _ = read_key_file(ssh.public)
    alice = SigstoreIdentity("alice@acme.example", "https://id.example")
    folder = HubConfig.load().config_dir
    with pytest.raises(InvalidKey, match="has no commits or tags that `ssh:SHA256:"):
        add_required(folder, "hf:acme", (key,))
    required = {"hf:acme": [alice.text], "hf:acme/other": [key.text]}
    for source in ("hf:acme/embed", "hf+https://HuggingFace.co/Acme/embed"):
        assert keys_for(source, required) == (alice,)
    assert keys_for("hf:acme-evil/embed", required) is None
    with pytest.raises(InvalidKey, match="has no commits or tags"):
        keys_for("hf:acme/other", required)
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.acme.example")
    assert keys_for("hf:acme/embed", required) is None
    add_required(folder, "hf:acme", (alice,))
    written = HubConfig.load().required_signatures
    assert written == {"hf+https://hub.acme.example/acme": (alice.text,)}
    assert keys_for("hf:acme/embed", written) == (alice,)
    assert remove_required(folder, "hf:acme")


def test_an_openpgp_key_that_is_missing_says_how_to_bring_it(
    repository: GitRepository, gpg: Publisher
) -> None:
    commit = gpg.release(repository, "1.0.0", FILES)
    require(repository, gpg)
    (file,) = (HubConfig.load().config_dir / "keys").iterdir()
    file.unlink()
    with pytest.raises(InvalidKey) as caught:
        signer(repository, commit)
    assert caught.value.hint == f"gpg --armor --export {gpg.signer[4:]} > {file}"


@pytest.mark.parametrize(
    "text",
    ["", "alice", "ssh-ed25519", "ssh-ed25519 AAAA", "gpg ABC", "gpg " + "f" * 40],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey, match="expected a public key"):
        SigningKey.parse(text)


def test_a_secret_key_is_refused_before_it_is_kept(ssh: Publisher) -> None:
    secret = ssh.public.with_suffix("")
    with pytest.raises(InvalidKey, match=re.escape(f"`{secret}` holds a secret key")):
        read_key_file(secret)


def test_a_key_that_was_exported_as_bytes_says_how_it_is_as_text(
    tmp_path: Path,
) -> None:
    file = tmp_path / "alice.gpg"
    file.write_bytes(b"\x983\x04k\x0ese\x16\t")
    with pytest.raises(InvalidKey, match="is no text") as caught:
        read_key_file(file)
    assert caught.value.hint == (
        f"An OpenPGP key counts armored: gpg --armor --export KEY > {file}"
    )
