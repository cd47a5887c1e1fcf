"""Receipts: one small file per installed operator, written last."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from packaging.version import Version

from hub_client.candidate import Release
from hub_client.small_file import read_small
from plugin_spec.errors import HubError
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class DamagedReceipt(HubError, ValueError):
    """A receipt does not read back; nothing that the hub writes looks like it."""

    def __init__(self, where: Path | str) -> None:
        super().__init__(
            f"the receipt `{where}` does not read back",
            hint="Remove that file and install the operator again",
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """Says that an operator is installed: its tree, its packages, its dependencies."""

    name: OperatorName
    version: Version
    source: str
    """The source as written in configuration, for example ``bundled``."""
    ref: str | None
    revision: str
    tree: str
    """Digest of the tree in the store, ``sha256:…``."""
    requested: bool
    """Whether the user asked for it; False for a dependency of one they asked for."""
    dependencies: tuple[OperatorName, ...] = ()
    packages: tuple[str, ...] = ()
    """The Python packages it needs, PEP 508: so that asking again costs no YAML."""

    @property
    def release(self) -> Release:
        """What a source needs to give its files again."""
        return Release(self.version, self.revision, self.ref, tree=self.tree)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file.

        :raises DamagedReceipt: if it is none.
        :raises OSError: if it cannot be read.
        """
        return cls.from_json(read_small(file), where=str(file))

    @classmethod
    def from_json(cls, content: bytes, *, where: str) -> Self:
        """Parse the bytes of what ``to_json`` gave.

        :raises DamagedReceipt: naming ``where``, so that it can be removed.
        """
        try:
            return cls.from_dict(json.loads(content.decode()))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise DamagedReceipt(where) from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build a receipt from JSON values.

        :raises KeyError: or TypeError or ValueError, if they are no receipt's.
        """
        return cls(
            name=OperatorName.parse(_text(data["name"])),
            version=Version(_text(data["version"])),
            source=_text(data["source"]),
            ref=None if data["ref"] is None else _text(data["ref"]),
            revision=_text(data["revision"]),
            tree=_text(data["tree"]),
            requested=bool(data["requested"]),
            dependencies=tuple(
                OperatorName.parse(_text(each)) for each in data["dependencies"]
            ),
            packages=tuple(_text(each) for each in data["packages"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """The receipt as JSON values."""
        return {
            "name": str(self.name),
            "version": str(self.version),
            "source": self.source,
            "ref": self.ref,
            "revision": self.revision,
            "tree": self.tree,
            "requested": self.requested,
            "dependencies": [str(name) for name in self.dependencies],
            "packages": list(self.packages),
        }

    def to_json(self) -> str:
        """The receipt as text: sorted, so that equal receipts are equal files."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value
