"""``hub cache``: where downloaded things lie."""

from __future__ import annotations

from hub_client.cli.session import Session


def directory(session: Session) -> None:
    """Print the folder of the cache.

    Trees of operators, mirrors of git repositories and what else can be fetched
    again. Every environment shares it. Set HUB_CACHE_DIR to have it elsewhere.
    """
    session.console.result(str(session.config().cache_dir))
