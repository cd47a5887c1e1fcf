"""Whose signatures a user requires of a source: in their own configuration alone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, TypeGuard

from hub_client.atomic_file import write_atomically
from hub_client.signatures.keys import InvalidKey, SigningKey
from hub_client.signatures.signer import parse_signer, same_signer
from hub_client.signatures.sigstore_identity import SigstoreIdentity
from hub_client.sources import GIT
from hub_client.trust import InvalidTrust, covers, locate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tomlkit.items import Table

    from hub_client.signatures.signer import Signer

KEY: Final = "require-signature"
ROOT: Final = "trusted-root"
_FOLDER: Final = "keys"


def keys_for(
    source: str, required: Mapping[str, Sequence[str]], *, directory: Path | None = None
) -> tuple[Signer, ...] | None:
    """The keys of the most specific entry that covers a source; None if none does.

    :param required: keys by source, as configuration writes them.
    :raises InvalidTrust: if an entry is not for git, where signatures are.
    :raises InvalidKey: if one of the keys is none.
    """
    entry = _covering(source, required, directory)
    return None if entry is None else tuple(map(parse_signer, required[entry]))


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
    entry = _covering(source, required, directory)
    return None if entry is None else roots.get(entry)


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
    :raises InvalidKey: if identities of another sigstore may sign there already.
    """
    import tomlkit  # noqa: PLC0415  (slow to import, seldom needed)

    from hub_client.trust import read_document, write_document  # noqa: PLC0415

    written = _checked(source)
    document = read_document(config_dir)
    if document and KEY not in document:
        document.add(tomlkit.nl())
    tables = document.setdefault(KEY, tomlkit.aot())
    table = next((each for each in tables if each["source"] == written), None)
    if table is None:
        table = tomlkit.table()
        table["source"], table["keys"] = written, tomlkit.array()
        tables.append(table)
    known, keys = list(map(parse_signer, table["keys"])), tuple(keys)
    if any(isinstance(each, SigstoreIdentity) for each in keys):
        _add_root(config_dir, table, known, trusted_root)
    table["keys"].extend(
        each.text for each in keys if not any(same_signer(each, one) for one in known)
    )
    table["keys"].multiline(multiline=True)
    for each in keys:
        if armored is not None and _is_gpg(each):
            file = key_file(config_dir, each)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, armored)
    write_document(config_dir, document)


def remove_required(config_dir: Path, source: str) -> bool:
    """Require no signatures of a source any more; whether they were."""
    from hub_client.trust import read_document, write_document  # noqa: PLC0415

    document = read_document(config_dir)
    tables = document.get(KEY, [])
    kept = [each for each in tables if each["source"] != source]
    if len(kept) == len(tables):
        return False
    for each in [each for each in tables if each["source"] == source]:
        tables.remove(each)
    if not tables:
        document.remove(KEY)
    write_document(config_dir, document)
    return True


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


def _covering(
    source: str, entries: Iterable[str], directory: Path | None
) -> str | None:
    """The most specific entry that covers a source, as it is written."""
    located = locate(source, directory)
    spelled = {_checked(entry): entry for entry in entries}
    covering = [entry for entry in spelled if covers(entry, located)]
    return spelled[max(covering, key=len)] if covering else None


def _checked(source: str) -> str:
    """An entry's source in its one spelling.

    :raises InvalidTrust: if it is not one of git.
    """
    if not source.startswith(GIT):
        raise InvalidTrust(
            f"signatures can be required of git alone, got {source!r}",
            hint="Write `git+URL`, or its beginning up to a `/`",
        )
    return locate(source, None)
