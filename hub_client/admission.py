"""Whether operators may come at all: asked before anything of them is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hub_client.trust import UntrustedPublisher, check_within, find_untrusted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hub_client.candidate import Fetchable
    from hub_client.config import HubConfig

T = TypeVar("T", bound="Fetchable")


def admit(
    operators: Sequence[T],
    config: HubConfig,
    *,
    directory: Path | None,
    once: Callable[[T], object] | None = None,
) -> None:
    """Refuse operators that the project, or the user, does not want.

    What the project rules out stays so: nobody's trust makes up for it.

    :param directory: what relative ``dir:`` sources start from.
    :param once: told every operator that is trusted for this run alone; None to refuse
        what the user does not trust.
    :raises OutsideProject: if the project rules one out.
    :raises UntrustedPublisher: if the user trusts one's source neither now nor always.
    """
    if config.narrowed is not None:
        check_within(operators, config.narrowed, directory=directory)
    untrusted = find_untrusted(operators, config.trusted, directory=directory)
    if untrusted and once is None:
        raise UntrustedPublisher(untrusted)
    for operator, _ in untrusted:
        assert once is not None
        once(operator)
