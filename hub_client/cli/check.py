"""``hub check``: whether a repository may be published as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub_client.cli import options
from hub_client.cli.console import format_count
from hub_client.cli.session import Session


def check(
    session: Session,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[PATH]", help="The repository; this folder if not given."
        ),
    ] = Path(),
    *,
    as_json: options.Json = False,
) -> int:
    """Check that an operator's repository could be published as it stands.

    Its manifest, its package, its documents, and what may not be in a repository.
    Everything is read as text; nothing of it is run. A warning does not forbid
    publishing.
    """
    from dataclasses import asdict  # noqa: PLC0415  (slow, as is the next)

    from plugin_spec.conformance import check_operator  # noqa: PLC0415

    findings = check_operator(path)
    if as_json:
        found = [asdict(finding) for finding in findings]
        session.console.result_json({"path": str(path), "findings": found})
    elif findings:
        session.console.result("\n".join(map(str, findings)))
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        session.console.problem(f"\n`{path}` has {format_count(errors, 'error')}")
        return 1
    session.console.say(f"`{path}` can be published")
    return 0
