from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi import Response
from fastapi.responses import JSONResponse
from servers.git_repository import GitRepository
from servers.index_files import IndexRepository
from servers.operator_files import operator_files

from hub_client.config import HubConfig
from hub_client.search import hugging_face as searching
from hub_client.search.catalogue import Card
from hub_client.search.hugging_face import everywhere, place_of, search_hub
from hub_client.search.library import Library
from hub_client.search.shelves import Told
from hub_client.sources.hugging_face_client import ServerUnreachable
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from typing import Any

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
    assert (card.version, card.versions) == ("1.1.0", ("2.0.0rc1", "1.1.0", "1.0.0"))


def test_a_card_of_a_folder_tells_a_pre_release_only_where_there_is_no_other(
    operators: OperatorFolder,
) -> None:
    for name, version in (("pre", "1.0"), ("pre", "2.0rc1"), ("soon", "1.0rc1")):
        manifest = operators.publish(f"acme/{name}", version) / "operator.yaml"
        text = manifest.read_text().replace("Give back", f"Give {version}")
        manifest.write_text(text)

    pre, soon = cards(library({"acme/*": operators.spec})[0], "acme")

    assert (pre.version, pre.versions) == ("1.0", ("2.0rc1", "1.0"))
    assert pre.summary == "Give 1.0 what came in"
    assert (soon.version, soon.versions) == ("1.0rc1", ("1.0rc1",))


def test_what_is_withdrawn_altogether_is_told_as_such(index: IndexRepository) -> None:
    add(index, "acme/bad", "1.0.0", yanked="it crashes")
    index.commit()

    (card,) = cards(library({"*": index.spec})[0], "acme bad")
    assert (card.version, card.versions) == ("1.0.0", ())


def test_of_a_summary_no_more_is_kept_than_a_manifest_may_say(
    index: IndexRepository,
) -> None:
    add(index, "acme/new", "1.0.0", summary="forged " + "x" * 100_000)
    index.commit()
    (card,) = cards(library({"*": index.spec})[0], "forged")
    assert card.summary == "forged " + "x" * 193


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
    (warning,) = warnings
    assert warning.startswith("The source of `acme/*` is not searched: Cannot fetch")


ON_ITS_NAME = "its address depends on the name (`hub info NAME` looks there for one that you know)"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("", "expected a source, got ''"),
        ("foo", "expected a source, got 'foo'"),
        ("dir:nothere", "The source's folder `"),
        ("dir:/dev/null", "The source's folder `/dev/null` does not exist (Create it"),
        ("dir:~nobody-there/x", "`~nobody-there/x` begins with a home folder"),
        ("dir:circle", "cannot read `"),
        ("index+", "expected the address of a git repository, got '' (Write it with"),
        ("index+https://git.example.org/{namespace}.git", ON_ITS_NAME),
        ("dir:ops/{name}", ON_ITS_NAME),
    ],
)
def test_a_source_that_is_not_searched_is_told_of_by_its_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("circle").symlink_to("circle")

    loaded, warnings = library({"acme/*": spec, "*": "bundled"})

    assert [each.name for each in cards(loaded, "cv2")] == ["image-decode/cv2"]
    (warning,) = warnings
    assert warning.startswith(f"The source of `acme/*` is not searched: {reason}")


def test_an_address_by_name_is_not_told_of_where_the_rule_tells_the_name() -> None:
    assert found({"acme/embed": "dir:/ops/{name}"}, "embed")[0] == (
        "acme/embed dir:/ops/embed"
    )


@pytest.mark.parametrize("kind", ["file", "circle"])
def test_a_cache_that_cannot_be_read_hides_indexes_alone(
    index: IndexRepository, operators: OperatorFolder, kind: str
) -> None:
    operators.publish("acme/embed", "1.0.0")
    cache = Path(os.environ["HUB_CACHE_DIR"])
    if kind == "file":
        cache.touch()
    else:
        cache.symlink_to(cache.name)

    loaded, warnings = library({"acme/*": operators.spec, "index/*": index.spec})

    assert [each.name for each in cards(loaded, "acme")] == ["acme/embed"]
    (warning,) = warnings
    assert warning.startswith(
        f"The source of `index/*` is not searched: Cannot write to `{cache}`: "
    )
    assert warning.endswith(" (Set `HUB_CACHE_DIR` to a folder you may write to)")


def warning_beside_two(index: IndexRepository) -> str:
    """What is said of what was added, while the two that were there are found."""
    index.commit()
    loaded, warnings = library({"*": index.spec})
    assert len(list(loaded.find("acme"))) == 2
    (warning,) = warnings
    return warning


def test_an_entry_that_is_none_hides_no_other(index: IndexRepository) -> None:
    index.lines["operators/acme/broken.jsonl"].append("{}")
    index.lines["operators/acme/endless.jsonl"].append(" " * (5 << 20))
    assert warning_beside_two(index) == (
        f"In `{index.spec}` cannot be read: "
        "acme/broken (line 1: version: missing), "
        "acme/endless (more than 4,194,304 bytes are too many)"
    )


