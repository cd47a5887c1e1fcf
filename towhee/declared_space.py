"""What a manifest says of its vectors' space, held against what they are."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugin_spec.manifest import Manifest
    from plugin_spec.spaces import EmbeddingSpace


class SpaceChanged(UserWarning):
    """An operator makes vectors of another space here than its publisher said."""


@dataclass(frozen=True, slots=True)
class DeclaredSpace:
    """The space of an operator's vectors, where it has no options but its own."""

    operator: str
    space: EmbeddingSpace

    @classmethod
    def of(cls, manifest: Manifest) -> DeclaredSpace | None:
        """What a manifest says; None if it says nothing."""
        if manifest.space is None:
            return None
        return cls(f"`{manifest.name}` {manifest.version}", manifest.space)

    def hold(self, found: EmbeddingSpace | None) -> None:
        """Warn if ``found`` is another space.

        What it needs may have changed: another version of an operator that a pipeline
        calls, or of the Python package that prepares images.
        """
        if found is None or self.space.compatible_with(found):
            return
        lines = "".join(f"\n  {line}" for line in self.space.differences(found))
        warnings.warn(
            f"{self.operator} says that its vectors are of the space "
            f"{self.space.fingerprint}, and here they are of {found.fingerprint}:"
            f"{lines}\nThey do not compare with those that it makes elsewhere; "
            "`hub lock` pins what it needs",
            SpaceChanged,
            stacklevel=3,
        )
