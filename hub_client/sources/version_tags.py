"""Which tags of a repository are versions, and which of those are withdrawn."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from hub_client.candidate import WITHDRAWN, Release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# One way to read each text: a tag that is none takes no longer to refuse.
_VERSION = re.compile(
    r"refs/tags/v(?P<version>[0-9][0-9a-zA-Z]*(?:[.+!_-][0-9a-zA-Z]+)*)"
)
_YANKED: Final = "refs/tags/yanked-v"


def is_version_tag(ref: str) -> bool:
    """Whether ``ref`` is ``refs/tags/v`` and a version's characters."""
    return _VERSION.fullmatch(ref) is not None


def is_tag_of(ref: str, version: Version) -> bool:
    """Whether ``ref`` is a tag of that version, however it writes it.

    >>> is_tag_of("refs/tags/v1.0", Version("1.0.0"))
    True
    """
    return is_version_tag(ref) and _version(ref) == version


def is_yank_tag(ref: str) -> bool:
    """Whether ``ref`` is ``refs/tags/yanked-v`` and a version's characters.

    >>> is_yank_tag("refs/tags/yanked-v1.0.0")
    True
    """
    return ref.startswith(_YANKED) and is_version_tag(ref.replace("yanked-", "", 1))


def yank_tags(tags: Iterable[str], version: Version) -> list[str]:
    """Those that say that a version is withdrawn, which more than one may.

    >>> yank_tags(["refs/tags/yanked-v1.0", "refs/tags/v1"], Version("1.0.0"))
    ['refs/tags/yanked-v1.0']
    """
    return [ref for ref in tags if is_yank_tag(ref) and _version(ref) == version]


def read_releases(
    tags: Mapping[str, str], reasons: Mapping[str, str]
) -> tuple[Release, ...]:
    """One release per version tag; one that a yank tag names is yanked.

    Other refs do not count, and neither do tags that are not PEP 440. Where two tags
    say one version (``v1`` beside ``v1.0.0``) the longer one is meant.

    >>> tags = {"refs/tags/v1.0": "a" * 40, "refs/tags/yanked-v1.0": "a" * 40}
    >>> [(str(each.version), each.yanked) for each in read_releases(tags, {})]
    [('1.0', 'withdrawn by its publisher')]

    :param tags: commits by ref.
    :param reasons: messages of yank tags by ref, as far as they can be had.
    """
    releases: dict[Version, Release] = {}
    yanked: dict[Version, str] = {}
    for ref, commit in sorted(tags.items(), key=lambda item: len(item[0])):
        version = _version(ref)
        if version is None:
            continue
        if is_yank_tag(ref):
            yanked[version] = reasons.get(ref, WITHDRAWN)
        else:
            releases[version] = Release(version, revision=commit, ref=ref)
    return tuple(
        replace(release, yanked=yanked.get(version))
        for version, release in releases.items()
    )


def _version(ref: str) -> Version | None:
    match = _VERSION.fullmatch(ref.replace("yanked-", "", 1))
    try:
        return Version(match["version"] if match else "")
    # No PEP 440 version, or a number of thousands of digits.
    except ValueError:
        return None
