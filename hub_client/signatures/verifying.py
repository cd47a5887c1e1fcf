"""Checking who signed a release, with no keys and names but those of the policy."""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from hub_client.candidate import describe
from hub_client.git_commands import GitFailed, check_signature
from hub_client.signatures.gnupg import keyring
from hub_client.signatures.keys import SigningKey
from hub_client.signatures.policy import read_armored
from hub_client.signatures.sigstore_bundle import BundleRefused, check_bundle
from hub_client.signatures.sigstore_identity import SigstoreIdentity
from hub_client.signatures.statement import release_statement
from hub_client.sources.packed_signature import pack_signed
from hub_client.sources.signed_release import SIGSTORE_SIZE_LIMIT, SignatureUnfetched
from hub_client.sources.version_tags import is_tag_of
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hub_client.candidate import Fetchable
    from hub_client.git_commands import SignedKind
    from hub_client.signatures.signer import Signer
    from hub_client.sources.signed_release import SignedInGit, SignedRelease

_GOOD_SSH = re.compile(r'(?m)^Good "git" signature for hub with \S+ key (SHA256:\S+)$')
_OTHER_SSH = re.compile(r'(?m)^Good "git" signature with \S+ key (SHA256:\S+)$')
_GOOD_GPG = re.compile(r"(?m)^\[GNUPG:\] VALIDSIG (?:\S+ )+?([0-9A-F]{40,64})$")
_OTHER_GPG = re.compile(r"(?m)^\[GNUPG:\] ERRSIG (?:\S+ )+?([0-9A-F]{40,64})$")
_UNSIGNED: Final = ("", "no signature found", "it gave no reason")


class SignatureRefused(HubError):
    """A release is not signed by whom the user requires.

    ``found`` says what its commit and its tag have instead.
    """

    def __init__(
        self, operator: Fetchable, found: Sequence[str], expected: str
    ) -> None:
        self.found = tuple(found)
        lines = "".join(f"\n  {each}" for each in self.found)
        older = f"{operator.name}<{operator.release.version}"
        super().__init__(
            f"{describe(operator)} {self._is_it}{lines}\n  expected {expected}",
            hint=f"{self._next}; an earlier version, if there is one, is `{older}`",
        )

    _is_it = "is not signed as your configuration requires"
    _next = (
        "Ask its publisher; if you trust another key of theirs, run "
        "`hub trust add SOURCE --require-signature SIGNER`"
    )


class SignatureUnreachable(SignatureRefused):
    """Nobody can tell whether a release is signed: its signature cannot be had."""

    _is_it = "may be signed as your configuration requires, which cannot be told"
    _next = "Check the address, your network and that you may read it"


class Signature(NamedTuple):
    """One that is good."""

    signer: str
    """Whose, as a lock writes it."""
    kind: Literal["sigstore", "git"]
    tree: str | None
    """Digest of the files that it is for; None if its commit alone says which."""
    evidence: Callable[[], bytes]
    """Gives what checks it again elsewhere: the sigstore bundle, or git's objects."""


def verify_release(
    operator: Fetchable,
    signed: SignedRelease,
    keys: Sequence[Signer],
    *,
    config_dir: Path,
    trusted_root: Path | None = None,
) -> Signature:
    """Check the commit, or else the tag, or else the release's sigstore bundle.

    Each counts for the files alone that a lock, or an index, says the release has.

    :param keys: whose signatures count, and nobody else's.
    :param trusted_root: what counts as sigstore, as ``check_bundle`` takes it.
    :raises SignatureRefused: with what was found instead.
    :raises SignatureUnreachable: if what might be signed cannot be had.
    """
    found: list[str] = []
    unfetched: list[str] = []
    own = [each for each in keys if isinstance(each, SigningKey)]
    identities = [each for each in keys if isinstance(each, SigstoreIdentity)]
    try:
        if own and (signature := _verify_own(operator, signed, own, config_dir, found)):
            return signature
    except SignatureUnfetched as error:
        unfetched.append(f"its tag cannot be fetched: {error}")
    try:
        if identities and (
            signature := _verify_bundle(
                operator, signed, identities, trusted_root, found
            )
        ):
            return signature
    except SignatureUnfetched as error:
        unfetched.append(f"its sigstore bundle cannot be fetched: {error}")
    expected = ", ".join(each.shown for each in keys)
    refusal = SignatureUnreachable if unfetched else SignatureRefused
    raise refusal(operator, [*found, *unfetched], expected)


