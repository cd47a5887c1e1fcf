"""The page on configuration has every setting, as the code has it."""

from __future__ import annotations

import re

from docs.configuration_table import PAGE, written
from installation import ROOT

from hub_client.settings import variables


def test_the_page_shows_every_setting_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run `python tests/docs/configuration_table.py`"


def test_every_variable_that_the_code_reads_is_a_setting() -> None:
    sources = (ROOT / each for each in ("plugin_spec", "hub_client", "towhee"))
    found = {
        word
        for folder in sources
        for file in folder.rglob("*.py")
        for word in re.findall(r"\bHUB_[A-Z_]+\b", file.read_text(encoding="utf-8"))
    }
    assert found == set(variables())
