"""What would be trusted, as a person can judge it: told before any of it is run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from hub_client.candidate import Candidate
from hub_client.cli.console import format_count, format_size
from hub_client.listed_file import list_folder
from hub_client.sources.silent_hosts import SilentHosts
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hub_client.cli.console import Console
    from hub_client.listed_file import AnyFile
    from hub_client.lockfile import LockedOperator
    from hub_client.sources.router import SourceRouter
    from hub_client.store import Store

_SHOWN = 20
"""How many files are named; code comes first."""


@dataclass(slots=True)
class TrustOnce:
    """Tells each operator once, however often it is asked for."""

    console: Console
    router: SourceRouter
    store: Store
    until: str = ", this once"
    """How long it will be trusted; empty for ever."""
    _told: set[tuple[str, str]] = field(default_factory=set)
    _hosts: SilentHosts = field(default_factory=SilentHosts)

    def tell(self, operator: Candidate | LockedOperator) -> None:
        """Say whose code would come, from where, and which."""
        key = (str(operator.name), operator.release.revision)
        if key not in self._told:
            self._told.add(key)
            self.console.say("\n".join(self._lines(operator)))

    def _lines(self, operator: Candidate | LockedOperator) -> Iterator[str]:
        version = operator.release.version
        yield f"Trusting {operator.name} {version}{self.until}"
        yield f"  from     {operator.source}"
        yield f"  revision {operator.release.revision}"
        yield f"  packages {', '.join(_packages(operator)) or 'none'}"
        try:
            yield from _listed(self._files(operator))
        except HubError as error:
            reason, *more = str(error).splitlines()
            yield f"  files    cannot be listed: {reason}"
            yield from (f"    {each.strip()}" for each in more[:_SHOWN])

    def _files(self, operator: Candidate | LockedOperator) -> Sequence[AnyFile]:
        """What would come: as the store has it, or else as its source lists it."""
        tree = operator.release.tree
        if tree is not None and self.store.has(tree):
            return list_folder(self.store.path(tree))
        return self._hosts.ask(operator.source, partial(self.router.files, operator))


def _packages(operator: Candidate | LockedOperator) -> tuple[str, ...]:
    """The Python packages that it asks for, as a terminal may show them."""
    asked = (
        sorted(map(str, operator.manifest.packages))
        if isinstance(operator, Candidate)
        else operator.packages
    )
    return tuple("".join(filter(str.isprintable, each)) for each in asked)


def _listed(files: Sequence[AnyFile]) -> Iterator[str]:
    sizes = [each.size for each in files if each.size is not None]
    total = f", {format_size(sum(sizes))}" if len(sizes) == len(files) else ""
    yield f"  files    {format_count(len(files), 'file')}{total}"
    ordered = sorted(files, key=lambda each: (not each.path.endswith(".py"), each.path))
    for each in ordered[:_SHOWN]:
        size = "" if each.size is None else f"  {format_size(each.size)}"
        yield f"    {each.path}{size}"
    if rest := ordered[_SHOWN:]:
        yield f"    … and {format_count(len(rest), 'file')} more"
