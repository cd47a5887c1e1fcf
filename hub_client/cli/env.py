"""``hub env``: what a bug report needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hub_client.cli import options
from hub_client.cli.console import format_table
from hub_client.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_client.bug_report import BugReport


def env(
    session: Session, *, python: options.Python = None, as_json: options.Json = False
) -> int:
    """Print what a bug report needs.

    Versions, folders, operators, and each setting with its value and what decided
    it: a flag, a variable, a file or the default. All of it may be shown to anyone:
    passwords and tokens are left out of addresses, your home folder is `~`, and of
    variables only their names are told.
    """
    from hub_client.bug_report import BugReport  # noqa: PLC0415  (slow)

    report = BugReport.of(session.environment(python), offline=session.offline)
    if as_json:
        session.console.result_json(report.to_dict())
    else:
        session.console.result("\n\n".join(_page(report)))
    for problem in report.problems:
        session.console.problem(f"error: {problem}")
    return 1 if report.problems else 0


def _page(report: BugReport) -> Iterator[str]:
    sections: dict[str, list[tuple[str, ...]]] = {
        "Versions": [
            (key, value or "missing") for key, value in report.versions.items()
        ],
        "Python packages": [*report.packages.items()],
        "Paths": [(key, value or "none") for key, value in report.paths.items()],
        "Settings": [
            (each.key, _shown(each.value), each.origin) for each in report.settings
        ],
        "Sources": [
            (each.key, each.value, each.origin, (each.problem or "").partition("\n")[0])
            for each in report.sources
        ],
        "Variables that are set": [(each,) for each in report.variables],
        "Operators": [*report.operators],
    }
    for title, rows in sections.items():
        if rows:
            indented = [(f"  {row[0]}", *row[1:]) for row in rows]
            yield f"{title}\n{format_table(indented)}"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return value if isinstance(value, str) else json.dumps(value)
