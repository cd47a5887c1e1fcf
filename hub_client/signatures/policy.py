"""Whose signatures a user requires of a source: in their own configuration alone."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from contextlib import suppress
from ipaddress import ip_address
from socket import inet_aton
from typing import TYPE_CHECKING, Final, TypeGuard

from hub_client.atomic_file import write_atomically
from hub_client.git_url import decoded
from hub_client.signatures.keys import InvalidKey, SigningKey
from hub_client.signatures.signer import parse_signer, same_signer
from hub_client.signatures.sigstore_identity import SigstoreIdentity
from hub_client.sources import GIT, HUGGING_FACE, HUGGING_FACE_AT
from hub_client.sources.hugging_face_client import PUBLIC_ENDPOINT
from hub_client.trust import InvalidTrust, check_entry, covers, locate, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tomlkit.items import Table

    from hub_client.signatures.signer import Signer

KEY: Final = "require-signature"
ROOT: Final = "trusted-root"
_FOLDER: Final = "keys"
_AUTHORITY: Final = re.compile(r"(?:.*@)?(\[.*\]|.*?)(?::([0-9]*))?")
_USUAL_PORTS: Final = ("", "22", "80", "443", "9418")
"""Of the protocols that git speaks."""
_ALIASES: Final = {"hf.co": "huggingface.co"}
_HUGGING_FACE: Final = (HUGGING_FACE, HUGGING_FACE_AT)


def keys_for(
    source: str, required: Mapping[str, Sequence[str]], *, directory: Path | None = None
) -> tuple[Signer, ...] | None:
    """The keys of the most specific entry that covers a source; None if none does.

    :param required: keys by source, as configuration writes them.
    :raises InvalidTrust: if an entry is for a source that nobody can sign.
    :raises InvalidKey: if one of the keys is none, or cannot sign there.
    """
    entries = _covering(source, required, directory)
    if not entries:
        return None
    return tuple(
        key
        for entry in entries
        for key in _able(entry, map(parse_signer, required[entry]))
    )


def root_for(
    source: str,
    required: Mapping[str, Sequence[str]],
    roots: Mapping[str, Path],
    *,
    directory: Path | None = None,
) -> Path | None:
    """The trusted root of the entry whose keys ``keys_for`` gives; None if it has none.

    :param roots: files by source, as ``required`` has keys.
    """
    entries = _covering(source, required, directory)
    return next((roots[entry] for entry in entries if entry in roots), None)


def add_required(
    config_dir: Path,
    source: str,
    keys: Iterable[Signer],
    *,
    armored: bytes | None = None,
    trusted_root: bytes | None = None,
) -> None:
    """Require that releases of a source are signed by one of these keys, or others.

    :param armored: an OpenPGP key's own bytes, which are kept beside the configuration.
    :param trusted_root: a sigstore's own keys, kept there too; the public one's, if
        not given.
    :raises InvalidTrust: if nobody can sign there.
    :raises InvalidKey: if a key cannot, or identities of another sigstore may already.
    """
    import tomlkit  # noqa: PLC0415  (slow to import, seldom needed)

    from hub_client.trust import editing  # noqa: PLC0415

    written = _checked(locate(source, None))
    keys = _able(written, keys)
    with editing(config_dir) as document:
        if document and KEY not in document:
            document.add(tomlkit.nl())
        tables = document.setdefault(KEY, tomlkit.aot())
        table = next((t for t in tables if _is_same(t["source"], written)), None)
        if table is None:
            table = tomlkit.table()
            table["source"], table["keys"] = written, tomlkit.array()
            tables.append(table)
        known = list(map(parse_signer, table["keys"]))
        if any(isinstance(each, SigstoreIdentity) for each in keys):
            _add_root(config_dir, table, known, trusted_root)
        table["keys"].extend(
            each.text
            for each in keys
            if not any(same_signer(each, one) for one in known)
        )
        table["keys"].multiline(multiline=True)
        for each in keys:
            if armored is not None and _is_gpg(each):
                file = key_file(config_dir, each)
                file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(file, armored)


def remove_required(config_dir: Path, source: str) -> bool:
    """Require no signatures of a source any more; whether they were."""
    from hub_client.trust import editing  # noqa: PLC0415

    with editing(config_dir) as document:
        tables = document.get(KEY, [])
        gone = [each for each in tables if _is_same(each["source"], source)]
        for each in gone:
            tables.remove(each)
        if gone and not tables:
            document.remove(KEY)
    return bool(gone)


def key_file(config_dir: Path, key: SigningKey) -> Path:
    """Where an OpenPGP key's own bytes lie."""
    return config_dir / _FOLDER / f"{key.fingerprint}.asc"


def _is_gpg(key: Signer) -> TypeGuard[SigningKey]:
    return isinstance(key, SigningKey) and key.kind == "gpg"


