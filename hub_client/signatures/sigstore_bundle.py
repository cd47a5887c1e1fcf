"""Checking a sigstore bundle with the library ``sigstore``, and without a network.

What is asked of it: a certificate of a root that counts, logged, and good when the log
took the entry; the entry included, under a checkpoint that its log signed; these bytes.
"""

from __future__ import annotations

import json
from contextlib import suppress
from importlib import resources
from typing import TYPE_CHECKING, Final

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography.x509 import Certificate
    from sigstore.verify import Verifier

    from hub_client.signatures.sigstore_identity import SigstoreIdentity

_CARRIED: Final = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
_LONGEST: Final = 160
_ROOT_TYPE: Final = "application/vnd.dev.sigstore.trustedroot"


class SigstoreMissing(HubError):
    """The library that checks bundles is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Checking sigstore bundles needs the library `sigstore`, "
            "which is not installed",
            hint="pip install 'towhee-hub[sigstore]'",
        )


class InvalidTrustedRoot(HubError):
    """A file says of no sigstore what its keys are."""


class BundleRefused(HubError):
    """A bundle is not good, or not by whom it should be; the message follows ``it``."""


def check_bundle(
    bundle: bytes,
    statement: bytes,
    identities: Sequence[SigstoreIdentity],
    *,
    trusted_root: Path | None,
) -> SigstoreIdentity:
    """Verify that one of the identities signed the statement.

    :param trusted_root: what counts as sigstore; the public one, as the library
        carries it, if not given.
    :raises BundleRefused: if it is malformed, not good, or by somebody else.
    :raises SigstoreMissing: if the library is not there.
    """
    verifier = _verifier(trusted_root)
    from sigstore.models import Bundle

    expected = _OneOf(identities)
    try:
        verifier.verify_artifact(statement, Bundle.from_json(bundle), expected)
    # A stranger's bytes: each parser on the way has errors of its own, and whichever
    # it is, the bundle does not count.
    except Exception as error:
        if expected.other:
            raise BundleRefused(f"is by {expected.other}") from error
        raise BundleRefused(f"is not good: {_described(error)}") from error
    if expected.found is None:
        raise BundleRefused("is by nobody")
    return expected.found


def read_trusted_root(file: Path) -> bytes:
    """The bytes of a trusted root, looked at by the library if it is installed.

    :raises InvalidTrustedRoot: if it is none; without the library, if it does not
        even say that it is one.
    """
    try:
        _verifier(file)
    except SigstoreMissing:
        _check_media_type(file)
    return file.read_bytes()


def _check_media_type(file: Path) -> None:
    try:
        root = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _no_root(file, f"not JSON: {_described(error)}") from error
    kind = root.get("mediaType") if isinstance(root, dict) else None
    if not (isinstance(kind, str) and kind.startswith(_ROOT_TYPE)):
        raise _no_root(file, f"its `mediaType` is not `{_ROOT_TYPE}…`")


class _OneOf:
    """The library's policy: asked once the certificate is known to be sigstore's."""

    def __init__(self, identities: Sequence[SigstoreIdentity]) -> None:
        self.found: SigstoreIdentity | None = None
        self.other = ""
        self._identities = identities

    def verify(self, cert: Certificate) -> None:
        from sigstore.errors import VerificationError
        from sigstore.verify.policy import Identity

        for each in self._identities:
            with suppress(VerificationError):
                Identity(identity=each.identity, issuer=each.issuer).verify(cert)
                self.found = each
                return
        self.other = _who(cert)
        raise VerificationError(self.other)


def _who(certificate: Certificate) -> str:
    """The identity of a certificate and its issuer, as text for a terminal."""
    from cryptography import x509  # noqa: PLC0415  (comes with sigstore)
    from sigstore.verify.policy import OIDCIssuer

    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    said = [str(each.value) for each in names]
    issuer = extensions.get_extension_for_oid(OIDCIssuer.oid).value
    vouched = getattr(issuer, "value", b"").decode(errors="replace")
    return _plain(f"sigstore:{' and '.join(said)}@{vouched}")


def _verifier(trusted_root: Path | None) -> Verifier:
    """The library's verifier; it asks no service.

    :raises InvalidTrustedRoot: if the file is not one.
    """
    try:
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier
    except ImportError as error:
        raise SigstoreMissing from error
    # Not its own way to the public root: that prefers a file in a cache that any
    # variable can lead elsewhere.
    carried = resources.files("sigstore") / "_store" / _CARRIED / "trusted_root.json"
    try:
        with resources.as_file(carried) as public:
            root = TrustedRoot.from_file(str(trusted_root or public))
        return Verifier(trusted_root=root)
    except Exception as error:  # as in check_bundle, of a file of the user's
        raise _no_root(trusted_root or carried, _described(error)) from error


def _no_root(file: object, reason: str) -> InvalidTrustedRoot:
    return InvalidTrustedRoot(
        f"`{file}` is no sigstore's trusted root: {reason}",
        hint="Give the `trusted_root.json` of your sigstore",
    )


def _described(error: Exception) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return _plain(lines[0])


def _plain(text: str) -> str:
    """What a bundle says cannot steer a terminal, or fill it."""
    printable = "".join(filter(str.isprintable, text))
    return printable if len(printable) <= _LONGEST else f"{printable[:_LONGEST]}…"
