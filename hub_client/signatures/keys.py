"""Keys that may sign: public ssh keys, and OpenPGP keys by their fingerprint."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

from hub_client.signatures.gnupg import ARMOR, fingerprint_of
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from pathlib import Path

_SSH = re.compile(
    r"(?P<kind>(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+) (?P<blob>[A-Za-z0-9+/]+=*)"
    r"(?: +(?P<name>[^\r\n]*))?"
)
_GPG = re.compile(r"gpg (?P<fingerprint>[0-9A-F]{40}|[0-9A-F]{64})")
_LARGEST: Final = 1 << 20


class InvalidKey(HubError, ValueError):
    """A text is no public key, or a file holds none."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key whose signature counts."""

    kind: Literal["ssh", "gpg"]
    fingerprint: str
    """``SHA256:…`` of an ssh key, or 40 or 64 hexadecimal digits."""
    text: str
    """As configuration writes it."""

    @property
    def signer(self) -> str:
        """As a lock writes it."""
        return f"{self.kind}:{self.fingerprint}"

    @property
    def shown(self) -> str:
        """As a message says it, with what its owner wrote behind an ssh key."""
        return " ".join([self.signer, *self.text.split(maxsplit=2)[2:]])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a line of configuration.

        >>> SigningKey.parse("gpg " + "0123456789" * 4).signer
        'gpg:0123456789012345678901234567890123456789'

        :raises InvalidKey: if it is neither form.
        """
        line = text.strip()
        if match := _GPG.fullmatch(line):
            return cls("gpg", match["fingerprint"], line)
        if match := _SSH.fullmatch(line):
            try:
                blob = base64.b64decode(match["blob"], validate=True)
            except binascii.Error:
                blob = b""
            # The blob repeats its kind: a line that was cut or mixed up does not.
            if blob[4:].startswith(match["kind"].encode()):
                digest = base64.b64encode(hashlib.sha256(blob).digest()).decode()
                return cls("ssh", f"SHA256:{digest.rstrip('=')}", line)
        raise InvalidKey(
            f"expected a public key, got {text[:60]!r}",
            hint="Write a line of an ssh `.pub` file, or `gpg` and a full fingerprint",
        )


def read_key_file(file: Path) -> tuple[tuple[SigningKey, ...], bytes | None]:
    """Read public keys: lines of an ssh ``.pub`` file, or one armored OpenPGP key.

    :returns: the keys, and the armored bytes if it is OpenPGP's.
    :raises InvalidKey: if it holds none, or a secret one.
    """
    content = file.read_bytes()[:_LARGEST]
    if b"PRIVATE KEY" in content:
        raise InvalidKey(
            f"`{file}` holds a secret key, which belongs to its owner alone",
            hint=f"Name the public one, such as `{file}.pub`",
        )
    if ARMOR in content:
        fingerprint = fingerprint_of(content)
        return (SigningKey.parse(f"gpg {fingerprint}"),), content
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise InvalidKey(
            f"`{file}` is no text",
            hint=f"An OpenPGP key counts armored: gpg --armor --export KEY > {file}",
        ) from error
    keys = [line for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise InvalidKey(f"`{file}` holds no public key")
    try:
        return tuple(map(SigningKey.parse, keys)), None
    except InvalidKey as error:
        raise InvalidKey(f"`{file}`: {error}", hint=error.hint) from error
