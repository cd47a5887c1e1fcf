"""``hub publish``: a version that others can install."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub_client.cli import options
from hub_client.cli.console import confirm, format_count, format_size, format_table
from hub_client.cli.session import Session
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hub_client.publisher import Target
    from hub_client.publisher.index_target import IndexTarget, IndexUpdate
    from hub_client.publisher.publication import Publication
    from plugin_spec.names import OperatorName


class NotConfirmed(HubError):
    """What cannot be undone was not agreed to."""


class NotIndexed(HubError):
    """A version is published, and an index does not have it."""


def publish(  # noqa: PLR0913  (one a flag)
    session: Session,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[PATH]", help="The operator's folder; this one if not given."
        ),
    ] = Path(),
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="TARGET",
            help="Where it goes: `git+URL` or `hf:ORG/REPO`; {name} is filled in.",
        ),
    ],
    index: Annotated[
        str | None,
        typer.Option(
            "--index",
            metavar="INDEX",
            help="Tell this index too: `index+URL`; see `hub index update`.",
        ),
    ] = None,
    propose: options.Propose = False,
    allow_older: Annotated[
        bool,
        typer.Option(
            "--allow-older", help="Publish although a newer version is published."
        ),
    ] = False,
    sigstore_bundle: Annotated[
        Path | None,
        typer.Option(
            "--sigstore-bundle",
            metavar="FILE",
            help="Attach a sigstore bundle, made of what `--statement` wrote.",
        ),
    ] = None,
    statement: Annotated[
        Path | None,
        typer.Option(
            "--statement",
            metavar="FILE",
            help="As `--dry-run`, and write what a sigstore bundle has to sign.",
        ),
    ] = None,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Check by reading alone; do not run it.")
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Check in a new environment with only what it requires.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and list; publish nothing.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Publish the version that operator.yaml says.

    Others can install it from then on. Its files are checked as `hub check --run`
    does, shown, and sent with the tag vX.Y.Z in one step: if that fails, there is
    no tag. A version never changes; what was wrong with one is mended in the next,
    and `hub yank` withdraws it.

    Of a git work tree its commit is published, and nothing may be uncommitted. What
    .gitignore names stays at home. Your own git or `hf auth login` proves who you
    are: hub keeps no token.

      hub publish --to git+https://git.acme.example/{name}.git
      hub publish --to hf:acme/{name}
      hub publish --to hf:acme/{name} --index index+ssh://git@acme.example/index.git
    """
    from hub_client.conformance import check_repository  # noqa: PLC0415  (slow)
    from hub_client.publisher import open_target  # noqa: PLC0415
    from hub_client.publisher.publication import (  # noqa: PLC0415
        prepare,
        read_manifest,
    )
    from hub_client.publisher.scratch_repository import (  # noqa: PLC0415
        check_identity,
    )
    from hub_client.publisher.workspace import open_workspace  # noqa: PLC0415

    run = _runs(fresh=fresh, no_run=no_run)
    console, cache_dir = session.console, online_cache(session)
    dry_run = dry_run or statement is not None
    name = read_manifest(path).name
    target = open_target(to, name, cache_dir=cache_dir)
    telling = _open_index(index, target, cache_dir, propose=propose)
    if not dry_run:
        # An index is told by a commit.
        if telling:
            check_identity()
        target.check_author(path, signed=sigstore_bundle is not None)
    # Before the check, which may take minutes; with publishing it is asked again.
    contents = target.contents(path, name)
    with open_workspace(cache_dir) as folder:
        with (
            console.working(f"Checking {name}") if run else nullcontext(),
            _telling_of_earlier(telling, name, target, propose=propose),
        ):
            publication = prepare(
                path,
                folder / "files",
                published=target.releases(name),
                allow_older=allow_older,
                check=partial(check_repository, run=run, fresh=fresh),
            )
        target.check(publication)
        publication = _signed(session, publication, target, sigstore_bundle, statement)
        for warning in publication.warnings:
            console.warn(f"{warning.place}: {warning.message}")
        removed = contents.removed_by(publication)
        if not as_json or not (yes or dry_run):
            tell = console.result if dry_run else console.say
            tell(_told(publication, target, removed))
        commit, updated = None, None
        if telling and not as_json:
            console.say(f"`{telling.spec}` is told of it")
        if not dry_run:
            if not target.is_there():
                console.warn(f"`{target.spec}` will be made, and be public")
            _confirm(f"Publish it to `{target.spec}`?", yes=yes)
            with console.working(f"Publishing {publication.name}"):
                commit = target.publish(publication)
            console.say(_done(publication, target, commit))
        if telling and commit:
            updated = _tell_index(session, telling, name, target, propose=propose)
    if as_json:
        result = _to_dict(publication, target, commit)
        result["removed"] = [*removed]
        result["index"] = updated and updated.to_dict()
        console.result_json(result)


