"""``docs/manifest.md`` tells authors the truth."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import plugin_spec
from plugin_spec import InvalidManifest, Manifest
from plugin_spec.port import PORT_TYPES

ROOT = Path(plugin_spec.__file__).parent.parent
PAGE = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "plugin_spec" / "manifest.schema.json").read_text("utf-8"))


def blocks(opening: str) -> list[bytes]:
    found = re.findall(rf"^```{opening}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [block.encode() for block in found]


def section(title: str) -> str:
    return PAGE.partition(f"\n### {title}\n")[2].partition("\n#")[0]


def first_column(text: str) -> set[str]:
    return set(
        re.findall(
            r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))
        )
    )


def test_the_examples_of_the_manifest_page_are_valid() -> None:
    examples = [Manifest.from_yaml(block) for block in blocks("yaml")]
    assert [example.kind for example in examples] == ["operator", "pipeline"]


def test_the_broken_example_of_the_manifest_page_gives_the_errors_shown() -> None:
    (broken,), (errors,) = (
        blocks('text title="broken.yaml"'),
        blocks('text title="errors.txt"'),
    )
    with pytest.raises(InvalidManifest) as caught:
        Manifest.from_yaml(broken)
    assert f"{caught.value}\n".encode() == errors


def test_the_manifest_page_lists_every_key_and_no_other() -> None:
    keys = PAGE.partition("\n## Keys\n")[2].partition("\n#")[0]
    properties = SCHEMA["properties"]
    assert first_column(keys) == properties.keys()
    tables = {
        "requires": properties["requires"],
        "inputs and outputs": SCHEMA["$defs"]["port"],
        "steps": properties["steps"]["items"],
        "weights": properties["weights"]["items"],
        "space": properties["space"],
        "training": properties["training"],
    }
    for title, schema in tables.items():
        assert first_column(section(title)) == schema["properties"].keys(), title


def test_the_manifest_page_lists_every_type_and_every_schema_keyword() -> None:
    types = re.search(r"^Types: (.*?)\.", PAGE, re.MULTILINE | re.DOTALL)
    assert types is not None
    assert set(re.findall(r"`(\w+)`", types[1])) == PORT_TYPES
    listed = section("parameters").partition("are known:")[2].partition("(`true`")[0]
    keywords = SCHEMA["$defs"]["parameter"]["properties"].keys()
    assert set(re.findall(r"`(\w+)`", listed)) == keywords


def test_the_schema_is_itself_valid_and_describes_every_key() -> None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    Draft202012Validator.check_schema(SCHEMA)
    assert [k for k, v in SCHEMA["properties"].items() if "description" not in v] == []
