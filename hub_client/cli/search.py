"""``hub search``: operators by words."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hub_client.cli import options
from hub_client.cli.console import format_count
from hub_client.cli.session import Session

if TYPE_CHECKING:
    from hub_client.search.catalogue import Card
    from hub_client.search.library import Library

_WIDEST: Final = 88
_VERSIONS_SHOWN: Final = 5


def search(  # noqa: PLR0913  (one a flag)
    session: Session,
    text: Annotated[
        list[str], typer.Argument(metavar="TEXT…", help="Words, all to be found.")
    ],
    *,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Show at most N.")
    ] = 20,
    hub: Annotated[
        bool, typer.Option("--hub", help="Search all of Hugging Face too.")
    ] = False,
    refresh: Annotated[
        bool,
        typer.Option("--refresh", help="Ask indexes now, however fresh their copies."),
    ] = False,
    as_json: options.Json = False,
) -> int:
    """Find operators by words, best first.

      hub search embed image
      hub search clip --hub

    Words are looked for in names, which count most, in namespaces, which are tasks,
    and in summaries: of the indexes, folders and bundled operators that
    configuration leads to, and at Hugging Face where a source is there. An index or
    folder whose address has `{name}` or `{namespace}` in it is not searched. The
    copy of an index is fetched again after ten minutes. Nothing of an operator is
    run.
    """
    from hub_client.search.catalogue import Card  # noqa: PLC0415  (as it is used)
    from hub_client.search.library import Library  # noqa: PLC0415
    from hub_client.search.ranking import check_words, rank  # noqa: PLC0415
    from hub_client.search.shelves import Told  # noqa: PLC0415

    words = " ".join(text)
    check_words(words)
    library = Library.load(
        session.config(),
        directory=session.project_folder(),
        refresh=refresh,
        told=Told(session.console.say, session.console.warn),
    )
    lines = library.find(words)
    if at_hub := _at_hugging_face(session, library, words, everywhere=hub):
        cards = {
            (each.name, each.source): each
            for each in (*map(Card.from_line, lines), *at_hub)
        }
        lines = (card.to_line() for card in cards.values())
    found = rank(words, lines)
    shown = [Card.from_line(line) for line in found[:limit]]
    if as_json:
        session.console.result_json([each.to_dict() for each in shown])
    elif found:
        session.console.result("\n".join(map(_shown, shown)))
    if not found:
        session.console.problem(_miss(library, words, everywhere=hub))
        return 1
    if len(found) > limit:
        more = format_count(len(found) - limit, "more operator")
        session.console.say(f"… and {more}")
    return 0


def _at_hugging_face(
    session: Session, library: Library, text: str, *, everywhere: bool
) -> list[Card]:
    """What servers find that configuration leads to, and all of them if asked."""
    from hub_client.sources import HUGGING_FACE, HUGGING_FACE_AT  # noqa: PLC0415

    at_hub = (HUGGING_FACE, HUGGING_FACE_AT)
    specs = [each for each in library.rules.specs() if each.startswith(at_hub)]
    if not (specs or everywhere):
        return []
    if session.config().offline:
        session.console.warn("Offline, so Hugging Face was not searched")
        return []
    from hub_client.search import hugging_face  # noqa: PLC0415  (slow)
    from hub_client.search.library import not_searched  # noqa: PLC0415
    from plugin_spec.errors import HubError  # noqa: PLC0415

    warn = session.console.warn
    places = {}
    for spec in specs:
        try:
            places[hugging_face.place_of(spec)] = spec
        except HubError as error:
            warn(not_searched(spec, session.config().sources, error))
    anyones = hugging_face.everywhere() if everywhere else None
    if anyones is not None:
        places.setdefault(anyones, "")
    cards: list[Card] = []
    for place, card in hugging_face.search_places(text, places, warn):
        namespace, _, name = card.name.partition("/")
        rule = library.rules.spec_of(namespace, name)
        if found := hugging_face.as_spelled(card, rule):
            cards.append(found)
        elif place == anyones:
            cards.append(card)
    return cards


def _shown(card: Card) -> str:
    """A card in a few lines.

    >>> from hub_client.search.catalogue import Card
    >>> about = ("a/b", "Embed text", "MIT", ("2.0rc1", "1.0"), "bundled", "1.0")
    >>> print(_shown(Card(*about, (("path", "text"),), (("vector",), ("any",)))))
    a/b 1.0  MIT  bundled
      Embed text
      path|text → vector, any
      also 2.0rc1
    >>> print(_shown(Card("a/b", "", "MIT", (), "bundled", "1.0")))
    a/b 1.0 (withdrawn)  MIT  bundled
    """
    named = f"{card.name} {card.version}".rstrip()
    if card.version and card.version not in card.versions:
        named += " (withdrawn)"
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    lines = ["  ".join(filter(None, (named, card.license, card.source)))]
    if card.summary:
        lines.append(_shortened(card.summary, max(width - 2, 20)))
    if card.inputs and card.outputs:
        taken, given = (
            ", ".join(map("|".join, x)) for x in (card.inputs, card.outputs)
        )
        lines.append(_shortened(f"{taken} → {given}", max(width - 2, 20)))
    if others := [each for each in card.versions if each != card.version]:
        more = ", …" if len(others) > _VERSIONS_SHOWN else ""
        lines.append(f"also {', '.join(others[:_VERSIONS_SHOWN])}{more}")
    return "\n  ".join(lines)


def _shortened(text: str, columns: int) -> str:
    """Text that fits, cut between words where that leaves most of what does.

    >>> print(_shortened("Embed any text", 12))
    Embed any…
    >>> print(_shortened("图像嵌入", 6))
    图像…
    """
    text = " ".join(text.split())
    if len(text) == _fitting(text, columns):
        return text
    begun = text[: _fitting(text, columns - 1)]
    if text[len(begun)] != " ":
        words = begun.rpartition(" ")[0]
        begun = words if 2 * len(words) >= len(begun) else begun
    return f"{begun.rstrip()}…"


def _fitting(text: str, columns: int) -> int:
    """How many characters of the text stand in so many columns."""
    if text.isascii():
        return min(len(text), columns)
    from unicodedata import combining, east_asian_width  # noqa: PLC0415  (seldom)

    for number, each in enumerate(text):
        wide = east_asian_width(each) in {"F", "W"}
        columns -= 0 if combining(each) else 1 + wide
        if columns < 0:
            return number
    return len(text)


def _miss(library: Library, text: str, *, everywhere: bool) -> str:
    near = library.nearest(text)
    hint = "Try fewer or other words"
    if not everywhere:
        hint += "; `--hub` searches all of Hugging Face"
    if near:
        names = [f"`{name}`" for name in near]
        listed = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        hint = f"Did you mean {listed}?"
    return f"No operator matches `{text}`\n\nhint: {hint}"