def _runs(*, fresh: bool, no_run: bool) -> bool:
    """Whether the operator is run before it is published."""
    from hub_client.conformance import can_run  # noqa: PLC0415  (slow)

    if fresh and no_run:
        raise typer.BadParameter("`--fresh` and `--no-run` contradict each other")
    return fresh or (can_run() and not no_run)


def _signed(
    session: Session,
    publication: Publication,
    target: Target,
    bundle: Path | None,
    statement: Path | None,
) -> Publication:
    """Attach the bundle that there is, or write what one has to sign."""
    if statement is None and bundle is None:
        return publication
    text = target.statement(publication)
    if statement is not None:
        statement.write_bytes(text)
        session.console.say(f"`{statement}` is what to sign with sigstore")
    if bundle is None:
        return publication
    from hub_client.publisher.attached_bundle import (  # noqa: PLC0415  (slow)
        attach_bundle,
    )

    return attach_bundle(publication, bundle, statement=text)


def _open_index(
    index: str | None, target: Target, cache_dir: Path, *, propose: bool
) -> IndexTarget | None:
    """The index that is to be told; it has to answer before anything is published."""
    if index is None:
        if propose:
            raise typer.BadParameter("it is for `--index`", param_hint="`--propose`")
        return None
    from hub_client.publisher.index_target import IndexTarget  # noqa: PLC0415  (slow)

    opened = IndexTarget(index, cache_dir=cache_dir)
    opened.check(target.spec)
    return opened


def _tell_index(
    session: Session,
    index: IndexTarget,
    name: OperatorName,
    target: Target,
    *,
    propose: bool,
) -> IndexUpdate:
    """Update the index, now that the version is published.

    :raises HubError: saying that it is, and how to try again.
    """
    from hub_client.cli.index import tell_update  # noqa: PLC0415  (as it is used)

    try:
        with session.console.working(f"Telling `{index.spec}`"):
            updated = index.update(name, target.spec, propose=propose)
    except HubError as error:
        again = _telling(index, name, target, propose=propose)
        raise NotIndexed(
            f"The version is published, and the index was not told: {error}",
            hint=f"Run `{again}`" + (f". {error.hint}" if error.hint else ""),
        ) from error
    tell_update(session, updated)
    return updated


@contextmanager
def _telling_of_earlier(
    index: IndexTarget | None, name: OperatorName, target: Target, *, propose: bool
) -> Iterator[None]:
    """Say how an index is told of what an earlier try published before it was ended."""
    from hub_client.publisher.publication import VersionTaken  # noqa: PLC0415  (slow)

    try:
        yield
    except VersionTaken as error:
        if index:
            again = _telling(index, name, target, propose=propose)
            error.hint = f"{error.hint}. `{again}` tells the index"
        raise


def _telling(
    index: IndexTarget, name: OperatorName, target: Target, *, propose: bool
) -> str:
    """The command that tells an index of what is published."""
    words = f"hub index update {index.spec} {name} --source {target.spec}"
    return words + " --propose" * propose


def online_cache(session: Session) -> Path:
    """The cache's folder, for a command that changes what others see.

    :raises NotConfirmed: if the user wants no network.
    """
    config = session.config()
    if config.offline:
        raise NotConfirmed(
            "Offline, and publishing takes the network",
            hint="Run again without `--offline`, or with HUB_OFFLINE=0",
        )
    return config.cache_dir


def _told(publication: Publication, target: Target, removed: Sequence[str]) -> str:
    """The files with their sizes, those that go, and what becomes of them."""
    files = publication.snapshot.files
    rows = [
        *((f"  {file.path}", format_size(file.size)) for file in files),
        *((f"- {path}", "removed") for path in removed),
    ]
    total = format_size(sum(file.size for file in files))
    return (
        f"{publication.name} {publication.version} to `{target.spec}` "
        f"as tag `{publication.tag}`\n{format_table(rows)}\n"
        f"{format_count(len(files), 'file')}, {total}"
    )


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    unasked = NotConfirmed(
        "What is published cannot be taken back, and nobody is here to ask",
        hint="Pass `--yes`, or look first with `--dry-run`",
    )
    confirm(question, unasked=unasked)


def _done(publication: Publication, target: Target, commit: str) -> str:
    name = publication.name
    return (
        f"Published {name} {publication.version} as commit {commit[:12]}\n\n"
        f"hint: Others install it with `hub install {name} --source {target.spec}`"
    )


def _to_dict(
    publication: Publication, target: Target, commit: str | None
) -> dict[str, object]:
    return {
        "dry_run": commit is None,
        "name": str(publication.name),
        "version": str(publication.version),
        "target": target.spec,
        "tag": publication.tag,
        "commit": commit,
        "files": [
            {"path": file.path, "size": file.size}
            for file in publication.snapshot.files
        ],
    }
