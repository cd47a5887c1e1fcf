"""The only module that starts gpg: in a folder of its own, never in the user's."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ARMOR: Final = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_TIMEOUT_SECONDS: Final = 60
_FINGERPRINT_FIELD: Final = 9


class GnupgFailed(HubError):
    """gpg is missing, or does not take what it was given."""


def fingerprint_of(armored: bytes) -> str:
    """The fingerprint of the one public key in ``armored``.

    :raises GnupgFailed: if it holds none, or several: which one is meant?
    """
    with _home() as home:
        listing = _run(home, "--show-keys", "--with-colons", typed=armored).decode()
    records = [line.split(":") for line in listing.splitlines()]
    primary = [
        following[_FINGERPRINT_FIELD]
        for record, following in pairwise(records)
        if record[0] == "pub" and following[0] == "fpr"
    ]
    if len(primary) != 1:
        raise GnupgFailed(f"expected one OpenPGP key in the file, got {len(primary)}")
    return primary[0]


@contextmanager
def keyring(armored: Iterable[bytes]) -> Iterator[Path]:
    """A folder for GNUPGHOME that knows these public keys and no others."""
    with _home() as home:
        for key in armored:
            _run(home, "--import", typed=key)
        yield home


@contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hub-gnupg-") as folder:
        yield Path(folder)


def _run(home: Path, *words: str, typed: bytes) -> bytes:
    flags = ("--homedir", str(home), "--batch", "--no-tty", "--no-autostart")
    try:
        return subprocess.run(  # noqa: S603  (constants, and a folder of our own)
            ["gpg", *flags, "--quiet", *words],  # noqa: S607  (the user's gpg)
            input=typed,
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_SECONDS,
        ).stdout
    except FileNotFoundError as error:
        raise GnupgFailed(
            "Checking OpenPGP signatures needs `gpg`, which is not installed"
        ) from error
    except subprocess.SubprocessError as error:
        said = getattr(error, "stderr", None) or b""
        reason = said.decode(errors="replace").strip().splitlines()
        raise GnupgFailed(f"gpg failed: {reason[0] if reason else error}") from error
