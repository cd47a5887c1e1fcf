"""Whose signatures a user requires of a source: in their own configuration alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub_client.atomic_file import write_atomically
from hub_client.signatures.keys import InvalidKey, SigningKey
from hub_client.sources import GIT
from hub_client.trust import InvalidTrust, covers, locate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

KEY: Final = "require-signature"
_FOLDER: Final = "keys"


def keys_for(
    source: str, required: Mapping[str, Sequence[str]], *, directory: Path | None = None
) -> tuple[SigningKey, ...] | None:
    """The keys of the most specific entry that covers a source; None if none does.

    :param required: keys by source, as configuration writes them.
    :raises InvalidTrust: if an entry is not for git, where signatures are.
    :raises InvalidKey: if one of the keys is none.
    """
    located = locate(source, directory)
    entries = {_checked(entry): keys for entry, keys in required.items()}
    covering = [entry for entry in entries if covers(entry, located)]
    if not covering:
        return None
    return tuple(map(SigningKey.parse, entries[max(covering, key=len)]))


def add_required(
    config_dir: Path,
    source: str,
    keys: Iterable[SigningKey],
    *,
    armored: bytes | None = None,
) -> None:
    """Require that releases of a source are signed by one of these keys, or others.

    :param armored: an OpenPGP key's own bytes, which are kept beside the configuration.
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
    known = {SigningKey.parse(text).signer for text in table["keys"]}
    table["keys"].extend(each.text for each in keys if each.signer not in known)
    table["keys"].multiline(multiline=True)
    for each in keys:
        if armored is not None and each.kind == "gpg":
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


def read_armored(config_dir: Path, keys: Iterable[SigningKey]) -> list[bytes]:
    """The bytes of every OpenPGP key.

    :raises InvalidKey: if one is not where ``key_file`` says.
    """
    found = []
    for each in keys:
        if each.kind == "gpg":
            file = key_file(config_dir, each)
            if not file.is_file():
                raise InvalidKey(
                    f"`{each.text}` is required, and `{file}` is missing",
                    hint=f"gpg --armor --export {each.fingerprint} > {file}",
                )
            found.append(file.read_bytes())
    return found


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
