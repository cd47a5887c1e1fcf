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

    Its manifest, its package, its documents and what its names promise. Nothing
    of it is run.
    """
    from plugin_spec.conformance import check_operator  # noqa: PLC0415  (slow)

    problems = check_operator(path)
    if as_json:
        session.console.result_json({"path": str(path), "problems": list(problems)})
    elif problems:
        session.console.result("\n".join(problems))
    if problems:
        session.console.problem(
            f"error: {format_count(len(problems), 'problem')} found"
        )
        return 1
    session.console.say(f"`{path}` can be published")
    return 0
