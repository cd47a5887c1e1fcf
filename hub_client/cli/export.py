"""``hub export``: the lock in the forms that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hub_client.cli.session import Session

if TYPE_CHECKING:
    from hub_client.lockfile import Lockfile
    from hub_client.project import Project


def export(
    session: Session,
    *,
    form: Annotated[
        Literal["pylock", "requirements", "sbom"],
        typer.Option(
            "--format",
            help="`pylock`, which counts if not given, `requirements` or `sbom`.",
        ),
    ] = "pylock",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to write, if not to stdout.",
        ),
    ] = None,
) -> None:
    """Write what hub.lock pins in a form that other tools read.

    `pylock` is the standard pylock.toml, and `requirements` a file with hashes: uv
    and pip install the Python packages from either. `sbom` is a CycloneDX bill of
    materials of operators, weights and packages.
    """
    from hub_client.atomic_file import write_atomically  # noqa: PLC0415  (slow)
    from hub_client.cli.recording import NoProject, current_lock  # noqa: PLC0415

    project = session.project()
    if project is None:
        raise NoProject
    text = _text(session, project, current_lock(project), form)
    if output is None:
        session.console.result(text.removesuffix("\n"))
    else:
        write_atomically(output, text.encode())
        session.console.say(f"Wrote `{output}`")


def _text(session: Session, project: Project, lock: Lockfile, form: str) -> str:
    if form == "requirements":
        from hub_client.export.requirements import to_requirements  # noqa: PLC0415

        return to_requirements(lock.packages)
    if form == "sbom":
        from hub_client.export.sbom import to_sbom  # noqa: PLC0415

        return to_sbom(lock, project.path.parent.name)
    from hub_client.export.pylock import to_pylock  # noqa: PLC0415
    from hub_client.packages import open_installer  # noqa: PLC0415

    config = session.config()
    return to_pylock(
        lock.packages,
        installer=open_installer(config.installer, offline=config.offline),
        requires_python=project.requires_python,
    )