def _add_root(
    config_dir: Path, table: Table, known: Iterable[Signer], trusted_root: bytes | None
) -> None:
    """Write which sigstore an entry's identities are of.

    :raises InvalidKey: if it has some of another: which would a name be of?
    """
    if trusted_root is None and ROOT in table:
        return
    file = None
    if trusted_root is not None:
        digest = hashlib.sha256(trusted_root).hexdigest()
        file = f"{_FOLDER}/trusted-root-{digest[:16]}.json"
    others = [each for each in known if isinstance(each, SigstoreIdentity)]
    if others and table.get(ROOT) != file:
        raise InvalidKey(
            f"`{table['source']}` has identities of another sigstore already, "
            f"such as `{others[0].text}`",
            hint=f"Run `hub trust remove {table['source']}` first",
        )
    if trusted_root is not None and file is not None:
        (config_dir / _FOLDER).mkdir(parents=True, exist_ok=True)
        write_atomically(config_dir / file, trusted_root)
        table[ROOT] = file


def read_armored(config_dir: Path, keys: Iterable[SigningKey]) -> list[bytes]:
    """The bytes of every OpenPGP key.

    :raises InvalidKey: if one is not where ``key_file`` says.
    """
    found = []
    for each in keys:
        if _is_gpg(each):
            file = key_file(config_dir, each)
            if not file.is_file():
                raise InvalidKey(
                    f"`{each.text}` is required, and `{file}` is missing",
                    hint=f"gpg --armor --export {each.fingerprint} > {file}",
                )
            found.append(file.read_bytes())
    return found


def _covering(source: str, entries: Iterable[str], directory: Path | None) -> list[str]:
    """The most specific entry that covers a source, in each way that it is written."""
    located = _written_out(locate(source, directory))
    spelled = [(_written_out(_checked(entry)), entry) for entry in entries]
    covering = [each for each in spelled if covers(each[0], located)]
    longest = max((len(written) for written, _ in covering), default=0)
    return [entry for written, entry in covering if len(written) == longest]


def _is_same(entry: str, other: str) -> bool:
    return spelled(entry) == spelled(other)


def _checked(entry: str) -> str:
    """An entry's source in its one spelling.

    :raises InvalidTrust: if it is of neither git nor Hugging Face.
    """
    if not entry.startswith((GIT, *_HUGGING_FACE)):
        raise InvalidTrust(
            f"signatures can be required of git and Hugging Face alone, got {entry!r}",
            hint="Write `git+URL`, or its beginning up to a `/`; or `hf:ORG`",
        )
    return check_entry(entry)


def _written_out(source: str) -> str:
    """In the one spelling of all that may be the same repository.

    A project may write a source in another way than its user does. Letters of either
    case, what stands in percent signs or behind a semicolon, doubled slashes, and the
    end of git's own folders make no difference to some servers; nor is another
    protocol another place. Here none makes any.
    """
    if source.startswith(HUGGING_FACE):
        source = f"{HUGGING_FACE_AT}{PUBLIC_ENDPOINT}/{source[len(HUGGING_FACE) :]}"
    _, _, rest = source.partition("://")
    if not rest:
        return source
    authority, _, path = rest.partition("/")
    path = unicodedata.normalize("NFC", decoded(f"/{path}")).casefold()
    path = re.sub("/+", "/", re.sub(";[^/]*", "", path))
    while path != (shorter := path.removesuffix("/").removesuffix(".git")):
        path = shorter
    return f"//{_place(authority)}{path}"


def _place(authority: str) -> str:
    """A host, and its port if it is an unusual one.

    >>> _place("git@127.1:0443"), _place("[::ffff:127.0.0.1]:8443"), _place("HF.co.")
    ('127.0.0.1', '127.0.0.1:8443', 'huggingface.co')
    """
    host, port = _AUTHORITY.fullmatch(authority).groups()  # type: ignore[union-attr]
    host = host.casefold().rstrip(".")
    with suppress(ValueError, OSError):
        # Some write an address as one number, or in hexadecimal digits.
        address = ip_address(host.strip("[]") if ":" in host else inet_aton(host))
        host = str(getattr(address, "ipv4_mapped", None) or address)
    number = (port or "").lstrip("0")
    return _ALIASES.get(host, host) + f":{number}" * (number not in _USUAL_PORTS)


def _able(entry: str, keys: Iterable[Signer]) -> tuple[Signer, ...]:
    """The keys, all of which can sign what an entry covers.

    :raises InvalidKey: if one cannot.
    """
    found = tuple(keys)
    for each in found:
        if isinstance(each, SigningKey) and entry.startswith(_HUGGING_FACE):
            raise InvalidKey(
                f"`{entry}` has no commits or tags that `{each.signer}` could sign",
                hint="Require an identity there: `sigstore:IDENTITY@ISSUER`",
            )
    return found
