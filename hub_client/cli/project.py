"""``hub add``, ``remove``, ``lock``, ``sync``: an environment that a file decides."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from hub_client.cli import options
from hub_client.cli.completion import needed_names
from hub_client.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub_client.cli.installation import Installation
    from hub_client.cli.recording import Recording
    from hub_client.lockfile import Lockfile
    from hub_client.lockfile.changes import LockChange
    from hub_client.project import Project
    from plugin_spec.manifest import Weights
    from plugin_spec.names import OperatorName

Locked: TypeAlias = Annotated[
    bool, typer.Option("--locked", help="Fail if the lock does not match the project.")
]
WithWeights: TypeAlias = Annotated[
    bool,
    typer.Option("--weights", help="Fetch the weights that the lock pins as well."),
]
From: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DIR|URL",
        help="Take everything from this bundle, and from nowhere else.",
    ),
]
Check: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--check", "--locked", help="Write nothing; fail if it would be another lock."
    ),
]
Upgrade: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--upgrade", help="Take the newest versions that fit, of NAME or of everything."
    ),
]
Upgraded: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]…",
        help="With --upgrade: only these operators and Python packages.",
        autocompletion=needed_names,
    ),
]


def add(  # noqa: PLR0913  (one a flag)
    session: Session,
    *,
    requirements: options.Requirements,
    python: options.Python = None,
    source: options.Source = None,
    trust_once: options.TrustOnce = False,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Add operators to the project, lock it, and install them.

      hub add "image-embedding/timm>=1,<2"
      hub add acme/embed --source git+https://git.acme.example/embed.git

    The project is the nearest hub.toml, or pyproject.toml with `[tool.hub]`. If
    there is none, this folder becomes one. Comments and layout stay.
    """
    from hub_client.cli.install import (  # noqa: PLC0415
        open_installation,
        read_requirements,
        record,
    )

    wanted = read_requirements(requirements)
    session.project()  # one that does not read is told as every other command does
    installation = open_installation(
        session,
        wanted,
        source,
        python=python,
        trust_once=trust_once,
        dry_run=dry_run,
        as_json=as_json,
    )
    record(installation, wanted, source, yes=yes)


