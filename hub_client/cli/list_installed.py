"""``hub list``: what is installed."""

from __future__ import annotations

from hub_client.cli import options
from hub_client.cli.console import format_table
from hub_client.cli.session import Session


def list_installed(
    session: Session, *, python: options.Python = None, as_json: options.Json = False
) -> None:
    """List the operators that are installed.

    Each with its version and where it came from. Those that another operator
    brought are marked with its name.
    """
    receipts = session.environment(python).receipts()
    if as_json:
        session.console.result_json([receipt.to_dict() for receipt in receipts])
        return
    if not receipts:
        session.console.say(
            "No operator is installed\n\nhint: `hub install NAME` installs one"
        )
        return
    askers = {
        needed: receipt.name for receipt in receipts for needed in receipt.dependencies
    }
    rows = [
        (
            str(each.name),
            str(each.version),
            each.source,
            ""
            if each.requested or each.name not in askers
            else f"for {askers[each.name]}",
        )
        for each in receipts
    ]
    session.console.result(format_table(rows))
