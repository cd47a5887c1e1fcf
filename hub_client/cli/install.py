"""``hub install`` and ``hub uninstall``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from hub_client.cli import options
from hub_client.cli.session import Session

if TYPE_CHECKING:
    from hub_client.cli.installation import Installation
    from plugin_spec.requirement import Requirement

_SOURCE: Final = re.compile(r"(git\+|index\+|hf[+:]|dir:)|https?://")
"""How an address begins; one of a source says of which kind it is."""
NoProject: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-project", help="Install into the environment alone; record nothing."
    ),
]


def install(  # noqa: PLR0913  (one a flag)
    session: Session,
    *,
    requirements: options.Requirements,
    python: options.Python = None,
    source: options.Source = None,
    trust_once: options.TrustOnce = False,
    pre: options.Pre = False,
    yes: options.Yes = False,
    allow_sdist: options.AllowSdist = None,
    no_project: NoProject = False,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Install operators, and the Python packages that they need.

      hub install image-embedding/timm
      hub install "image-embedding/timm>=1,<2" image-decode/cv2

    In a project, that is a folder with a pyproject.toml or hub.toml, it also
    records what you ask for and writes hub.lock, as `hub add` does. What is
    installed is kept: packages are added, and changed only with `--yes`.
    """
    wanted = read_requirements(requirements)
    installation = open_installation(
        session,
        wanted,
        source,
        python=python,
        trust_once=trust_once,
        allow_sdist=allow_sdist,
        dry_run=dry_run,
        as_json=as_json,
    )
    if not no_project and not pre and _is_project(session):
        if allow_sdist:
            raise typer.BadParameter(
                "a lock takes wheels alone: `--allow-sdist` needs `--no-project`"
            )
        record(installation, wanted, source, yes=yes)
        return
    plan = installation.installer.plan(wanted, prerelease=pre, allow_changes=yes)
    installation.carry_out(plan)
    if not (no_project or dry_run or plan.is_empty):
        session.console.say(
            "This folder is no project; `hub add` would make it one, with a lock"
        )


def read_requirements(texts: list[str]) -> list[Requirement]:
    """Parse requirements as they were typed.

    :raises InvalidRequirement: of what other tools take there, with how it is written.
    """
    from plugin_spec.errors import InvalidRequirement  # noqa: PLC0415  (slow)
    from plugin_spec.requirement import Requirement  # noqa: PLC0415

    wanted = []
    for text in texts:
        try:
            wanted.append(Requirement.parse(text))
        except InvalidRequirement as error:
            name, _, version = text.partition("@")
            if address := _SOURCE.match(text):
                source = text if address[1] else f"git+{text}"
                hint = f"Give the operator's name, and `--source {source}`"
            elif name and re.fullmatch(r"\d[\w.]*", version):
                hint = f"Write `{name}=={version}`"
            else:
                raise
            raise InvalidRequirement(str(error), hint=hint) from error
    return wanted


def uninstall(
    session: Session,
    *,
    names: options.Names,
    python: options.Python = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Remove operators from the environment.

    One that another operator needs is not removed. Python packages stay, as
    other things may use them. In a project, `hub remove` also takes it out of
    the project and its lock.
    """
    from plugin_spec.names import OperatorName  # noqa: PLC0415  (slow)

    installation = open_installation(
        session, [], None, python=python, dry_run=dry_run, as_json=as_json
    )
    wanted = [OperatorName.parse(name) for name in names]
    installation.carry_out(installation.installer.plan_uninstall(wanted))


def record(
    installation: Installation,
    requirements: list[Requirement],
    source: str | None,
    *,
    yes: bool,
) -> None:
    """Install into the project of this folder, making one if there is none."""
    from hub_client.cli.recording import Recording  # noqa: PLC0415  (slow)
    from hub_client.project import Project  # noqa: PLC0415

    project = Project.open_or_create(Path.cwd())
    Recording(project, installation, allow_changes=yes).add(requirements, source)


def open_installation(  # noqa: PLR0913  (one a flag)
    session: Session,
    requirements: list[Requirement],
    source: str | None,
    *,
    python: Path | None,
    trust_once: bool = False,
    allow_sdist: list[str] | None = None,
    dry_run: bool = False,
    as_json: bool = False,
) -> Installation:
    """What installs ``requirements`` from ``source``, or from their own sources."""
    from hub_client.cli.installation import Installation  # noqa: PLC0415  (slow)

    sources = None
    if source is not None:
        from hub_client.cli.recording import source_from  # noqa: PLC0415  (slow)

        # A receipt has to say where a folder is, whatever folder it is read in.
        sources = dict.fromkeys(
            (str(each.name) for each in requirements), source_from(None, source)
        )
    installer = session.installer(
        python=python,
        sources=sources,
        trust_all=trust_once,
        sdists=tuple(allow_sdist or ()),
    )
    return Installation(session, installer, dry_run=dry_run, as_json=as_json)


def _is_project(session: Session) -> bool:
    """Whether this folder is a project's, or could be made one by a table."""
    return session.project_folder() is not None or Path("pyproject.toml").is_file()
