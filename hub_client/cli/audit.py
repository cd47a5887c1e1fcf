"""``hub audit``: what became known of a lock since it was written."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hub_client.cli import options
from hub_client.cli.console import format_count
from hub_client.cli.session import Session
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hub_client.audit import Finding
    from hub_client.candidate import Release
    from hub_client.lockfile import LockedOperator, Lockfile


class OfflineAudit(HubError):
    """What became known since is not on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "An audit asks sources and a service, and you are offline",
            hint="Run again without `--offline`, or with HUB_OFFLINE=0; "
            "`hub verify` needs no network",
        )


_UNASKED: Final = (
    "\n\nhint: Check your network and run it again; "
    "for packages, `--service-url` names another service"
)


def audit(
    session: Session,
    *,
    service: Annotated[
        str | None,
        typer.Option(
            "--service-url",
            metavar="URL",
            help="Ask this vulnerability service, which speaks OSV's API.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> int:
    """Ask what became known of the locked operators and Python packages.

    Known vulnerabilities of packages, through uv; operators that were yanked,
    whose tag was moved or deleted, or that are not signed as your configuration
    requires. What cannot be asked is a finding too.
    """
    from hub_client.cli.lock_file import NoProject  # noqa: PLC0415  (slow)
    from hub_client.lockfile import Lockfile  # noqa: PLC0415

    if (project := session.project()) is None:
        raise NoProject
    if session.config().offline:
        raise OfflineAudit
    lock = Lockfile.load(project.lock_path)
    total = len(lock.operators) + 1
    with session.console.working("Auditing", total=total) as progress:
        findings = []
        for some in (*_operators(session, lock), _packages(lock, service)):
            findings += some
            progress.advance()
    if as_json:
        session.console.result_json(
            {
                "operators": len(lock.operators),
                "packages": len(lock.packages),
                "findings": [asdict(each) for each in findings],
            }
        )
    elif findings:
        session.console.result("\n".join(map(str, findings)))
    looked_at = (
        f"{format_count(len(lock.operators), 'operator')} and "
        f"{format_count(len(lock.packages), 'Python package')}"
    )
    if findings:
        unasked = any(each.kind == "unreachable" for each in findings)
        session.console.problem(
            f"{format_count(len(findings), 'finding')} in {looked_at}"
            f"{_UNASKED if unasked else ''}"
        )
        return 1
    session.console.say(f"Nothing is known against {looked_at}")
    return 0


def _operators(session: Session, lock: Lockfile) -> Iterator[list[Finding]]:
    from hub_client.admission import find_signer  # noqa: PLC0415  (slow)
    from hub_client.audit import audit_operator  # noqa: PLC0415
    from hub_client.sources.silent_hosts import SilentHosts  # noqa: PLC0415

    config, router = session.config(), session.router()
    find = partial(
        find_signer, config=config, router=router, directory=session.project_folder()
    )
    hosts = SilentHosts()

    def releases(locked: LockedOperator) -> Sequence[Release]:
        return hosts.ask(locked.source, partial(router.releases_at_source, locked))

    for locked in lock.operators:
        yield list(audit_operator(locked, releases, find))


def _packages(lock: Lockfile, service: str | None) -> list[Finding]:
    from hub_client.audit import Finding, audit_packages  # noqa: PLC0415  (slow)
    from hub_client.packages.audit import find_vulnerabilities  # noqa: PLC0415

    try:
        return list(
            audit_packages(find_vulnerabilities(lock.packages, service=service))
        )
    except HubError as error:
        return [Finding("unreachable", "Python packages", str(error))]