@pytest.mark.parametrize(
    "what",
    [{"summary": 5}, {"inputs": None}, {"inputs": [5]}, {"outputs": [{"type": 5}]}],
)
def test_an_entry_that_says_too_little_hides_no_other(
    index: IndexRepository, what: dict[str, object]
) -> None:
    files = operator_files("acme/odd", "1.0")
    operator = Manifest.from_yaml(files["operator.yaml"]).to_dict() | what
    index.list("hf:acme/odd", "0" * 40, files, operator=operator)
    assert warning_beside_two(index) == (
        f"In `{index.spec}` cannot be read: "
        "acme/odd (no summary, licence, inputs or outputs)"
    )


def test_a_folder_that_changes_is_read_again(operators: OperatorFolder) -> None:
    rules = {"*": operators.spec}
    operators.publish("acme/embed", "1.0.0")
    assert len(found(rules, "acme")) == 1

    operators.publish("acme/decode", "1.0.0")

    assert len(found(rules, "acme")) == 2


def test_a_folder_that_is_no_operators_hides_nothing(
    operators: OperatorFolder,
) -> None:
    operators.publish("acme/embed", "1.0.0")
    operators.publish("acme/bright", "dev")

    assert found({"acme/*": operators.spec}, "acme") == [f"acme/embed {operators.spec}"]


def test_an_operator_that_cannot_be_read_is_told_of_until_it_can(
    operators: OperatorFolder,
) -> None:
    rules = {"acme/*": operators.spec}
    link = operators.publish("acme/bright", "1.0.0") / "operator.yaml"
    real = link.with_name("real.yaml")
    link.rename(real)
    link.symlink_to(real.name)
    warning = f"acme/bright is left out: `{link}` is not a regular file"

    assert [library(rules)[1] for _ in range(2)] == [[warning], [warning]]
    real.replace(link)  # of the size and the time that the link had

    assert len(found(rules, "bright")) == 1


def test_a_search_says_that_it_reads_a_folder_and_opens_manifests_alone(
    operators: OperatorFolder,
) -> None:
    os.mkfifo(operators.publish("acme/embed", "1.0.0") / "weights.bin")
    config = HubConfig.load(sources={"acme/*": operators.spec, "*": "git+none"})
    said: list[str] = []
    for _ in range(2):
        told = Told(said.append, said.append)
        loaded = Library.load(config, directory=None, refresh=False, told=told)
        assert [each.name for each in cards(loaded, "acme")] == ["acme/embed"]

    assert said == [f"Reading the operators in `{operators.spec}`"]


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
    assert card.version == "1.0.0"


class Silence(Response):
    """Nothing at all, for a while."""

    async def __call__(self, *connection: Any) -> None:  # noqa: ANN401
        await asyncio.sleep(2)
        await super().__call__(*connection)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(status_code=500), "500"),
        (Response(status_code=429), "it asks to send fewer requests"),
        (Silence(), "nothing new came for 1 second"),
    ],
)
def test_a_hugging_face_that_fails_is_told_of_after_what_it_gave(
    hugging_face: HuggingFaceServer,
    monkeypatch: pytest.MonkeyPatch,
    answer: Response,
    reason: str,
) -> None:
    monkeypatch.setattr(searching, "_PATIENCE", 1.0)
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    for name in ("acme/embed", "acme/embed-ill"):
        hugging_face.create(name, operator_files(name, "1.0.0"))
        hugging_face.repository(name).git("tag", "v1.0.0", "main")

    def before(request: Any) -> Response | None:  # noqa: ANN401
        return answer if request.url.path.endswith("embed-ill/refs") else None

    hugging_face.before = before
    searched = search_hub("embed", everywhere())

    assert next(searched).name == "acme/embed"
    with pytest.raises(ServerUnreachable, match=reason):
        next(searched)


def test_a_hugging_face_that_only_fails_is_soon_asked_no_more(
    hugging_face: HuggingFaceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    names = [{"id": f"acme/embed-{number}"} for number in range(20)]

    def before(request: Any) -> Response:  # noqa: ANN401
        if request.url.path == "/api/models":
            return JSONResponse(names)
        return Response(status_code=500)

    hugging_face.before = before
    with pytest.raises(ServerUnreachable):
        next(search_hub("embed", everywhere()))

    assert len(hugging_face.requests) <= 1 + 3 + 8  # those that were under way


def test_places_are_those_that_sources_lead_to() -> None:
    places = {
        "hf:acme/{name}": ("https://huggingface.co", "acme"),
        "hf:acme/other": ("https://huggingface.co", "acme"),
        "hf+https://hub.acme.example/{namespace}/{name}": (
            "https://hub.acme.example",
            None,
        ),
    }
    assert {spec: place_of(spec) for spec in places} == places
