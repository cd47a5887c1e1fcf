"""Operators' packages, imported under private names that carry their digests.

Two versions, or two operators that both have a `models.py`, never meet; nothing is put
on ``sys.path``; no compiled file is read or written, since no digest covers one.
"""

from __future__ import annotations

import gc
import sys
import threading
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Final

from hub_client.tree_digest import DigestMismatch, tree_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TypeAlias

    Packages: TypeAlias = dict[str, tuple[Path, str]]
    """Folders of packages and the digests of their trees, by private name."""

_PACKAGE: Final = "_towhee_operators"
_verified: set[tuple[Path, str]] = set()


def verify_tree(tree: Path, digest: str, subject: str) -> None:
    """Hash a tree the first time that this process uses it.

    :raises DigestMismatch: if it was changed since it was stored.
    """
    if (tree, digest) not in _verified:
        actual = tree_digest(tree)
        if actual != digest:
            raise DigestMismatch(
                subject,
                expected=digest,
                actual=actual,
                hint=f"Delete `{tree}` and install again",
            )
        _verified.add((tree, digest))


class _SourceOnly(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Finder(MetaPathFinder):
    def __init__(self) -> None:
        self.packages: Packages = {}
        self.unchecked: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: object = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{_PACKAGE}."):
            return None
        if found := self.packages.get(fullname):
            folder, digest = found
            if fullname in self.unchecked:
                verify_tree(folder.parent, digest, f"`{folder.name}`")
                self.unchecked.discard(fullname)
            file = str(folder / "__init__.py")
            return spec_from_file_location(
                fullname,
                file,
                loader=_SourceOnly(fullname, file),
                submodule_search_locations=[str(folder)],
            )
        finders = (FileFinder(folder, (_SourceOnly, [".py"])) for folder in path or ())
        return next(filter(None, (find.find_spec(fullname) for find in finders)), None)


_finder = _Finder()
_installing = threading.Lock()


def import_package(folder: Path, digest: str) -> ModuleType:
    """Import the package in ``folder``, once a digest.

    :param digest: of the tree that holds it, as ``sha256:…``.
    """
    name = f"{_PACKAGE}.d{digest.partition(':')[2][:16]}"
    _install({name: (folder, digest)})
    with _collector_at_rest():
        return import_module(name)


def known_packages() -> Packages:
    """What was imported here, for ``adopt_packages`` in another process."""
    return dict(_finder.packages)


def adopt_packages(packages: Packages) -> None:
    """Let values of another process's operators be read here, once they come.

    A package is then imported, and its tree hashed before.
    """
    if packages:
        _finder.unchecked |= packages.keys() - _finder.packages.keys()
        _install(packages)


def _install(packages: Packages) -> None:
    with _installing:
        _finder.packages = {**packages, **_finder.packages}
        if _PACKAGE not in sys.modules:
            parent = ModuleType(_PACKAGE, __doc__)
            parent.__path__ = []
            sys.modules[_PACKAGE] = parent
            # First: the ordinary finder would read and write compiled files.
            sys.meta_path.insert(0, _finder)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Let modules come without going through them again and again: they are to stay.

    Of the seconds that torch takes to be imported, a tenth goes there.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
