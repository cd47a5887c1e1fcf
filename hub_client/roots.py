"""Who needs trees: the environments and projects that a store has served."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from hub_client.atomic_file import write_atomically
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hub_client.receipt import Receipt

RootKind: TypeAlias = Literal["environment", "project"]
"""An environment needs what its receipts name, a project what its lock names."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class UnknownNeed(HubError):
    """Nobody can tell what is needed, so nothing may be removed."""


@dataclass(frozen=True, slots=True)
class Root:
    """One environment or project that may need trees."""

    kind: RootKind
    path: Path
    """The environment's prefix, or the project's folder."""
    note: Path | None = None
    """The file that says so; None if nobody has noted it."""

    @property
    def is_living(self) -> bool:
        """Whether it is still where it was.

        :raises UnknownNeed: if nobody may look; newer releases of Python would take
            that as gone.
        """
        path = self.path if self.kind == "environment" else self._lock
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise UnknownNeed(
                f"Cannot see whether `{path}` is there: {error.strerror or error}",
                hint="Run it as somebody who may look there; if nobody needs it any "
                f"more, delete `{self.note}`",
            ) from error
        return True

    @property
    def _lock(self) -> Path:
        return self.path / "hub.lock"

    def digests(self) -> set[str]:
        """Every digest that it names, be it a tree's or not.

        Of a lock with an unfinished merge, or of a later format, both sides and all
        trees count.

        :raises UnknownNeed: if a file cannot be read, or is damaged.
        """
        named = _named_by_lock if self.kind == "project" else _named_by_receipt
        try:
            return {digest for file in self._files() for digest in named(file)}
        except HubError as error:
            raise UnknownNeed(
                f"Cannot tell what `{self.path}` needs: {error}", hint=error.hint
            ) from error
        except OSError as error:
            raise UnknownNeed(
                f"Cannot read `{error.filename}`, and so not tell what "
                f"`{self.path}` needs: {error.strerror or error}",
                hint="Make it readable, or delete it, and run the command again",
            ) from error

    def receipts(self) -> Iterator[Receipt]:
        """The receipts of a living environment that read back."""
        from hub_client.receipt import DamagedReceipt, Receipt  # noqa: PLC0415  (slow)

        if self.kind != "environment":
            return
        with suppress(OSError):  # of a folder
            for file in self._files():
                with suppress(OSError, DamagedReceipt):
                    yield Receipt.load(file)

    def _files(self) -> Iterator[Path]:
        from hub_client.environment import receipts_folder  # noqa: PLC0415  (it uses us)

        if self.kind == "project":
            yield self._lock
            return
        # Unlike a glob, this does not pass over what may not be read.
        for parent, _, names in os.walk(receipts_folder(self.path), onerror=_raise):
            yield from (Path(parent, name) for name in names if name.endswith(".json"))


@dataclass(frozen=True, slots=True)
class Roots:
    """A folder of notes, a small file each, that are there before anything is used."""

    folder: Path

    def note(self, kind: RootKind, path: Path) -> None:
        """Remember one; costs a look if it is known.

        :raises OSError: if it cannot be remembered.
        """
        note = json.dumps({"kind": kind, "path": str(path.absolute())}) + "\n"
        content = note.encode()  # all of it ASCII, whatever a path holds
        name = hashlib.sha256(content).hexdigest()[:32]
        file = self.folder / f"{name}.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, content)

    def __iter__(self) -> Iterator[Root]:
        """Every one that was noted, sorted, whether it is living or not.

        :raises UnknownNeed: if a note does not read back.
        """
        for file in sorted(self.folder.glob("*.json")):
            try:
                note = json.loads(file.read_bytes())
                kind, path = note["kind"], Path(note["path"])
                if kind not in get_args(RootKind) or "\0" in note["path"]:
                    raise ValueError(note)  # noqa: TRY301
            except (
                OSError,
                ValueError,
                KeyError,
                TypeError,
                RecursionError,
            ) as error:
                if not os.path.lexists(file):
                    continue  # another process, which prunes, was faster
                raise UnknownNeed(
                    f"`{file}` does not read back, and it says who needs what is here",
                    hint="Delete it; the next command in that environment or "
                    "project writes it again",
                ) from error
            yield Root(kind, path, file)


def _named_by_receipt(file: Path) -> Iterable[str]:
    """The tree that a receipt names.

    :raises DamagedReceipt: also if it names none.
    """
    from hub_client.receipt import DamagedReceipt, Receipt  # noqa: PLC0415  (slow)

    tree = Receipt.load(file).tree
    if not _DIGEST.fullmatch(tree):
        raise DamagedReceipt(file)
    return [tree]


def _named_by_lock(file: Path) -> Iterable[str]:
    """Every digest in a lock, also one that a merge left odd, or of a later format.

    :raises InvalidLockfile: if it is damaged.
    """
    from hub_client.lockfile import (  # noqa: PLC0415  (slow)
        Lockfile,
        NewerLockfile,
        UnfitLockfile,
        UnmergedLockfile,
        read_lock,
    )

    with suppress(NewerLockfile, UnfitLockfile, UnmergedLockfile):
        Lockfile.load(file)
    return _DIGEST.findall(read_lock(file).decode(errors="replace"))


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # where nothing was ever installed
        raise error
