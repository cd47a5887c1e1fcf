"""Whoever may sign: the owner of a key, or somebody whom sigstore knows."""

from __future__ import annotations

from typing import TypeAlias

from hub_client.signatures.keys import SigningKey
from hub_client.signatures.sigstore_identity import PREFIX, SigstoreIdentity

Signer: TypeAlias = SigningKey | SigstoreIdentity


def parse_signer(text: str) -> Signer:
    """Read a line of configuration.

    :raises InvalidKey: if it is none.
    """
    if text.lstrip().startswith(PREFIX):
        return SigstoreIdentity.parse(text)
    return SigningKey.parse(text)


def same_signer(one: Signer, other: Signer) -> bool:
    """Whether both are one: a key whatever its comment, an identity with its issuer."""
    if isinstance(one, SigningKey) and isinstance(other, SigningKey):
        return one.signer == other.signer
    return one == other
