"""``hub trust``: whose code may run here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub_client.cli import options
from hub_client.cli.console import report
from hub_client.cli.session import Session

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
        Path | None,
        typer.Option(
            "--require-signature",
            metavar="KEYFILE",
            help="Only if signed by a key of this file: an ssh `.pub` file, or an "
            "exported OpenPGP key.",
        ),
    ] = None,
) -> None:
    """Trust the operators of a source.

    An operator is its publisher's code and runs with your rights, so nothing is
    fetched from a source that is not trusted. Those that ship with hub are. Trust
    is yours: it is kept in your own configuration, and a project cannot give it.

      hub trust add git+https://git.acme.example/ --require-signature acme.pub

    With a key, a release counts only if its commit or its tag is signed by it.
    Given again with another key, either may have signed.
    """
    from hub_client.trust import add_trusted  # noqa: PLC0415  (slow)

    config_dir = session.config().config_dir
    if require_signature is not None:
        from hub_client.signatures import add_required, read_key_file  # noqa: PLC0415

        keys, armored = read_key_file(require_signature)
        # The narrower first: stopped between the two, nothing unsigned is trusted.
        add_required(config_dir, source, keys, armored=armored)
    written = add_trusted(config_dir, source)
    signers = _signers(session, written)
    condition = f", if signed by {signers}" if signers else ""
    session.console.say(f"`{written}` is trusted{condition}")


def remove(session: Session, source: Source) -> int:
    """Trust a source no more.

    What is installed from it stays, until it is uninstalled.
    """
    from hub_client.signatures import remove_required  # noqa: PLC0415  (slow)
    from hub_client.trust import list_trusted, remove_trusted  # noqa: PLC0415

    config_dir = session.config().config_dir
    if remove_trusted(config_dir, source):
        remove_required(config_dir, source)
        session.console.say(f"`{source}` is not trusted any more")
        return 0
    trusted = " and ".join(f"`{entry}`" for entry in list_trusted(config_dir))
    report(
        f"`{source}` is not trusted as such",
        hint=f"Trusted are {trusted}" if trusted else "Nothing but `bundled` is",
    )
    return 1


def list_entries(session: Session, *, as_json: options.Json = False) -> None:
    """List the sources that you trust, and who must sign there.

    `bundled`, what ships with hub, is trusted always and not listed.
    """
    from hub_client.trust import list_trusted  # noqa: PLC0415  (slow)

    entries = list_trusted(session.config().config_dir)
    if as_json:
        session.console.result_json(list(entries))
        return
    for entry in entries:
        signers = _signers(session, entry)
        session.console.result(f"{entry}  if signed by {signers}" if signers else entry)
    if not entries:
        session.console.say("No source is trusted besides `bundled`")


def _signers(session: Session, entry: str) -> str:
    """Whose signature a source needs, in words; empty if nobody's."""
    from hub_client.signatures import SigningKey  # noqa: PLC0415  (slow)

    keys = session.config().required_signatures.get(entry, ())
    return " or ".join(SigningKey.parse(each).signer for each in keys)
