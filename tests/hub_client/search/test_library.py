from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.git_repository import GitRepository
from servers.index_files import IndexRepository
from servers.operator_files import operator_files

from hub_client.config import HubConfig
from hub_client.search.catalogue import Card
from hub_client.search.hugging_face import everywhere, places_of, search_hub
from hub_client.search.library import Library
from hub_client.search.shelves import Told
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from servers.hugging_face import HuggingFaceServer
    from servers.operator_files import OperatorFolder

ROOT = Path(__file__).parents[3]


@pytest.fixture
def index(tmp_path: Path) -> IndexRepository:
    """An index of acme/embed 1.0.0 and acme/decode 1.0.0."""
    index = IndexRepository(GitRepository.create(tmp_path / "index.git"))
    add(index, "acme/embed", "1.0.0")
    add(index, "acme/decode", "1.0.0")
    index.commit()
    return index


def add(
    index: IndexRepository, name: str, version: str, *, summary: str = "", **more: str
) -> None:
    files = operator_files(name, version)
    operator = Manifest.from_yaml(files["operator.yaml"]).to_dict()
    forged = {"operator": {**operator, "summary": summary}} if summary else {}
    source = "git+https://git.example.org/e.git"
    index.list(source, "a" * 40, files, **forged, **more)


def library(
    rules: dict[str, str], *, offline: bool = False, refresh: bool = False
) -> tuple[Library, list[str]]:
    """All that these rules lead to, and what was warned of."""
    warnings: list[str] = []
    config = HubConfig.load(sources=rules, offline=offline)
    loaded = Library.load(
        config, directory=Path.cwd(), refresh=refresh, told=Told(warn=warnings.append)
    )
    return loaded, warnings


def cards(loaded: Library, text: str) -> list[Card]:
    return [Card.from_line(line) for line in loaded.find(text)]


def found(rules: dict[str, str], text: str, *, refresh: bool = False) -> list[str]:
    loaded, warnings = library(rules, refresh=refresh)
    assert warnings == []
    return sorted(f"{each.name} {each.source}" for each in cards(loaded, text))


def test_what_an_install_by_that_name_would_bring_is_found(
    index: IndexRepository, operators: OperatorFolder
) -> None:
    operators.publish("acme/embed", "2.0.0")
    operators.publish("acme/aside", "1.0.0")
    rules = {"acme/*": index.spec, "acme/embed": operators.spec, "*": "bundled"}

    assert found(rules, "acme") == [
        "acme/decode git+https://git.example.org/e.git",
        f"acme/embed {operators.spec}",
    ]
    assert found(rules, "cv2") == ["image-decode/cv2 bundled"]


def test_a_name_with_a_rule_of_its_own_is_found_though_nothing_lists_it() -> None:
    rules = {"acme/embed": "git+https://git.example.org/{name}.git"}

    assert found(rules, "embed")[0] == (
        "acme/embed git+https://git.example.org/embed.git"
    )


def test_a_card_tells_the_newest_version_that_is_offered(
    index: IndexRepository,
) -> None:
    add(index, "acme/embed", "1.1.0", summary="Embed \x1b[31mred")
    add(index, "acme/embed", "1.2.0", yanked="it crashes", summary="Crash")
    add(index, "acme/embed", "2.0.0rc1", summary="Embed soon")
    index.commit()

    (card,) = cards(library({"*": index.spec})[0], "acme embed")
    assert (card.summary, card.license) == ("Embed [31mred", "Apache-2.0")
    assert card.versions == ("2.0.0rc1", "1.1.0", "1.0.0")


def test_a_fresh_index_is_not_asked_again_unless_told(index: IndexRepository) -> None:
    rules = {"*": index.spec}
    assert len(found(rules, "acme")) == 2
    add(index, "acme/new", "1.0.0")
    index.commit()

    assert len(found(rules, "acme")) == 2
    assert len(found(rules, "acme", refresh=True)) == 3
    assert len(found(rules, "acme")) == 3


