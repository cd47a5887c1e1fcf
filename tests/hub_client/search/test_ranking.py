from __future__ import annotations

import pytest

from hub_client.search.catalogue import Card, Catalogue
from hub_client.search.ranking import nearest, rank, respelled, words_of

SUMMARIES = {
    "image-embedding/timm": "Embed images with any model of timm",
    "image-decode/cv2": "Decode images, fast",
    "text-embedding/transformers": "Embed texts",
    "acme/timm-tools": "Look into models",
    "acme/embedding": "Anything",
    "acme/composed": "Caf\xe9 in \u0130stanbul, \u30ac\u30e9\u30b9",
    "acme/decomposed": "Cafe\u0301, \uff26\uff55\uff4c\uff4c width",
}
CATALOGUE = Catalogue.of(
    Card(name, summary, "MIT", ("1.0",), "bundled")
    for name, summary in SUMMARIES.items()
)


def found(text: str) -> list[str]:
    words = words_of(text)
    ranked = rank(text, CATALOGUE.mentioning(words) if words else ())
    return [Card.from_line(line).name for line in ranked]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("timm", ["image-embedding/timm", "acme/timm-tools"]),
        ("image-embedding/timm", ["image-embedding/timm"]),
        ("Image_Embedding", ["image-embedding/timm"]),
        ("images", ["image-decode/cv2", "image-embedding/timm"]),
        (
            "embedding",
            ["acme/embedding", "image-embedding/timm", "text-embedding/transformers"],
        ),
        ("embed texts", ["text-embedding/transformers"]),
        ("caf\xe9", ["acme/composed", "acme/decomposed"]),
        ("CAFE\u0301", ["acme/composed", "acme/decomposed"]),
        ("istanbul", ["acme/composed"]),
        ("\u0130STANBUL", ["acme/composed"]),
        ("full", ["acme/decomposed"]),
        ("\u30ab\u3099\u30e9\u30b9", ["acme/composed"]),
        ("\u30ab\u30e9\u30b9", []),
        ("MIT", []),
        ("bundled", []),
        ("", []),
    ],
)
def test_names_come_before_namespaces_and_those_before_summaries(
    text: str, names: list[str]
) -> None:
    assert found(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tim", ["image-embedding/timm"]),
        ("cv3", ["image-decode/cv2"]),
        ("image-embeding/timm", ["image-embedding/timm", "acme/embedding"]),
        ("xyzzy", []),
    ],
)
def test_near_names_are_those_that_look_like_the_text(
    text: str, names: list[str]
) -> None:
    assert nearest(text, SUMMARIES) == names


@pytest.mark.parametrize(
    ("text", "otherwise"),
    [
        ("imgae", "image"),
        ("Imgae Embeding", "image embedding"),
        ("Transfomer texts", "transformers texts"),
        ("image xyzzy", ""),
        ("tx", ""),
        ("", ""),
    ],
)
def test_a_word_that_nothing_has_is_spelled_as_the_likest(
    text: str, otherwise: str
) -> None:
    assert respelled(text, CATALOGUE.text.splitlines()) == otherwise
