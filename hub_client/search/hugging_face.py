"""Searching Hugging Face: its own search finds repositories, and each is read a little.

Nothing is downloaded but the manifest of the newest version.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hub_client.search.catalogue import Card, newest
from hub_client.search.shelves import in_words
from hub_client.side_by_side import side_by_side
from hub_client.sources import (
    HUGGING_FACE,
    HUGGING_FACE_AT,
    MANIFEST_FILE,
    MANIFEST_SIZE_LIMIT,
)
from hub_client.sources.hugging_face import (
    InvalidRepository,
    list_tags,
    parse_spec,
)
from hub_client.sources.hugging_face_client import (
    FileGone,
    HuggingFaceRepository,
    RepositoryRefused,
    ServerUnreachable,
    endpoint,
)
from hub_client.sources.hugging_face_transfer import TooMuch, UnsafeAnswer
from hub_client.sources.version_tags import read_releases
from plugin_spec.errors import HubError, InvalidManifest
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TAG: Final = "towhee-operator"
"""What a repository's card is tagged with; ``hub init`` writes it."""
_MOST: Final = 20
_AT_ONCE: Final = 8
_BORNE: Final = 3
"""How often a server may fail before it is asked no more: one repository may be ill."""
_PATIENCE: Final = 5.0
"""Seconds that a server may be silent: whoever searches looks on."""
_NO_OPERATOR: Final = (
    FileGone,
    InvalidManifest,
    RepositoryRefused,
    TooMuch,
    UnsafeAnswer,
)
"""What is said of a repository that holds none, or may not be read."""


class Place(NamedTuple):
    """A server, and whose repositories there; None for everyone's."""

    server: str
    organization: str | None = None


def everywhere() -> Place:
    """All of the server that ``hf:`` stands for."""
    return Place(endpoint())


def place_of(spec: str) -> Place:
    """Where a source leads that is at Hugging Face.

    >>> place_of("hf+https://hub.example.org/acme/{name}")
    Place(server='https://hub.example.org', organization='acme')

    :raises InvalidRepository: if it leads nowhere.
    """
    # What a placeholder stands for does not matter here.
    filled = spec.replace("{namespace}", "0-0").replace("{name}", "x")
    repository = parse_spec(filled)
    organization = repository.name.partition("/")[0]
    known = None if "0-0" in organization else organization
    return Place(repository.endpoint, known)


def as_spelled(card: Card, spec: str | None) -> Card | None:
    """The card, its source written as ``spec``; None if that is another source.

    >>> found = Card("acme/a", "", "MIT", (), "hf:acme/a")
    >>> as_spelled(found, "hf+https://huggingface.co/acme/a").source
    'hf+https://huggingface.co/acme/a'
    """
    if spec is None or not spec.startswith((HUGGING_FACE, HUGGING_FACE_AT)):
        return None
    with suppress(InvalidRepository):
        if parse_spec(spec) == parse_spec(card.source):
            return card._replace(source=spec)
    return None


def search_places(
    text: str, places: Iterable[Place], warn: Callable[[str], object]
) -> Iterator[tuple[Place, Card]]:
    """Operators that servers find, each with where it was looked for.

    What one server does not say hides nothing that others do; one that says nothing is
    asked once.

    :param warn: told of a server that does not answer.
    """
    silent: set[str] = set()
    for place in places:
        if place.server in silent:
            continue
        found = 0
        try:
            for found, card in enumerate(search_hub(text, place), 1):  # noqa: B007
                yield place, card
        except HubError as error:
            if not found:
                silent.add(place.server)
            warn(f"{'Not all was' if found else 'Not'} searched: {in_words(error)}")


def search_hub(text: str, place: Place) -> Iterator[Card]:
    """Operators that a server finds, as many as it shows on a page.

    :raises HubError: if the server does not answer; after what it did answer.
    """
    server = HuggingFaceRepository("models", place.server)
    names = server.ask(
        lambda api: _names(api, text, place), waits=(), patience=_PATIENCE
    )
    repositories = list(_repositories(names, place.server))
    cards: dict[HuggingFaceRepository, Card | None] = {}
    failures: list[HubError] = []

    def look(repository: HuggingFaceRepository) -> None:
        try:
            cards[repository] = _card(repository)
        except HubError as error:
            failures.append(error)
            if len(failures) >= _BORNE or not isinstance(error, ServerUnreachable):
                raise

    with suppress(HubError):  # it stands among the failures
        side_by_side(look, repositories, _AT_ONCE)
    yield from (card for each in repositories if (card := cards.get(each)))
    if failures:
        raise failures[0]


def _repositories(names: Iterable[str], server: str) -> Iterator[HuggingFaceRepository]:
    for name in names:
        # No source leads to one that has no organization.
        with suppress(InvalidRepository):
            found = parse_spec(f"{HUGGING_FACE}{name}")
            yield HuggingFaceRepository(found.name, server)


def _names(api: Any, text: str, place: Place) -> list[str]:  # noqa: ANN401  (its own)
    """Repositories on the first page of what a server finds.

    The client's own listing would try again for half a minute while nothing answers.
    """
    from huggingface_hub import get_session
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # it documents both
        build_hf_headers,
        hf_raise_for_status,
    )

    words = {"search": text, "author": place.organization, "filter": TAG}
    answer = get_session().get(
        f"{api.endpoint}/api/models",
        params={key: word for key, word in words.items() if word} | {"limit": _MOST},
        headers=build_hf_headers(token=api.token, library_name=api.library_name),
        timeout=_PATIENCE,
    )
    hf_raise_for_status(answer)
    return [str(model["id"]) for model in answer.json()[:_MOST]]


def _card(repository: HuggingFaceRepository) -> Card | None:
    """The newest version of an operator; None if a repository holds none.

    :raises HubError: if its server does not answer, or what it says cannot be kept.
    """
    with suppress(*_NO_OPERATOR):
        tags = list_tags(repository, waits=(), patience=_PATIENCE)
        if releases := read_releases(tags, {}):
            shown, versions = newest(releases)
            manifest = _manifest(repository, shown.revision)
            release = str(manifest.name), str(shown.version)
            return Card.of(release, versions, repository.spec, manifest.to_dict())
    return None


def _manifest(repository: HuggingFaceRepository, commit: str) -> Manifest:
    file = repository.ask(
        lambda api: api.hf_hub_download(
            repository.name, MANIFEST_FILE, revision=commit
        ),
        limit=MANIFEST_SIZE_LIMIT,
        waits=(),
        patience=_PATIENCE,
    )
    with open(file, "rb") as content:  # noqa: PTH123  (text is what the client gives)
        return Manifest.from_yaml(content.read(MANIFEST_SIZE_LIMIT), source=str(file))
