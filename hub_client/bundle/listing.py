"""``bundle.json``: what a bundle holds, and for which platforms."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from hub_client.bundle.platforms import Platform
from hub_client.listed_file import ListedFile
from hub_client.lockfile.entry import (
    Entry,
    LockProblem,
    as_digest,
    as_number,
    as_table,
    as_text,
    each,
    of_type,
)
from hub_client.tree_digest import listing_digest
from plugin_spec.errors import HubError
from plugin_spec.tree_paths import path_problems
from plugin_spec.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FORMAT_VERSION: Final = 1
LISTING_FILE: Final = "bundle.json"
LOCK_FILE: Final = "hub.lock"
"""A copy for people; nothing is installed by it."""
SIZE_LIMIT: Final = 32 << 20
"""Bytes; more than a listing may have. Nobody reads on beyond it."""
SIGNATURES: Final = "signatures/"
_SHOWN: Final = 10
_LONGEST: Final = 1000
"""Characters of a path."""
_FOLDERS = re.compile(
    r"trees/[0-9a-f]{64}/.+|wheels/[^/]+\.whl|weights/[0-9a-f]{64}"
    r"|signatures/[0-9a-f]{64}\.(sigstore\.json|pack)"
)


class InvalidBundle(HubError, ValueError):
    """A bundle's listing does not read, or lists what no bundle may hold.

    ``problems`` holds one sentence a problem.
    """

    _next = "Where there is a network, make it anew: `hub mirror` on that folder"

    def __init__(self, place: str, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"`{place}` is no bundle that can be used{told_in_short(problems)}",
            hint=self._next,
        )


class NewerBundle(InvalidBundle):
    """A bundle of a later format: not damaged, and not for this hub to replace."""

    _next = "Upgrade `towhee-hub`, or make a bundle in another folder"


@dataclass(frozen=True, slots=True)
class BundleListing:
    """The files of a bundle, by path, and what they are for."""

    lock: str
    """Digest of the ``hub.lock`` that it was made for, ``sha256:…``."""
    platforms: tuple[Platform, ...]
    files: Mapping[str, ListedFile]
    weights: bool = True
    """Whether the weights that the lock pins were collected."""
    _trees: dict[str, dict[str, ListedFile]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def loads(cls, text: bytes, *, place: str) -> Self:
        """Read a listing, which anybody may have written.

        :raises NewerBundle: if a newer hub wrote it.
        :raises InvalidBundle: with every path that it may not have.
        """
        try:
            top = Entry(as_table(json.loads(text)))
            _check_format(top, place)
            files = top.get("files", each(_file))
            listing = cls(
                lock=top.get("lock", as_digest),
                platforms=tuple(sorted(top.get("platforms", each(_platform)))),
                files={file.path: file for file in files},
                weights=top.get("weights", of_type(bool, "true or false")),
            )
        except NewerBundle:
            raise
        except RecursionError as error:
            raise InvalidBundle(place, ["it is nested too deeply"]) from error
        except json.JSONDecodeError as error:
            # Often it is a page to log in at.
            said = shown(text.decode(errors="replace"))
            raise InvalidBundle(
                place, [f"expected JSON, got {said}: {error}"]
            ) from error
        except ValueError as error:
            raise InvalidBundle(place, [str(error)]) from error
        problems = [*_problems([file.path for file in files])]
        if problems:
            raise InvalidBundle(place, problems)
        return listing

    def dumps(self) -> bytes:
        """The text, the same for the same values."""
        return (
            json.dumps(
                {
                    "format": FORMAT_VERSION,
                    "lock": self.lock,
                    "platforms": [
                        {"platform": each.name, "python": each.python}
                        for each in sorted(self.platforms)
                    ],
                    "weights": self.weights,
                    "files": [
                        {"path": path, "size": file.size, "sha256": file.digest[7:]}
                        for path, file in sorted(self.files.items())
                    ],
                },
                indent=1,
            ).encode()
            + b"\n"
        )

    def is_for(
        self, lock: str, platforms: Sequence[Platform], *, weights: bool
    ) -> bool:
        """Whether it is of the lock with this digest, for just these platforms."""
        asked = (lock, tuple(sorted(platforms)), weights)
        return (self.lock, self.platforms, self.weights) == asked

    def tree(self, digest: str) -> Mapping[str, ListedFile]:
        """The files of one tree, by their paths in it; empty if it is not here."""
        if not self._trees:
            for path, file in self.files.items():
                folder, _, rest = path.partition("/")
                name, _, inner = rest.partition("/")
                if folder == "trees":
                    self._trees.setdefault(name, {})[inner] = file
        return self._trees.get(digest.removeprefix("sha256:"), {})


def _check_format(top: Entry, place: str) -> None:
    version = top.get("format", as_number)
    if version > FORMAT_VERSION:
        said = f"`{LISTING_FILE}` has format {version} of a newer hub"
        raise NewerBundle(place, [f"{said}; this one reads {FORMAT_VERSION}"])
    if version < FORMAT_VERSION:
        raise top.problem("format", f"expected {FORMAT_VERSION}, got {version}")


def told_in_short(problems: Sequence[str]) -> str:
    """The first of some problems, each on a line, and how many more there are."""
    more = len(problems) - _SHOWN
    lines = [*problems[:_SHOWN], *([f"… and {more:,} more"] if more > 0 else [])]
    return "".join(f"\n  {line}" for line in lines)


def files_digest(files: Mapping[str, ListedFile]) -> str:
    """The digest of a tree that has these files, by their paths in it."""
    return listing_digest({path: file.digest[7:] for path, file in files.items()})


def tree_path(digest: str, path: str) -> str:
    """Where a file of a tree lies in a bundle."""
    return f"trees/{digest.removeprefix('sha256:')}/{path}"


def weights_path(sha256: str) -> str:
    """Where weights lie in a bundle."""
    return f"weights/{sha256.removeprefix('sha256:')}"


def signature_path(digest: str, kind: Literal["sigstore", "git"]) -> str:
    """Where what checks the signature of a tree lies in a bundle."""
    ending = "sigstore.json" if kind == "sigstore" else "pack"
    return f"{SIGNATURES}{digest.removeprefix('sha256:')}.{ending}"


def _file(value: Any) -> ListedFile:  # noqa: ANN401  (as in Entry)
    entry = Entry(as_table(value))
    return ListedFile(
        path=entry.get("path", as_text),
        size=entry.get("size", _as_size),
        digest=entry.get("sha256", lambda text: as_digest(f"sha256:{text}")),
    )


def _as_size(value: Any) -> int:  # noqa: ANN401
    size = as_number(value)
    if size < 0:
        raise LockProblem(f"expected a size, got {size}")
    return size


def _platform(value: Any) -> Platform:  # noqa: ANN401
    entry = Entry(as_table(value))
    return Platform.parse(entry.get("platform", as_text), entry.get("python", as_text))


def _problems(paths: list[str]) -> Iterator[str]:
    """What is wrong with the paths of a bundle, each on its own and together."""
    if long := [path for path in paths if len(path) > _LONGEST]:
        yield f"{long[0][:40]!r}… is longer than {_LONGEST} characters"
        return
    for path, reason in path_problems(paths):
        yield f"{path!r} {reason}"
    for path in paths:
        if not _FOLDERS.fullmatch(path):
            yield f"{path!r} is no tree, wheel, weights or signature"
    folders = {path[:index] for path in paths for index in _slashes(path)}
    for path in sorted(folders.intersection(paths)):
        yield f"{path!r} is a file and a folder"


def _slashes(path: str) -> Iterator[int]:
    return (index for index, letter in enumerate(path) if letter == "/")
