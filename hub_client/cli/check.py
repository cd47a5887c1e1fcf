"""``hub check``: whether a repository may be published as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub_client.cli import options
from hub_client.cli.console import format_count
from hub_client.cli.key_value import parse_option
from hub_client.cli.session import Session


def check(  # noqa: PLR0913  (one a flag)
    session: Session,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[PATH]", help="The repository; this folder if not given."
        ),
    ] = Path(),
    *,
    run: Annotated[bool, typer.Option("--run", help="Run it on samples too.")] = False,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Run it in an environment that has only what it requires.",
        ),
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="KEY=VALUE",
            help="An option to run it with; VALUE is JSON or text. "
            "May be given several times.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> int:
    """Check whether an operator could be published as it stands.

    Its manifest, its package, its documents, and what may not be in a repository
    are read as text; what .gitignore names stays at home, and is not looked at.
    That is all, unless you say --run: a repository may be a stranger's, and looking
    at one must never run it. A warning does not forbid publishing.

    With --run its code runs, as you: a copy of it, in a process of its own. Do its
    outputs fit its ports, is a batch what its rows give alone, and a second call or
    another process what the first gave? Does it change its inputs, connect as it is
    imported, or touch what programs share? Its inputs are the files in `samples/`,
    or made from its ports, and its options those in `samples/options.json`.

    With --fresh this happens in a new environment, after `hub install` of the
    folder into it: whether its requirements are complete shows only there.
    """
    from dataclasses import asdict  # noqa: PLC0415  (slow, as is the next)

    from hub_client.conformance import check_repository  # noqa: PLC0415
    from hub_client.publisher.ignored import find_ignored  # noqa: PLC0415

    console = session.console
    ignored = find_ignored(path) if path.is_dir() else frozenset()
    runs = run or fresh or bool(option)
    given = dict(map(parse_option, option or []))
    if runs:
        with console.working(f"Running `{path}`"):
            findings = check_repository(
                path, run=True, options=given, fresh=fresh, ignored=ignored
            )
    else:
        findings = check_repository(path, ignored=ignored)
    if as_json:
        found = [asdict(finding) for finding in findings]
        console.result_json({"path": str(path), "ran": runs, "findings": found})
    elif findings:
        console.result("\n".join(map(str, findings)))
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        console.problem(f"\n`{path}` has {format_count(errors, 'error')}")
        return 1
    console.say(f"`{path}` can be published")
    return 0
