from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

GRAMMARS = """
print("slow")
def is_valid_syntax(rule, text):
    return text == "x:é"
"""
PROGRAM = """
import sys
from plugin_spec.json_schema import Draft202012Validator
assert "rfc3987_syntax" not in sys.modules
print("imported")
schema = {"format": "iri"}
checker = Draft202012Validator.FORMAT_CHECKER
validator = Draft202012Validator(schema, format_checker=checker)
print(validator.is_valid("x:é"), validator.is_valid("é"))
"""


def test_the_grammars_of_a_format_are_loaded_when_it_is_checked(tmp_path: Path) -> None:
    (tmp_path / "rfc3987_syntax.py").write_text(GRAMMARS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", PROGRAM],
        env={"PYTHONPATH": ":".join([str(tmp_path), *filter(None, sys.path)])},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "imported\nslow\nTrue False\n"
