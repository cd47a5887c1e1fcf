"""Whether operators may come at all: asked before anything of them is fetched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from hub_client.trust import UntrustedPublisher, check_within, find_untrusted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from hub_client.candidate import Candidate, Fetchable
    from hub_client.config import HubConfig
    from hub_client.signatures import Signature
    from hub_client.sources.router import SourceRouter
    from plugin_spec.names import OperatorName

T = TypeVar("T", bound="Fetchable")


def admit(  # noqa: PLR0913  (each is another who has a say)
    operators: Sequence[T],
    config: HubConfig,
    *,
    router: SourceRouter | None = None,
    directory: Path | None,
    once: Callable[[T], object] | None = None,
    here: Collection[OperatorName] = (),
    warn: Callable[[str], object] = lambda _: None,
) -> dict[OperatorName, Signature]:
    """Refuse operators that the project, or the user, does not want.

    What the project rules out stays so: nobody's trust makes up for it.

    :param router: says what became of indexed versions, and gives what may be signed;
        needed if signatures are required.
    :param directory: what relative ``dir:`` sources start from.
    :param once: told every operator that is trusted for this run alone; None to refuse
        what the user does not trust.
    :param here: those that are installed, with these very files: nothing comes of them
        that would have to be trusted again.
    :param warn: told each version that was withdrawn after an index saw it.
    :returns: that of each operator of a source whose signature is required.
    :raises OutsideProject: if the project rules one out.
    :raises UntrustedPublisher: if the user trusts one's source neither now nor always.
    :raises TagMoved: if one's tag is not where an index saw it.
    :raises SignatureRefused: if a signature is required, and is not there.
    """
    if config.narrowed is not None:
        check_within(operators, config.narrowed, directory=directory)
    coming = [each for each in operators if each.name not in here]
    untrusted = find_untrusted(coming, config.trusted, directory=directory)
    if untrusted and once is None:
        raise UntrustedPublisher(untrusted)
    for operator, _ in untrusted:
        assert once is not None
        once(operator)
    if router is not None:
        for withdrawn in router.check_indexed(operators):
            warn(withdrawn)
    if not config.required_signatures:
        return {}
    assert router is not None
    return {
        each.name: signature
        for each in operators
        if (
            signature := find_signature(
                each, config, router=router, directory=directory
            )
        )
    }


def with_signed_trees(
    candidates: Iterable[Candidate], signatures: Mapping[OperatorName, Signature]
) -> tuple[Candidate, ...]:
    """The candidates, whose files must have the digests that were signed."""

    def signed(candidate: Candidate) -> Candidate:
        signature = signatures.get(candidate.name)
        if signature is None or signature.tree is None:
            return candidate
        return replace(
            candidate, release=replace(candidate.release, tree=signature.tree)
        )

    return tuple(map(signed, candidates))


def find_signer(
    operator: Fetchable,
    config: HubConfig,
    *,
    router: SourceRouter,
    directory: Path | None,
) -> str | None:
    """Who signed an operator, as ``find_signature`` finds it."""
    found = find_signature(operator, config, router=router, directory=directory)
    return found and found.signer


def find_signature(
    operator: Fetchable,
    config: HubConfig,
    *,
    router: SourceRouter,
    directory: Path | None,
) -> Signature | None:
    """The signature of an operator; None if the user requires none of its source.

    :raises SignatureRefused: if nobody did whom the user named.
    """
    from hub_client.signatures import (  # noqa: PLC0415  (seldom)
        keys_for,
        root_for,
        verify_release,
    )

    required = config.required_signatures
    keys = keys_for(operator.source, required, directory=directory)
    if keys is None:
        return None
    roots = config.trusted_roots
    return verify_release(
        operator,
        router.signed(operator),
        keys,
        config_dir=config.config_dir,
        trusted_root=root_for(operator.source, required, roots, directory=directory),
    )
