"""Searching all that is configured: only what an install by that name would bring."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from hub_client.home import expanded
from hub_client.search.catalogue import Card, Catalogue, searched
from hub_client.search.ranking import nearest, respelled, words_of
from hub_client.search.shelves import FolderShelf, IndexShelf, in_words
from hub_client.sources import (
    BUNDLED,
    DIRECTORY,
    GIT,
    HUGGING_FACE,
    HUGGING_FACE_AT,
    INDEX,
    bundled_folder,
)
from hub_client.sources.rules import SourceRules
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hub_client.config import HubConfig
    from hub_client.search.shelves import Shelf, Told


class Unlisted(HubError):
    """A source has an address for each name, and so none that lists its names."""


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

        A source that cannot be read is left out, and told of.

        :param directory: what relative ``dir:`` sources start from.
        :param refresh: whether servers are asked in any case.
        :param told: told what was left out or is old.
        """
        rules = SourceRules(config.sources)
        found = {}
        for spec in rules.specs():
            try:
                if shelf := _shelf(spec, config, directory):
                    found[spec] = shelf.open(refresh=refresh, told=told)
            except (HubError, OSError) as error:
                told.warn(not_searched(spec, config.sources, error))
        return cls(rules, {**_named(rules), **found})

    def find(self, text: str) -> Iterator[str]:
        """Lines of cards in which every word is found, in any order."""
        words = words_of(text)
        for spec, catalogue in self.catalogues.items():
            for line in catalogue.mentioning(words) if words else ():
                if self.answers(spec, searched(line)[0]):
                    yield line

    def nearest(self, text: str) -> list[str]:
        """Up to three names that look like the text, or else it, spelled otherwise.

        What is given finds something.
        """
        lines = [
            line
            for spec, catalogue in self.catalogues.items()
            for (name, _), line in catalogue.stamped().items()
            if self.answers(spec, name)
        ]
        if names := nearest(text, (searched(line)[0] for line in lines)):
            return names
        otherwise = respelled(text, lines)
        return [otherwise] if any(self.find(otherwise)) else []

    def answers(self, spec: str, name: str) -> bool:
        """Whether a rule leads from the name to the source."""
        namespace, _, second = name.partition("/")
        return self.rules.spec_of(namespace, second) == spec


def not_searched(
    spec: str, sources: Mapping[str, str], error: HubError | OSError
) -> str:
    """That a source is left out, by the rule that leads to it, and why."""
    pattern = next(pattern for pattern, each in sources.items() if each == spec)
    return f"The source of `{pattern}` is not searched: {in_words(error)}"


def _shelf(spec: str, config: HubConfig, directory: Path | None) -> Shelf | None:
    """What holds the operators of a source; None if it cannot list them.

    :raises InvalidSource: if it is none.
    :raises Unlisted: if its address depends on names that no rule tells.
    """
    if spec.startswith((GIT, HUGGING_FACE, HUGGING_FACE_AT)):
        return None
    if spec.startswith((DIRECTORY, INDEX)) and (
        "{namespace}" in spec or "{name}" in spec
    ):
        patterns = (pattern for pattern, each in config.sources.items() if each == spec)
        if any(pattern.endswith("*") for pattern in patterns):
            raise Unlisted(
                "its address depends on the name",
                hint="`hub info NAME` looks there for one that you know",
            )
        return None
    if spec.startswith(INDEX):
        return IndexShelf(spec, config.cache_dir, config.offline)
    if spec == BUNDLED:
        return FolderShelf(spec, bundled_folder(), config.cache_dir)
    if spec.startswith(DIRECTORY):
        path = (directory or Path.cwd()) / expanded(spec.removeprefix(DIRECTORY))
        return FolderShelf(spec, path, config.cache_dir)
    from hub_client.sources.router import check_spec  # noqa: PLC0415  (it refuses it)

    check_spec(spec)
    return None


def _named(rules: SourceRules) -> dict[str, Catalogue]:
    """Names with a rule of their own: of some, no more than that is known."""
    cards = defaultdict(list)
    for name in sorted(rules.names()):
        if spec := rules.source_spec(name):
            cards[spec].append(Card(str(name), "", "", (), spec))
    return {spec: Catalogue.of(each) for spec, each in cards.items()}
