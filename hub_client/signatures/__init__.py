"""Whether a release was signed by whom its user named: by ssh, gpg or sigstore."""

from hub_client.signatures.keys import InvalidKey, SigningKey, read_key_file
from hub_client.signatures.policy import (
    add_required,
    keys_for,
    remove_required,
    root_for,
)
from hub_client.signatures.signer import parse_signer
from hub_client.signatures.sigstore_bundle import read_trusted_root
from hub_client.signatures.sigstore_identity import SigstoreIdentity
from hub_client.signatures.verifying import (
    Signature,
    SignatureRefused,
    SignatureUnreachable,
    verify_release,
)

__all__ = [
    "InvalidKey",
    "Signature",
    "SignatureRefused",
    "SignatureUnreachable",
    "SigningKey",
    "SigstoreIdentity",
    "add_required",
    "keys_for",
    "parse_signer",
    "read_key_file",
    "read_trusted_root",
    "remove_required",
    "root_for",
    "verify_release",
]
