"""What became known of a lock since it was written: asked of sources and a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hub_client.candidate import Fetchable, Release
    from hub_client.lockfile import LockedOperator
    from hub_client.packages.audit import Vulnerability

Kind: TypeAlias = Literal["vulnerable", "yanked", "unsigned", "changed", "unreachable"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason not to run what is locked as it is."""

    kind: Kind
    subject: str
    message: str
    link: str | None = None

    def __str__(self) -> str:
        more = f"\n  {self.link}" if self.link else ""
        return f"{self.kind}: {self.subject}: {self.message}{more}"


def audit_operator(
    locked: LockedOperator,
    releases: Callable[[LockedOperator], Sequence[Release]],
    find_signer: Callable[[Fetchable], str | None],
) -> Iterator[Finding]:
    """What is to be said against one operator.

    :param releases: what its own source lists now.
    :param find_signer: as for ``Verification.verify_signatures``.
    """
    subject = f"{locked.name} {locked.version}"
    if locked.ref is not None:  # a folder of one's own changes as one works
        try:
            yield from _against_source(subject, locked, releases(locked))
        except HubError as error:
            yield Finding("unreachable", subject, str(error))
    try:
        find_signer(locked)
    except HubError as error:
        from hub_client.signatures import SignatureUnreachable  # noqa: PLC0415 (seldom)

        unasked = isinstance(error, SignatureUnreachable)
        yield Finding("unreachable" if unasked else "unsigned", subject, str(error))


def audit_packages(found: Sequence[Vulnerability]) -> Iterator[Finding]:
    """Vulnerabilities as findings."""
    for each in found:
        fixed = f" (fixed in {', '.join(each.fixed_in)})" if each.fixed_in else ""
        message = f"{each.id}: {each.summary}{fixed}"
        yield Finding(
            "vulnerable", f"{each.package} {each.version}", message, each.link
        )


def _against_source(
    subject: str, locked: LockedOperator, releases: Sequence[Release]
) -> Iterator[Finding]:
    now = next((each for each in releases if each.version == locked.version), None)
    if now is None:
        message = f"`{locked.ref}` is gone from `{locked.source}`"
        yield Finding("changed", subject, message)
        return
    if now.revision != locked.revision:
        message = (
            f"`{now.ref}` was moved at `{locked.source}`\n"
            f"  locked {locked.revision}\n"
            f"  found  {now.revision}"
        )
        yield Finding("changed", subject, message)
    if now.yanked is not None:
        yield Finding("yanked", subject, now.yanked)
