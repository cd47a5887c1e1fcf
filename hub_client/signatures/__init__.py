"""Whether a release was signed by whom its user named: through git, by ssh or gpg."""

from hub_client.signatures.keys import InvalidKey, SigningKey, read_key_file
from hub_client.signatures.policy import add_required, keys_for, remove_required
from hub_client.signatures.verifying import SignatureRefused, verify_release

__all__ = [
    "InvalidKey",
    "SignatureRefused",
    "SigningKey",
    "add_required",
    "keys_for",
    "read_key_file",
    "remove_required",
    "verify_release",
]
