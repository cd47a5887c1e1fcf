"""The page on security names tests that exist, for every attack."""

from __future__ import annotations

import re

from installation import ROOT

ROW = re.compile(
    r"^\| (?P<number>\d+) \|(?P<attack>[^|]+)\|.*\| (?P<tests>`[^|]+`) \|$",
    re.MULTILINE,
)


def test_every_attack_has_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    found = [*ROW.finditer(page)]
    rows = {int(row["number"]): row["tests"] for row in found}
    assert [*rows] == [*range(1, len(rows) + 1)]
    assert len({row["attack"] for row in found}) == len(rows) >= 30
    for number, tests in rows.items():
        for test in re.findall(r"`([^`]+)`", tests):
            file, _, name = test.partition("::")
            text = (ROOT / file).read_text(encoding="utf-8")
            assert f"\ndef {name}(" in text, f"row {number}: {test}"
