"""What an index is made from: a text file of operators and their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hub_client.git_url import parse_git_url
from hub_client.index.entry import check_source
from hub_client.sources import GIT
from plugin_spec.errors import HubError
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class InvalidListing(HubError, ValueError):
    """A list of operators cannot be read; ``problems`` has each with its line."""

    def __init__(
        self,
        where: str,
        problems: Iterable[str],
        *,
        hint: str = "Write `namespace/name source` on each line; `#` begins a comment",
    ) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"`{where}` is not a list of operators\n{lines}", hint=hint)


class Listed(NamedTuple):
    """An operator, and where its versions are."""

    name: OperatorName
    source: str


def read_listing(file: Path) -> tuple[Listed, ...]:
    """Read a file, as ``parse_listing`` reads its text.

    :raises InvalidListing: also if it is not UTF-8.
    """
    try:
        # Editors of Windows begin a file with a mark.
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidListing(
            str(file), [f"not UTF-8: {error}"], hint="Save it as UTF-8"
        ) from error
    return parse_listing(text, where=str(file))


def parse_listing(text: str, *, where: str) -> tuple[Listed, ...]:
    """Read the list; ``{namespace}`` and ``{name}`` in a source are filled.

    >>> parse_listing("acme/embed hf:acme/{name}  # ours", where="list.txt")[0].source
    'hf:acme/embed'

    :raises InvalidListing: with every problem.
    """
    found: dict[OperatorName, Listed] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        if not (words := line.partition("#")[0].split()):
            continue
        try:
            listed = _parse(words)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
            continue
        if listed.name in found:
            problems.append(f"line {number}: `{listed.name}` is there twice")
        found[listed.name] = listed
    if problems:
        raise InvalidListing(where, problems)
    return tuple(found.values())


def _parse(words: list[str]) -> Listed:
    if len(words) != 2:  # noqa: PLR2004  (a name and a source)
        raise ValueError(f"expected a name and a source, got {' '.join(words)!r}")
    return fill(OperatorName.parse(words[0]), words[1])


def fill(name: OperatorName, source: str) -> Listed:
    """An operator at its source, whose ``{namespace}`` and ``{name}`` are filled.

    >>> from plugin_spec.names import OperatorName
    >>> fill(OperatorName.parse("acme/embed"), "hf:{namespace}/{name}").source
    'hf:acme/embed'

    :raises InvalidSource: if an index cannot have such a source.
    """
    source = source.replace("{namespace}", name.namespace)
    source = source.replace("{name}", name.name)
    if source.startswith(GIT):
        source = f"{GIT}{parse_git_url(source.removeprefix(GIT))}"
    return Listed(name, check_source(source))