def test_a_warm_search_starts_no_git_and_loads_next_to_nothing(
    index: IndexRepository,
) -> None:
    rules = {"*": index.spec, "image-decode/*": "bundled"}
    assert len(found(rules, "acme")) == 2
    script = (
        "import sys\n"
        "from hub_client.config import HubConfig\n"
        "from hub_client.search.library import Library\n"
        "from hub_client.search.shelves import Told\n"
        f"config = HubConfig.load(sources={rules!r})\n"
        "library = Library.load(\n"
        "    config, directory=None, refresh=False, told=Told(print, print)\n"
        ")\n"
        "print(sum(1 for each in library.find('acme')))\n"
        "print(*sys.modules, sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": ""},
    )

    count, *modules = done.stdout.split()
    assert count == "2"
    slow = {"packaging", "jsonschema", "yaml", "filelock", "plugin_spec.manifest"}
    assert slow.isdisjoint(modules)


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_catalogue_that_is_not_as_it_was_saved_is_made_again(
    index: IndexRepository, damage: str
) -> None:
    rules = {"*": index.spec}
    assert len(found(rules, "acme")) == 2
    (file,) = Path(os.environ["HUB_CACHE_DIR"], "search").iterdir()
    first, second, third = file.read_bytes().splitlines(keepends=True)
    changed = third.replace(b"acme/", b"evil/")
    file.write_bytes(first + second + (changed if damage == "changed" else b""))

    assert len(found(rules, "acme")) == 2
    assert file.read_bytes() == first + second + third


def test_an_index_whose_copy_is_damaged_is_fetched_again(
    index: IndexRepository,
) -> None:
    rules = {"*": index.spec}
    assert len(found(rules, "acme")) == 2
    (objects,) = Path(os.environ["HUB_CACHE_DIR"], "git").glob("*/objects")
    shutil.rmtree(objects)
    add(index, "acme/new", "1.0.0")
    index.commit()

    assert len(found(rules, "acme")) == 3


def test_an_index_that_is_away_answers_as_it_was(index: IndexRepository) -> None:
    rules = {"*": index.spec}
    found(rules, "acme")
    index.repository.path.rename(index.repository.path.with_suffix(".away"))

    loaded, warnings = library(rules, refresh=True)

    assert len(list(loaded.find("acme"))) == 2
    assert len(warnings) == 1
    assert warnings[0].startswith(f"Cannot fetch `{index.spec}`: ")
    assert warnings[0].endswith("; searching what was fetched last")


def test_a_source_that_cannot_be_read_is_left_out_with_a_warning() -> None:
    loaded, warnings = library({"acme/*": "index+file:///none.git", "*": "bundled"})

    assert [each.name for each in cards(loaded, "cv2")] == ["image-decode/cv2"]
    assert len(warnings) == 1


def test_an_entry_that_is_none_hides_no_other(index: IndexRepository) -> None:
    index.lines["operators/acme/broken.jsonl"].append("{}")
    index.lines["operators/acme/endless.jsonl"].append(" " * (5 << 20))
    index.commit()

    loaded, warnings = library({"*": index.spec})

    assert len(list(loaded.find("acme"))) == 2
    (warning,) = warnings
    assert warning == (
        f"In `{index.spec}` cannot be read: "
        "acme/broken (line 1: version: missing), "
        "acme/endless (more than 4,194,304 bytes are too many)"
    )


def test_a_folder_that_changes_is_read_again(operators: OperatorFolder) -> None:
    rules = {"*": operators.spec}
    operators.publish("acme/embed", "1.0.0")
    assert len(found(rules, "acme")) == 1

    operators.publish("acme/decode", "1.0.0")

    assert len(found(rules, "acme")) == 2


def test_operators_at_hugging_face_are_found_by_its_own_search(
    hugging_face: HuggingFaceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    hugging_face.create("acme/embed", operator_files("acme/embed", "1.0.0"))
    hugging_face.repository("acme/embed").git("tag", "v1.0.0", "main")
    hugging_face.create("acme/embed-weights", {"model.safetensors": b"weights"})

    (card,) = search_hub("embed", everywhere())

    assert (card.name, card.source) == ("acme/embed", "hf:acme/embed")
    assert (card.versions, card.license) == (("1.0.0",), "Apache-2.0")


def test_places_are_those_that_sources_lead_to() -> None:
    specs = [
        "bundled",
        "hf:acme/{name}",
        "hf:acme/other",
        "hf+https://hub.acme.example/{namespace}/{name}",
    ]

    assert [(each.server, each.organization) for each in places_of(specs)] == [
        ("https://huggingface.co", "acme"),
        ("https://hub.acme.example", None),
    ]
