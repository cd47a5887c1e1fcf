"""The page on collections names every method there is, as its docstring has it."""

from __future__ import annotations

from docs.method_tables import PAGE, written

from towhee import DataCollection


def test_the_page_shows_every_method_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in dir(DataCollection):
        assert name.startswith("_") or f"{name}" in page
    assert page == written(page), "run `python tests/docs/method_tables.py`"
