"""What a repository has before a version goes there, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub_client.sources import MANIFEST_FILE
from plugin_spec.errors import HubError, InvalidName
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from hub_client.publisher.publication import Publication

_NEW: Final = frozenset(
    {
        ".gitattributes",
        ".gitignore",
        "license",
        "license.md",
        "license.txt",
        "readme",
        "readme.md",
    }
)
"""What hosts put into a new repository, in lower case."""
_TOLD: Final = 5


class NotItsOwn(HubError):
    """A repository holds something else than the operator that is to be published."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of the branch that a version goes to."""

    spec: str
    """Of the repository."""
    paths: frozenset[str] = frozenset()
    """But for what a server keeps there itself."""
    manifest: bytes | None = None
    takes_older: bool = False
    """Whether a version that is not the newest goes to the branch, too."""

    def check(self, name: OperatorName) -> None:
        """Refuse to replace what is not an earlier version of ``name``.

        :raises NotItsOwn: if the files are another operator's, or no operator's.
        """
        self.check_name(name)
        others = sorted(path for path in self.paths if path.lower() not in _NEW)
        if others and (self.manifest is None or claimed_name(self.manifest) is None):
            told = [f"  {path}" for path in others[:_TOLD]]
            if more := len(others) - _TOLD:
                told += [f"  … and {more} more"] * (more > 0)
            which = "no" if self.manifest is None else "a nameless"
            raise NotItsOwn(
                f"`{self.spec}` has other files, and {which} `{MANIFEST_FILE}`: "
                + "\n".join([f"{name} would take their place", *told]),
                hint=_HINT,
            )

    def check_name(self, name: OperatorName) -> None:
        """Refuse to follow another operator.

        :raises NotItsOwn: if the files say that they are one.
        """
        found = None if self.manifest is None else claimed_name(self.manifest)
        if found not in {None, name}:
            raise NotItsOwn(
                f"`{self.spec}` is the repository of {found}, and not of {name}",
                hint=_HINT,
            )

    def removed_by(self, publication: Publication) -> tuple[str, ...]:
        """Paths that the branch has, and has no more when the version is there."""
        if not (publication.is_newest or self.takes_older):
            return ()
        kept = {file.path for file in publication.snapshot.files}
        return tuple(sorted(self.paths - kept))


def claimed_name(manifest: bytes) -> OperatorName | None:
    """Whose a manifest says that it is, valid or not; None if nobody can tell.

    >>> str(claimed_name(b"name: acme/embed"))
    'acme/embed'
    >>> claimed_name(b"name: [")
    """
    from plugin_spec.strict_yaml import (  # noqa: PLC0415  (slow)
        UnreadableYaml,
        read_yaml,
    )

    try:
        return OperatorName.parse(str(read_yaml(manifest).value.get("name")))
    except (UnreadableYaml, InvalidName):
        return None


_HINT: Final = "Publish to a repository of its own, which may be new and empty"
