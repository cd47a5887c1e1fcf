"""``hub trust``: whose code may run here."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub_client.cli import options
from hub_client.cli.console import report
from hub_client.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub_client.candidate import Candidate
    from hub_client.lockfile import LockedOperator
    from hub_client.project import Project
    from hub_client.sources.router import SourceRouter

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="As in configuration, or its beginning up to a `/`: "
        "`git+https://git.acme.example/`, `dir:/srv/operators`.",
    ),
]


def add(
    session: Session,
    source: Source,
    *,
    require_signature: Annotated[
        str | None,
        typer.Option(
            "--require-signature",
            metavar="SIGNER",
            help="Only if signed by a key of this file: an ssh `.pub` file, or an "
            "exported OpenPGP key; or by `sigstore:IDENTITY@ISSUER`.",
        ),
    ] = None,
    trusted_root: Annotated[
        Path | None,
        typer.Option(
            "--trusted-root",
            metavar="FILE",
            help="Of a sigstore of your own, in place of the public one.",
        ),
    ] = None,
) -> None:
    """Trust the operators of a source.

    An operator is its publisher's code and runs with your rights, so of a source
    that is not trusted only manifests are read. Those that ship with hub are. Trust
    is yours: it is kept in your own configuration, and a project cannot give it.

      hub trust add git+https://git.acme.example/ --require-signature acme.pub

    In a project, what it takes from there is shown first: versions, Python packages
    and files.

    With a key, a release counts only if its commit or its tag is signed by it;
    with an identity, if its sigstore bundle is. Given again with another, either
    may have signed.
    """
    from hub_client.trust import add_trusted, check_entry, locate  # noqa: PLC0415

    config_dir = session.config().config_dir
    require = _requirement(require_signature, trusted_root)
    _tell_code(session, check_entry(locate(source, Path.cwd())))
    # The narrower first: stopped between the two, nothing unsigned is trusted.
    require(config_dir, source)
    written = add_trusted(config_dir, source)
    signers = _signers(session, written)
    condition = f", if signed by {_either(signers)}" if signers else ""
    session.console.say(f"`{written}` is trusted{condition}")


def _tell_code(session: Session, entry: str) -> None:
    """Show which operators of this project are from there, as far as that is known."""
    from hub_client.cli.trust_once import TrustOnce  # noqa: PLC0415  (slow)
    from hub_client.trust import covers, locate  # noqa: PLC0415

    project = session.project()
    if project is None:
        return
    router, folder = session.router(), session.project_folder()
    announcer = TrustOnce(session.console, router, session.store(), until="")
    with session.console.working("Asking what this project takes from there"):
        for operator in _of_project(project, router):
            if covers(entry, locate(operator.source, folder)):
                announcer.tell(operator)


def _of_project(
    project: Project, router: SourceRouter
) -> Sequence[LockedOperator | Candidate]:
    """What the project's lock pins, or what locking it would choose."""
    from hub_client.locker import oldest_python  # noqa: PLC0415
    from hub_client.lockfile import Lockfile  # noqa: PLC0415  (slow)
    from hub_client.resolver import resolve  # noqa: PLC0415
    from plugin_spec.errors import HubError  # noqa: PLC0415

    try:
        if project.lock_path.exists():
            lock = Lockfile.load(project.lock_path)
            if not project.is_stale(lock):
                return lock.operators
        python = oldest_python(project.requires_python)
        return resolve(project.operators, router, python=python).candidates
    except HubError:
        return ()  # what is wrong there is no matter of trust


def _requirement(
    signer: str | None, trusted_root: Path | None
) -> Callable[[Path, str], None]:
    """What requires a signature of a source, once its signer has been read."""
    if signer is None:
        if trusted_root is not None:
            raise typer.BadParameter(
                "it is for `--require-signature sigstore:…`",
                param_hint="`--trusted-root`",
            )
        return lambda _config_dir, _source: None
    from hub_client.signatures import (  # noqa: PLC0415  (slow)
        SigstoreIdentity,
        add_required,
        read_key_file,
        read_trusted_root,
    )
    from hub_client.signatures.sigstore_identity import PREFIX  # noqa: PLC0415

    if signer.startswith(PREFIX):
        identity = SigstoreIdentity.parse(signer)
        root = None if trusted_root is None else read_trusted_root(trusted_root)
        return partial(add_required, keys=(identity,), trusted_root=root)
    if trusted_root is not None:
        raise typer.BadParameter(
            "a key has none: it is for `sigstore:…`", param_hint="`--trusted-root`"
        )
    keys, armored = read_key_file(Path(signer))
    return partial(add_required, keys=keys, armored=armored)


def remove(session: Session, source: Source) -> int:
    """Trust a source no more.

    What is installed from it stays, until it is uninstalled.
    """
    from hub_client.signatures import remove_required  # noqa: PLC0415  (slow)
    from hub_client.trust import (  # noqa: PLC0415
        list_trusted,
        remove_trusted,
        spelled,
    )

    config_dir = session.config().config_dir
    required = _signers(session, spelled(source))
    if remove_trusted(config_dir, source):
        remove_required(config_dir, source)
        _tell_removed(session, source, required)
        return 0
    trusted = " and ".join(f"`{entry}`" for entry in list_trusted(config_dir))
    report(
        f"`{source}` is not trusted as such",
        hint=f"Trusted are {trusted}" if trusted else "Nothing but `bundled` is",
    )
    return 1


def _tell_removed(session: Session, source: str, required: list[str]) -> None:
    """Say what trusting a source no more comes to, which may be nothing."""
    from hub_client.trust import covers, list_trusted, spelled  # noqa: PLC0415  (slow)

    entries = list_trusted(session.config().config_dir)
    wider = [each for each in entries if covers(spelled(each), spelled(source))]
    if not wider:
        session.console.say(f"`{source}` is not trusted any more")
        return
    signers = _signers(session, spelled(source))
    condition = f", if signed by {_either(signers)}" if signers else ""
    if required and not signers:
        condition = f", and now without a signature of {_either(required)}"
    session.console.warn(f"`{source}` stays trusted, as `{wider[0]}` is{condition}")


def list_entries(session: Session, *, as_json: options.Json = False) -> None:
    """List the sources that you trust, and who must sign there.

    `bundled`, what ships with hub, is trusted always and not listed.
    """
    from hub_client.trust import list_trusted  # noqa: PLC0415  (slow)

    entries = list_trusted(session.config().config_dir)
    signers = {entry: _signers(session, entry) for entry in entries}
    if as_json:
        session.console.result_json(
            [{"source": entry, "signers": signers[entry]} for entry in entries]
        )
        return
    for entry in entries:
        condition = f"  if signed by {_either(signers[entry])}"
        session.console.result(f"{entry}{condition if signers[entry] else ''}")
    if not entries:
        session.console.say("No source is trusted besides `bundled`")


def _signers(session: Session, entry: str) -> list[str]:
    """Whose signature a source needs; any one of them will do.

    An entry that is no source needs none, so that it is listed and can be removed.
    """
    from hub_client.git_url import InvalidGitUrl  # noqa: PLC0415  (slow)
    from hub_client.signatures import keys_for  # noqa: PLC0415

    required = session.config().required_signatures
    with suppress(InvalidGitUrl):
        return [each.signer for each in keys_for(entry, required) or ()]
    return []


def _either(signers: list[str]) -> str:
    return " or ".join(signers)
