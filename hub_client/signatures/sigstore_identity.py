"""Somebody whom sigstore knows: an identity, and who vouches for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from hub_client.signatures.keys import InvalidKey

PREFIX: Final = "sigstore:"
# The last `@` before an address: identities have some of their own.
_FORM = re.compile(r"sigstore:(?P<identity>[!-~]+)@(?P<issuer>https://[!-?A-~]+)")


@dataclass(frozen=True, slots=True)
class SigstoreIdentity:
    """One identity whose sigstore bundles count."""

    identity: str
    """An address of mail, or that of a workflow, as its certificate says it."""
    issuer: str
    """Who vouched for it: another issuer's identity of that name is another's."""

    @property
    def signer(self) -> str:
        """As a lock writes it, and whoever requires it."""
        return f"{PREFIX}{self.identity}@{self.issuer}"

    @property
    def text(self) -> str:
        """As configuration writes it."""
        return self.signer

    @property
    def shown(self) -> str:
        """As a message says it."""
        return self.signer

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what configuration says.

        >>> parsed = SigstoreIdentity.parse("sigstore:a@acme.example@https://id.example")
        >>> parsed.identity, parsed.issuer
        ('a@acme.example', 'https://id.example')

        :raises InvalidKey: if either is missing, or holds a space.
        """
        if match := _FORM.fullmatch(text.strip()):
            return cls(match["identity"], match["issuer"])
        raise InvalidKey(
            f"expected an identity and its issuer, got {text[:60]!r}",
            hint="Write `sigstore:IDENTITY@ISSUER`, as in "
            "`sigstore:alice@acme.example@https://accounts.google.com`",
        )
