"""Arguments and flags that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from hub_client.cli.completion import installed_names, known_names

Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON.")
]
Python: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--python",
        metavar="PATH",
        help="Work on the environment of this interpreter, not on hub's own.",
    ),
]
Requirements: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="REQUIREMENT…",
        help='Names, or names and versions: "a/b>=1,<2".',
        autocompletion=known_names,
    ),
]
Names: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME…", help="Names of operators.", autocompletion=installed_names
    ),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan, and change nothing.")
]
Frozen: TypeAlias = Annotated[
    bool,
    typer.Option("--frozen", help="Use the lock as it is, whatever the project says."),
]
Yes: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--yes", help="Let the plan change or remove installed Python packages."
    ),
]
Source: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="Take these operators from SOURCE: `bundled`, `dir:PATH`, `git+URL`, "
        "`hf:ORG/REPO` or `index+URL`.",
    ),
]
TrustOnce: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--trust-once",
        help="Trust the sources in use, for this run alone, and show what comes.",
    ),
]
Propose: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--propose",
        help="Push to a branch of the index for a pull request, not to the one in use.",
    ),
]
Pre: TypeAlias = Annotated[
    bool, typer.Option("--pre", help="Let pre-releases compete with releases.")
]
AllowSdist: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-sdist",
        metavar="NAME",
        help="Let this Python package be built from source, which runs its code. "
        "May be given several times.",
    ),
]
