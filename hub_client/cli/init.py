"""``hub init``: a new operator that works, to be changed into one's own."""

from __future__ import annotations

from pathlib import Path
from shlex import join
from typing import Annotated, Literal

import typer

from hub_client.cli import options
from hub_client.cli.console import format_count
from hub_client.cli.session import Session


def init(  # noqa: PLR0913  (one a flag)
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="NAMESPACE/NAME", help="What it is called.")
    ],
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]", help="An empty or new folder; ./NAME if not given."
        ),
    ] = None,
    *,
    kind: Annotated[
        Literal["operator", "model", "pipeline"],
        typer.Option(
            "--kind",
            metavar="KIND",
            help="`operator` (a row at a time), `model` (batches) or `pipeline`.",
        ),
    ] = "operator",
    license: Annotated[  # noqa: A002  (the flag's name)
        Literal["Apache-2.0", "MIT", "BSD-3-Clause"],
        typer.Option(
            "--license",
            metavar="LICENSE",
            help="`Apache-2.0`, `MIT` or `BSD-3-Clause`.",
        ),
    ] = "Apache-2.0",
    as_json: options.Json = False,
) -> None:
    """Write a new operator: it works, has a test, and passes `hub check`.

      hub init acme/brightness
      hub init acme/my-model --kind model --license MIT

    Nothing is written into a folder that holds anything but a new `.git`. What is
    written is a start: change the manifest, the code, the test and the README into
    those of your own, then `hub publish` it.
    """
    from hub_client.scaffold import Skeleton, place  # noqa: PLC0415  (as it is used)
    from plugin_spec.errors import InvalidName  # noqa: PLC0415
    from plugin_spec.names import OperatorName  # noqa: PLC0415

    if "/" not in name:
        raise InvalidName(
            f"expected `namespace/name`, got {name!r}",
            hint=f"Put your own name or your team's before it: `acme/{name}`",
        )
    parsed = OperatorName.parse(name)
    folder = Path(parsed.name) if path is None else path
    files = Skeleton(parsed, kind, license).files()
    place(files, folder)
    if as_json:
        written = {"name": name, "path": str(folder), "kind": kind}
        session.console.result_json({**written, "files": list(files)})
    # A dash would begin a flag.
    target = [*(["--"] if str(folder).startswith("-") else []), str(folder)]
    check = join(["hub", "check", *target])
    session.console.say(
        f"Wrote {parsed} to `{folder}`: {format_count(len(files), 'file')}\n\n"
        f"hint: `{check}` checks it, and its README says what it does"
    )
