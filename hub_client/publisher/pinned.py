"""One published version, as a person writes it: ``NAME==VERSION``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from plugin_spec.errors import HubError, InvalidRequirement
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub_client.candidate import Release
    from hub_client.publisher import Target
    from plugin_spec.names import OperatorName


class NotPublished(HubError, LookupError):
    """A version is not at its source."""


def parse_pinned(text: str) -> tuple[OperatorName, Version]:
    """Read a name and one version.

    >>> name, version = parse_pinned("acme/embed==1.0.0")
    >>> str(name), str(version)
    ('acme/embed', '1.0.0')

    :raises InvalidRequirement: if it says no name, or not one version.
    """
    requirement = Requirement.parse(text)
    try:
        (pin,) = requirement.specifier
        version = Version(pin.version if pin.operator == "==" else "")
    except (ValueError, InvalidVersion) as error:
        raise InvalidRequirement(
            f"expected a name and one version, got {text!r}",
            hint=f"Write `{requirement.name}==1.0.0`",
        ) from error
    return requirement.name, version


def listed_source(
    index: str, releases: Sequence[Release], name: OperatorName, version: Version
) -> str:
    """Where an index says that a version is.

    :raises NotPublished: naming those that it lists.
    """
    sources = {each.version: each.source for each in releases}
    if source := sources.get(version):
        return source
    found = ", ".join(map(str, sorted(sources))) or "nothing"
    raise NotPublished(
        f"`{index}` does not list {name} {version}",
        hint=f"Listed is {found}; `--at` says where it is",
    )


def find_release(target: Target, name: OperatorName, version: Version) -> Release:
    """The release of that version.

    :raises NotPublished: naming those that there are, or whose it is instead.
    """
    releases = {release.version: release for release in target.releases(name)}
    if version not in releases:
        found = ", ".join(map(str, sorted(releases))) or "nothing"
        raise NotPublished(
            f"{name} {version} is not published at `{target.spec}`",
            hint=f"Published is {found}",
        )
    owner = target.owner(releases[version])
    if owner not in {None, name}:
        raise NotPublished(
            f"`{target.spec}` has {owner} {version}, and not {name} {version}",
            hint=f"Write `{owner}=={version}` if that is the one",
        )
    return releases[version]