def remove(
    session: Session,
    *,
    names: options.Names,
    python: options.Python = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Take operators out of the project and its lock, and uninstall them.

    What another operator still needs stays. Python packages stay.
    """
    from plugin_spec.names import OperatorName  # noqa: PLC0415  (slow)

    recording = _open(session, python=python, dry_run=dry_run, as_json=as_json)
    recording.remove([OperatorName.parse(name) for name in names])


def lock(  # noqa: PLR0913  (one a flag)
    session: Session,
    names: Upgraded = None,
    *,
    check: Check = False,
    upgrade: Upgrade = False,
    trust_once: options.TrustOnce = False,
    as_json: options.Json = False,
) -> None:
    """Write hub.lock: everything that the project needs, pinned.

    Operators by commit and digest, Python packages by version and hashes, for
    every platform. Versions that were locked are kept as long as they fit, and what
    changes is told.

      hub lock --upgrade image-embedding/timm
    """
    if names and not upgrade:
        raise typer.BadParameter("names are for `--upgrade`", param_hint="NAME")
    from hub_client.cli.lock_file import (  # noqa: PLC0415  (slow)
        NotUpgraded,
        current_lock,
        lock_is_written,
    )
    from hub_client.lockfile import Lockfile  # noqa: PLC0415
    from hub_client.lockfile.changes import lock_changes  # noqa: PLC0415

    recording = _open(session, trust_once=trust_once)
    project = recording.project
    before = _read_lock(project)
    if check:
        locked = current_lock(project)
    if upgrade or not check:
        locked = recording.locked(project, upgrade=upgrade, names=names or ())
    changed = not lock_is_written(project, locked)
    changes = tuple(lock_changes(before or Lockfile((), (), ()), locked))
    if changed and upgrade and check:
        raise NotUpgraded(project, changes, names or ())
    if changed and not check:
        recording.write_lock(project, locked)
    if before and changes and not as_json:
        session.console.say("\n".join(map(str, changes)))
    done = "Wrote" if changed and not check else "Nothing to change in"
    if as_json:
        session.console.result_json(_lock_to_dict(locked, changes))
    else:
        session.console.say(f"{done} `{project.lock_path.name}`")


def sync(  # noqa: PLR0913  (one a flag)
    session: Session,
    *,
    python: options.Python = None,
    locked: Locked = False,
    frozen: options.Frozen = False,
    weights: WithWeights = False,
    bundle: From = None,
    trust_once: options.TrustOnce = False,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Make the environment match the lock, exactly.

    A lock that is stale is written anew first, unless `--locked` or `--frozen`
    forbids that. Operators that it does not pin are removed. Python packages
    become the pinned versions; others stay.

    `--from` installs what `hub bundle` or `hub mirror` made, with its weights. It
    needs a lock that matches the project, and checks every byte against it.
    """
    from hub_client.cli.lock_file import current_lock  # noqa: PLC0415  (slow)
    from hub_client.lockfile import Lockfile  # noqa: PLC0415

    if locked and frozen:
        raise typer.BadParameter("`--locked` and `--frozen` contradict each other")
    recording = _open(
        session,
        python=python,
        trust_once=trust_once,
        dry_run=dry_run,
        as_json=as_json,
        lock_alone=frozen,
    )
    project = recording.project
    if bundle is not None:
        from hub_client.cli.syncing_from import check_lock_is_here  # noqa: PLC0415

        check_lock_is_here(project, bundle)
    if frozen:
        pinned = Lockfile.load(project.lock_path)
    elif locked or bundle is not None:
        pinned = current_lock(project)
    else:
        if project.lock_path.exists():
            Lockfile.load(project.lock_path)  # only `hub lock` replaces a damaged one
        pinned = recording.locked(project)
        if not dry_run:
            recording.write(project, pinned)
    installation = recording.installation
    if bundle is not None:
        from hub_client.cli.syncing_from import BundleSync  # noqa: PLC0415  (slow)

        from_bundle = BundleSync.open(bundle, pinned, installation)
        from_bundle.carry_out(_roots(project, pinned), weights=weights)
        return
    plan = installation.installer.plan_sync(pinned, roots=_roots(project, pinned))
    wanted = _wanted_weights(pinned) if weights else []
    if plan.is_empty and not as_json:
        session.console.say(f"The environment matches `{project.lock_path.name}`")
        plan = replace(plan, keep=())
    installation.carry_out(
        plan, then=lambda: _fetch_weights(installation, pinned, wanted)
    )


def _wanted_weights(lock: Lockfile) -> list[Weights]:
    """Every file of weights that a lock names.

    :raises NotPinned: if it pins none of them.
    """
    from hub_client.weights import check_pinned, is_pinned  # noqa: PLC0415  (slow)

    wanted = [each for operator in lock.operators for each in operator.weights]
    if not any(map(is_pinned, wanted)):
        check_pinned(*wanted)
    return wanted


def _fetch_weights(
    installation: Installation, lock: Lockfile, wanted: list[Weights]
) -> None:
    """Bring weights of operators that are here.

    :raises ForeignWeights: before anything is fetched, if one does not ask for them.
    :raises NotPinned: once all that the lock pins are here, naming the others.
    """
    if not wanted:
        return
    from hub_client.cli.console import format_count  # noqa: PLC0415  (as it is used)
    from hub_client.cli.progress import Silent  # noqa: PLC0415
    from hub_client.installed import find_installed  # noqa: PLC0415  (slow)
    from hub_client.side_by_side import side_by_side  # noqa: PLC0415
    from hub_client.sources.hugging_face_client import AT_ONCE  # noqa: PLC0415
    from hub_client.transfer import transfer  # noqa: PLC0415
    from hub_client.weights import (  # noqa: PLC0415
        check_pinned,
        check_weights,
        fetch_weights,
        is_pinned,
    )

    installer, console = installation.installer, installation.session.console
    for operator in lock.operators:
        if here := find_installed(
            operator.name, installer.environment, installer.store
        ):
            check_weights(operator, here.manifest)
    # Two operators, or two options of one, may load the same file.
    files_of = {
        (each.repo, each.file, each.revision, each.sha256): each for each in wanted
    }
    pinned, text = [*filter(is_pinned, files_of.values())], "Fetching weights"
    size, offline = sum(each.size or 0 for each in pinned), installer.config.offline
    # A terminal shows the bytes, a log the files.
    files = nullcontext(Silent()) if console.is_live else console.working(text)
    with files as progress, transfer(text, size) as advance:

        def fetch(weights: Weights) -> None:
            progress.tell(f"{weights.repo}/{weights.file}")
            fetch_weights(weights, offline=offline, advance=advance)

        side_by_side(fetch, pinned, AT_ONCE)
    are = "is" if len(pinned) == 1 else "are"
    console.say(f"{format_count(len(pinned), 'file')} of weights {are} here")
    check_pinned(*wanted)


def _roots(project: Project, lock: Lockfile) -> set[OperatorName]:
    """What the project asks for; of a lock alone, what it says was asked for."""
    return {each.name for each in project.operators or lock.asked}


def _open(  # noqa: PLR0913  (one a flag)
    session: Session,
    *,
    python: Path | None = None,
    trust_once: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
    lock_alone: bool = False,
) -> Recording:
    """The project of this folder, and what changes its environment.

    :param lock_alone: whether the lock is enough, as in a container image.
    :raises NoProject: if there is none.
    """
    from hub_client.cli.install import open_installation  # noqa: PLC0415  (slow)
    from hub_client.cli.lock_file import NoProject  # noqa: PLC0415
    from hub_client.cli.recording import Recording  # noqa: PLC0415
    from hub_client.project import Project  # noqa: PLC0415

    project = session.project()
    if project is None and lock_alone:
        project = Project.open_or_create(Path.cwd())
    if project is None:
        raise NoProject
    installation = open_installation(
        session,
        [],
        None,
        python=python,
        trust_once=trust_once,
        dry_run=dry_run,
        as_json=as_json,
    )
    return Recording(project, installation)


def _read_lock(project: Project) -> Lockfile | None:
    """What the lock pins, or both sides of a merge in it; None if there is neither.

    What is wrong with it is told elsewhere.

    :raises NewerLockfile: if it is of a later format.
    """
    from hub_client.cli.lock_file import unmerged  # noqa: PLC0415  (slow)
    from hub_client.lockfile import InvalidLockfile, Lockfile  # noqa: PLC0415

    try:
        return Lockfile.load(project.lock_path)
    except InvalidLockfile:
        return unmerged(project.lock_path)


def _lock_to_dict(lock: Lockfile, changes: Iterable[LockChange]) -> dict[str, object]:
    return {
        "operators": {str(each.name): str(each.version) for each in lock.operators},
        "packages": len(lock.packages),
        "changes": [each for change in changes for each in change.to_dicts()],
    }
