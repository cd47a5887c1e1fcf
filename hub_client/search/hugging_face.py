"""Searching Hugging Face: its own search finds repositories, and each is read a little.

Nothing is downloaded but the manifest of the newest version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hub_client.search.catalogue import Card
from hub_client.side_by_side import side_by_side
from hub_client.sources import (
    HUGGING_FACE,
    HUGGING_FACE_AT,
    MANIFEST_FILE,
    MANIFEST_SIZE_LIMIT,
)
from hub_client.sources.hugging_face import list_tags, parse_spec
from hub_client.sources.hugging_face_client import HuggingFaceRepository, endpoint
from hub_client.sources.version_tags import read_releases
from plugin_spec.errors import HubError
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TAG: Final = "towhee-operator"
"""What a repository's card is tagged with; ``hub init`` writes it."""
_MOST: Final = 20
_AT_ONCE: Final = 8
_PATIENCE: Final = 5.0
"""Seconds that a server may be silent: whoever searches looks on."""


class Place(NamedTuple):
    """A server, and whose repositories there; None for everyone's."""

    server: str
    organization: str | None = None


def everywhere() -> Place:
    """All of the server that ``hf:`` stands for."""
    return Place(endpoint())


def places_of(specs: Iterable[str]) -> Iterator[Place]:
    """Where sources lead that are at Hugging Face, each once.

    >>> list(places_of(["hf+https://hub.example.org/acme/{name}", "bundled"]))
    [Place(server='https://hub.example.org', organization='acme')]
    """
    found: dict[Place, None] = {}
    for spec in specs:
        if spec.startswith((HUGGING_FACE, HUGGING_FACE_AT)):
            # What a placeholder stands for does not matter here.
            filled = spec.replace("{namespace}", "0-0").replace("{name}", "x")
            repository = parse_spec(filled)
            organization = repository.name.partition("/")[0]
            known = None if "0-0" in organization else organization
            found[Place(repository.endpoint, known)] = None
    yield from found


def search_hub(text: str, place: Place) -> list[Card]:
    """Operators that a server finds, as many as it shows on a page.

    :raises HubError: if the server does not answer.
    """
    server = HuggingFaceRepository("models", place.server)
    found = server.ask(lambda api: _names(api, text, place), waits=())
    repositories = [HuggingFaceRepository(name, place.server) for name in found]
    cards: dict[HuggingFaceRepository, Card | None] = {}

    def look(repository: HuggingFaceRepository) -> None:
        cards[repository] = _card(repository)

    side_by_side(look, repositories, _AT_ONCE)
    return [card for each in repositories if (card := cards[each])]


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
    """The newest version of an operator; None if a repository holds none."""
    try:
        releases = read_releases(list_tags(repository, waits=()), {})
        offered = [each for each in releases if each.yanked is None]
        offered.sort(key=lambda each: each.version, reverse=True)
        final = [each for each in offered if not each.version.is_prerelease]
        for release in (final or offered)[:1]:
            manifest = _manifest(repository, release.revision)
            return Card(
                str(manifest.name),
                manifest.summary,
                manifest.license,
                tuple(str(each.version) for each in offered),
                repository.spec,
            )
    except HubError:
        pass  # it is no operator, or may not be read
    return None


def _manifest(repository: HuggingFaceRepository, commit: str) -> Manifest:
    file = repository.ask(
        lambda api: api.hf_hub_download(
            repository.name, MANIFEST_FILE, revision=commit
        ),
        limit=MANIFEST_SIZE_LIMIT,
        waits=(),
    )
    with open(file, "rb") as content:  # noqa: PTH123  (text is what the client gives)
        return Manifest.from_yaml(content.read(MANIFEST_SIZE_LIMIT), source=str(file))
