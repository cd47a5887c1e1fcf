"""Searching all that is configured: only what an install by that name would bring."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from hub_client.search.catalogue import Card, Catalogue, searched
from hub_client.search.ranking import nearest, words_of
from hub_client.search.shelves import FolderShelf, IndexShelf
from hub_client.sources import BUNDLED, DIRECTORY, INDEX, bundled_folder
from hub_client.sources.rules import SourceRules
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hub_client.config import HubConfig
    from hub_client.search.shelves import Shelf, Told


@dataclass(frozen=True, slots=True)
class Library:
    """Catalogues by their source, and the rules on which source answers for a name."""

    rules: SourceRules
    catalogues: Mapping[str, Catalogue]

    @classmethod
    def load(
        cls,
        config: HubConfig,
        *,
        directory: Path | None,
        refresh: bool,
        told: Told,
    ) -> Self:
        """Read the catalogue of every source that lists its operators.

        A source that cannot be read is left out.

        :param directory: what relative ``dir:`` sources start from.
        :param refresh: whether servers are asked in any case.
        :param told: told what was left out or is old.
        """
        rules = SourceRules(config.sources)
        found = {}
        for spec in rules.specs():
            if (shelf := _shelf(spec, config, directory)) is None:
                continue
            try:
                found[spec] = shelf.open(refresh=refresh, told=told)
            except HubError as error:
                told.warn(str(error))
        return cls(rules, {**_named(rules), **found})

    def find(self, text: str) -> Iterator[str]:
        """Lines of cards in which every word is found, in any order."""
        words = words_of(text)
        for spec, catalogue in self.catalogues.items():
            for line in catalogue.mentioning(words) if words else ():
                if self.answers(spec, searched(line)[0]):
                    yield line

    def nearest(self, text: str) -> list[str]:
        """Up to three names that look like the text."""
        names = (
            (spec, name)
            for spec, catalogue in self.catalogues.items()
            for name in catalogue.names()
        )
        return nearest(text, (n for spec, n in names if self.answers(spec, n)))

    def answers(self, spec: str, name: str) -> bool:
        """Whether a rule leads from the name to the source."""
        namespace, _, second = name.partition("/")
        return self.rules.spec_of(namespace, second) == spec


def _shelf(spec: str, config: HubConfig, directory: Path | None) -> Shelf | None:
    """What holds the operators of a source; None if it cannot list them."""
    if spec.startswith(INDEX):
        return IndexShelf(spec, config.cache_dir, config.offline)
    if spec == BUNDLED:
        return FolderShelf(spec, bundled_folder(), config.cache_dir)
    if spec.startswith(DIRECTORY) and "{" not in spec:
        path = Path(spec.removeprefix(DIRECTORY)).expanduser()
        return FolderShelf(spec, (directory or Path.cwd()) / path, config.cache_dir)
    return None


def _named(rules: SourceRules) -> dict[str, Catalogue]:
    """Names with a rule of their own: of some, no more than that is known."""
    cards = defaultdict(list)
    for name in sorted(rules.names()):
        if spec := rules.source_spec(name):
            cards[spec].append(Card(str(name), "", "", (), spec))
    return {spec: Catalogue.of(each) for spec, each in cards.items()}
