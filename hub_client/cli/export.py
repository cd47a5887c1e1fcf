"""``hub export``: the lock in the forms that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from hub_client.cli import options
from hub_client.cli.session import Session
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from hub_client.lockfile import Lockfile
    from hub_client.project import Project

Locked: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--locked",
        help="Fail if the lock does not match the project, as without this flag.",
    ),
]


class OwnFile(HubError):
    """An export would replace a file of the project that it is of."""

    def __init__(self, output: Path) -> None:
        super().__init__(
            f"`{output}` is the project's own file, and is not written over",
            hint="Give another name after `-o`, such as `pylock.toml`",
        )


def export(  # noqa: PLR0913  (one a flag)
    session: Session,
    *,
    form: Annotated[
        Literal["pylock", "requirements", "sbom"],
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="`pylock`, which counts if not given, `requirements` or `sbom`.",
        ),
    ] = "pylock",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to write, if not to stdout, which is `-`.",
        ),
    ] = None,
    locked: Locked = False,
    frozen: options.Frozen = False,
    as_json: options.Json = False,
) -> None:
    """Write what hub.lock pins in a form that other tools read.

    `pylock` is the standard pylock.toml, and `requirements` a file with hashes: uv
    and pip install the Python packages from either. `sbom` is a CycloneDX bill of
    materials of operators, weights and packages.
    """
    from hub_client.atomic_file import write_atomically  # noqa: PLC0415  (slow)

    if locked and frozen:
        raise typer.BadParameter("`--locked` and `--frozen` contradict each other")
    if output == Path("-"):
        output = None
    project, lock = _locked(session, frozen=frozen)
    if output is not None:
        _check_not_own(project, output)
    text = _text(session, project, lock, form)
    if output is not None:
        write_atomically(output, text.encode())
    if as_json:
        file, printed = (None, text) if output is None else (str(output), None)
        session.console.result_json({"format": form, "output": file, "text": printed})
    elif output is None:
        session.console.result(text.removesuffix("\n"))
    else:
        session.console.say(f"Wrote `{output}`")


def _locked(session: Session, *, frozen: bool) -> tuple[Project, Lockfile]:
    """The project of this folder, and its lock.

    :param frozen: take the lock as it is, whatever the project says, or without one.
    :raises StaleLock: if the project changed since, unless it does not matter.
    :raises NoProject: if there is none, likewise.
    """
    from hub_client.cli.lock_file import NoProject, current_lock  # noqa: PLC0415
    from hub_client.lockfile import Lockfile  # noqa: PLC0415
    from hub_client.project import Project  # noqa: PLC0415

    if frozen:
        project = Project.open_or_create(Path.cwd())
        return project, Lockfile.load(project.lock_path)
    if (found := session.project()) is None:
        raise NoProject
    return found, current_lock(found)


def _check_not_own(project: Project, output: Path) -> None:
    """Refuse what is the project's file or its lock, however it is spelled.

    :raises OwnFile: naming it.
    """
    for own in (project.path, project.lock_path):
        if output.resolve() == own.resolve() or (
            # Where names differ in case alone, or both are links to one file.
            output.exists() and own.exists() and output.samefile(own)
        ):
            raise OwnFile(output)


def _text(session: Session, project: Project, lock: Lockfile, form: str) -> str:
    if form == "requirements":
        from hub_client.export.requirements import to_requirements  # noqa: PLC0415

        return to_requirements(lock.packages)
    if form == "sbom":
        from hub_client.export.sbom import to_sbom  # noqa: PLC0415

        return to_sbom(lock, project.path.parent.name)
    from hub_client.export.pylock import to_pylock  # noqa: PLC0415
    from hub_client.packages import open_locker  # noqa: PLC0415

    config = session.config()
    return to_pylock(
        lock.packages,
        installer=open_locker(offline=config.offline),
        requires_python=lock.requires_python,
    )
