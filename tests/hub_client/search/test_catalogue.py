from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from hub_client.search.catalogue import Card, Catalogue

if TYPE_CHECKING:
    from pathlib import Path

CARDS = tuple(
    Card(f"acme/{name}", summary, "MIT", ("2.0rc1", "1.0"), "dir:/a b", "1.0", *ports)
    for name, summary, ports in (
        ("embed", "Straße", ((("path", "image"), ("text",)), (("vector",),))),
        ("decode", "", ((("any",),), (("any",), ("image",)))),
        ("rank", "Long road", ()),
    )
)


def mentioned(catalogue: Catalogue, *words: str) -> list[Card]:
    return [Card.from_line(line) for line in catalogue.mentioning(words)]


def test_lines_are_found_by_folded_words_and_read_as_they_were_written() -> None:
    embed, _, rank = CARDS
    catalogue = Catalogue.of(CARDS)
    assert mentioned(catalogue, "strasse") == [embed]
    assert mentioned(catalogue, "long") == [rank]
    assert mentioned(catalogue, "acme", "road") == [rank]
    assert mentioned(catalogue, "acme") == list(CARDS)
    assert mentioned(catalogue, "lane") == []


@given(st.text(), st.text())
def test_what_others_wrote_cannot_end_a_line_or_a_column(
    summary: str, license_: str
) -> None:
    card = Card("acme/embed", summary, license_, (), "bundled")
    catalogue = Catalogue.of([card, card])
    assert [*catalogue.stamped()] == [("acme/embed", "")]
    first, second = mentioned(catalogue, "acme")
    assert first == second
    assert first.summary == "".join(filter(str.isprintable, summary))
    assert first.license == "".join(filter(str.isprintable, license_))


def test_a_file_is_read_as_it_was_saved_and_not_at_all_otherwise(
    tmp_path: Path,
) -> None:
    file = tmp_path / "cards.tsv"
    saved = Catalogue.of(CARDS)
    saved.save(file, "key")
    assert Catalogue.load(file, "key") == Catalogue.load(file) == saved
    assert Catalogue.load(file, "other") is None
    whole = file.read_bytes()
    for broken in (whole[:-1], whole.replace(b"MIT", b"GPL"), b"", b"catalogue"):
        file.write_bytes(broken)
        assert Catalogue.load(file, "key") is None
        assert Catalogue.load(file) is None
