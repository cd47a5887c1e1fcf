"""Where operators come from: one module per kind of source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub_client.candidate import Fetchable, Release
    from plugin_spec.manifest import Manifest
    from plugin_spec.names import OperatorName

MANIFEST_FILE: Final = "operator.yaml"
"""The file at the root of every operator's tree."""
MANIFEST_SIZE_LIMIT: Final = 1 << 20
"""Bytes; more than a manifest may have. Nobody reads on beyond it."""

BUNDLED: Final = "bundled"
"""The source spec of the operators that ship with this package."""
DIRECTORY: Final = "dir:"
"""How the source spec of a folder begins; a path follows."""
GIT: Final = "git+"
"""How the source spec of git repositories begins; a URL follows."""
HUGGING_FACE: Final = "hf:"
"""How the source spec of Hugging Face repositories begins; ORG/REPO follows."""
HUGGING_FACE_AT: Final = "hf+"
"""The same, with the server's URL before ORG/REPO."""
INDEX: Final = "index+"
"""How the source spec of an index begins; the URL of its git repository follows."""

_PACKAGE: Final = Path(__file__).resolve().parent.parent
_IN_A_WHEEL: Final = _PACKAGE / "bundled_operators"
_IN_A_CHECKOUT: Final = _PACKAGE.parent / "reference_operators"


def bundled_folder() -> Path:
    """The operators in the installed package, or beside it in a checkout."""
    return _IN_A_WHEEL if _IN_A_WHEEL.is_dir() else _IN_A_CHECKOUT


class Source(Protocol):
    """Answers what versions exist, what their manifests say, and gives their trees.

    The resolver needs ``versions`` and ``manifest`` alone: anything that has both can
    be resolved against, in memory included.
    """

    def versions(self, name: OperatorName) -> Sequence[Release]:
        """Every release of ``name``, in any order; empty if there is none."""

    def manifest(self, name: OperatorName, release: Release) -> Manifest:
        """Read the manifest at ``release.revision``; nothing of the operator runs.

        :raises InvalidManifest: also if it claims another name or version.
        """

    def fetch(self, wanted: Fetchable, into: Path) -> None:
        """Write the files of ``wanted`` into the empty folder ``into``.

        :raises HubError: if the revision cannot be had or may not be stored.
        """


@runtime_checkable
class NamingSource(Protocol):
    """A source that can say which operators it has."""

    def names(self) -> Sequence[OperatorName]:
        """Every operator that it has, sorted."""