def _verify_bundle(
    operator: Fetchable,
    signed: SignedRelease,
    identities: Sequence[SigstoreIdentity],
    trusted_root: Path | None,
    found: list[str],
) -> Signature | None:
    """Who signed the statement of this very release, by the bundle that it has.

    :param found: takes why the last one does not count; another may have come since.
    """
    name, version = operator.name, operator.release.version
    problem = f"is missing: {signed.without_bundle}"
    tree, seen = operator.release.tree, False
    try:
        for bundle in signed.find_bundles():
            if len(bundle) > SIGSTORE_SIZE_LIMIT:
                problem = f"is larger than {SIGSTORE_SIZE_LIMIT} bytes"
                continue
            # What is installed is what has the locked digest, whatever its source has.
            tree, seen = tree or signed.tree_digest(), True
            statement = release_statement(name, version, tree)
            try:
                signer = check_bundle(
                    bundle, statement, identities, trusted_root=trusted_root
                ).signer
            except BundleRefused as error:
                problem = str(error)
            else:
                return Signature(signer, "sigstore", tree, partial(bytes, bundle))
    except SignatureUnfetched:
        if seen:
            found.append(f"its sigstore bundle {problem}")
        raise
    found.append(f"its sigstore bundle {problem}")
    return None


def _verify_own(
    operator: Fetchable,
    signed: SignedRelease,
    keys: Sequence[SigningKey],
    config_dir: Path,
    found: list[str],
) -> Signature | None:
    """Who signed the commit or the tag, where there are any; see ``_verify_in_git``."""
    release = operator.release
    if release.ref is not None and not is_tag_of(release.ref, release.version):
        found.append(f"`{release.ref}` is no tag of {release.version}")
        return None
    if signed.open_git is None:
        found.append("its commit and its tag are not there")
        return None
    with signed.open_git() as git:
        return _verify_in_git(git, keys, config_dir, found, tree=release.tree)


def _verify_in_git(
    signed: SignedInGit,
    keys: Sequence[SigningKey],
    config_dir: Path,
    found: list[str],
    *,
    tree: str | None,
) -> Signature | None:
    """Have git check the commit, or else the tag, against these keys alone.

    :param found: takes what was found instead.
    :param tree: digest that the commit's files must have; None if any will do.
    :raises SignatureUnfetched: if the tag cannot be had.
    """
    tag = None
    with _trusted(keys, config_dir) as (signers, gnupg_home):

        def check(kind: SignedKind, object_id: str) -> str | None:
            try:
                said = check_signature(
                    kind,
                    object_id,
                    git_dir=signed.git_dir,
                    signers=signers,
                    gnupg_home=gnupg_home,
                )
            except GitFailed as error:
                found.append(f"its {kind} {_described(error)}")
                return None
            signer = _signer(said)
            if signer not in {each.signer for each in keys}:
                found.append(f"its {kind} is signed by {signer or 'nobody known'}")
                return None
            return signer

        signer = check("commit", signed.commit)
        if signer is None:
            for tag in signed.find_tags():
                if signer := check("tag", tag):
                    break
            if tag is None:
                found.append("its tag is not signed")
    if signer is None:
        return None
    if tree is not None and signed.tree_digest() != tree:
        found.append(f"its commit has other files than {tree}")
        return None
    pack = partial(pack_signed, signed.git_dir, signed.commit, tag)
    return Signature(signer, "git", tree, pack)


@contextmanager
def _trusted(
    keys: Sequence[SigningKey], config_dir: Path
) -> Iterator[tuple[Path, Path]]:
    """A file of signers and a keyring that hold these keys and no others."""
    armored = read_armored(config_dir, keys)
    with tempfile.TemporaryDirectory() as folder, keyring(armored) as gnupg_home:
        file = Path(folder, "allowed_signers")
        lines = (
            # One name for all, and signatures for nothing but git.
            'hub namespaces="git" ' + " ".join(each.text.split()[:2]) + "\n"
            for each in keys
            if each.kind == "ssh"
        )
        file.write_text("".join(lines), encoding="ascii")
        yield file, gnupg_home


def _signer(said: str) -> str | None:
    """Whose signature git calls good; None unless it is exactly one."""
    ssh, gpg = _GOOD_SSH.findall(said), _GOOD_GPG.findall(said)
    if len(ssh) + len(gpg) != 1:
        return None
    return f"ssh:{ssh[0]}" if ssh else f"gpg:{gpg[0]}"


def _described(error: GitFailed) -> str:
    if other := _OTHER_SSH.search(error.stderr):
        return f"is signed by ssh:{other[1]}"
    if other := _OTHER_GPG.search(error.stderr):
        return f"is signed by gpg:{other[1]}"
    if error.reason in _UNSIGNED:
        return "is not signed"
    return "has a signature that is not good"
