"""The table of settings, made of the settings themselves.

Run as a script, this writes it into the page: ``python tests/docs/configuration_table.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hub_client.settings import SETTINGS

if TYPE_CHECKING:
    from hub_client.settings import Setting

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
BEGIN = "<!-- Written by tests/docs/configuration_table.py: -->\n"
END = "<!-- end -->\n"
HEADER = (
    "| setting | what it decides | holds | flag | variable | files | default |\n"
    "|---|---|---|---|---|---|---|\n"
)


def written(page: str) -> str:
    """The page, with its table as it should be."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    rows = "".join(map(_row, SETTINGS))
    return f"{before}{BEGIN}\n{HEADER}{rows}\n{END}{after}"


def _row(setting: Setting) -> str:
    """A setting as a row."""
    cells = (
        f"`{setting.key}`",
        setting.meaning,
        setting.expected,
        f"`{setting.flag}`" if setting.flag else "",
        f"`{setting.variable}`" if setting.variable else "",
        ", ".join(setting.files),
        setting.default,
    )
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
