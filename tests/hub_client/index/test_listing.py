from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub_client.index.listing import InvalidListing, parse_listing, read_listing

if TYPE_CHECKING:
    from pathlib import Path

LISTING = """\
# Ours
acme/embed   git+HTTPS://Git.acme.example/{namespace}/{name}.git
acme/decode  hf:acme/decode  # at Hugging Face

decode       hf+https://hub.acme.example/acme/{name}
"""


def test_a_list_has_a_name_and_a_source_on_each_line() -> None:
    assert [
        f"{each.name} {each.source}" for each in parse_listing(LISTING, where="list")
    ] == [
        "acme/embed git+https://git.acme.example/acme/embed.git",
        "acme/decode hf:acme/decode",
        "towhee/decode hf+https://hub.acme.example/acme/decode",
    ]


def test_every_problem_of_a_list_is_named_with_its_line() -> None:
    text = "acme/embed\nAcme/x hf:a/b\na/b dir:/srv\na/c hf:a/c\na/c hf:a/c\n"

    with pytest.raises(InvalidListing) as error:
        parse_listing(text, where="list.txt")

    assert str(error.value) == (
        "`list.txt` is not a list of operators\n"
        "  line 1: expected a name and a source, got 'acme/embed'\n"
        "  line 2: expected `namespace/name`, got 'Acme/x'\n"
        "  line 3: expected `git+URL` or `hf:ORG/REPO`, got 'dir:/srv'\n"
        "  line 5: `a/c` is there twice"
    )


def test_a_list_may_begin_with_a_byte_order_mark_and_is_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(f"\ufeff{LISTING[7:]}".encode())
    assert len(read_listing(file)) == 3
    file.write_bytes(LISTING.encode("utf-16"))
    with pytest.raises(InvalidListing) as error:
        read_listing(file)
    assert str(error.value).startswith(
        f"`{file}` is not a list of operators\n  not UTF-8: "
    )
    assert error.value.hint == "Save it as UTF-8"
