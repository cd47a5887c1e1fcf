from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files

from hub_client.cli.search import _shown
from hub_client.search.catalogue import Card

if TYPE_CHECKING:
    from servers.hugging_face import HuggingFaceServer
    from servers.operator_files import OperatorFolder

    from tests.hub_client.cli.conftest import Hub


def test_operators_are_shown_best_first(hub: Hub, shelf: OperatorFolder) -> None:
    for version in ("1.0.0", "1.1.0"):
        shelf.publish("acme/embed", version)
    shelf.publish("acme/came-back", "1.0.0")

    first = hub("search", "came", "back")
    assert first.stderr == (
        f"Reading the operators in `bundled`\nReading the operators in `{shelf.spec}`\n"
    )
    assert (
        hub.result("search", "came", "back")
        == first.stdout
        == (
            f"acme/came-back 1.0.0  Apache-2.0  {shelf.spec}\n"
            "  Give back what came in\n"
            "  text → text\n"
            f"acme/embed 1.1.0  Apache-2.0  {shelf.spec}\n"
            "  Give back what came in\n"
            "  text → text\n"
            "  also 1.0.0\n"
        )
    )
    done = hub("search", "acme", "--limit", "1")
    assert done.stdout.startswith("acme/came-back 1.0.0")
    assert done.stderr == "… and 1 more operator\n"


def test_what_is_found_as_json(hub: Hub, shelf: OperatorFolder) -> None:
    shelf.publish("acme/embed", "1.0.0")

    assert json.loads(hub("search", "embed", "acme", "--json").stdout) == [
        {
            "name": "acme/embed",
            "summary": "Give back what came in",
            "license": "Apache-2.0",
            "versions": ["1.0.0"],
            "source": shelf.spec,
            "inputs": [["text"]],
            "outputs": [["text"]],
        }
    ]


def test_a_miss_names_what_is_near(hub: Hub, shelf: OperatorFolder) -> None:
    shelf.publish("acme/embed", "1.0.0")
    cache = Path(os.environ["HUB_CACHE_DIR"])
    cache.mkdir()
    (cache / "search").touch()  # a catalogue that cannot be kept is made again
    read = (
        f"Reading the operators in `bundled`\nReading the operators in `{shelf.spec}`\n"
    )

    assert hub.refused("search", "embd") == (
        f"{read}No operator matches `embd`\n\nhint: Did you mean `acme/embed`?\n"
    )
    assert hub.refused("search", "gve", "bak").endswith(
        "hint: Did you mean `give back`?\n"
    )
    assert hub.refused("search", "xyzzy") == (
        f"{read}No operator matches `xyzzy`\n\n"
        "hint: Try fewer or other words; `--hub` searches all of Hugging Face\n"
    )


def test_hugging_face_is_searched_when_asked(
    hub: Hub, hugging_face: HuggingFaceServer
) -> None:
    hugging_face.create("acme/embed", operator_files("acme/embed", "1.0.0"))
    hugging_face.repository("acme/embed").git("tag", "v1.0.0", "main")
    words = ("search", "acme/embed", "--json")

    found = hub(*words, "--hub", HF_ENDPOINT=hugging_face.url)
    assert [each["source"] for each in json.loads(found.stdout)] == ["hf:acme/embed"]
    assert hub(*words, HF_ENDPOINT=hugging_face.url).returncode == 1
    offline = hub(*words, "--hub", "--offline", HF_ENDPOINT=hugging_face.url)
    assert (offline.returncode, offline.stdout) == (1, "[]\n")
    assert offline.stderr == (
        "warning: Offline, so Hugging Face was not searched\n"
        "No operator matches `acme/embed`\n\n"
        "hint: Try fewer or other words\n"
    )


def test_a_hugging_face_that_does_not_answer_hides_nothing_else_and_is_not_waited_for(
    hub: Hub, shelf: OperatorFolder
) -> None:
    shelf.publish("acme/embed", "1.0.0")
    started = time.monotonic()
    done = hub("search", "embed", "acme", "--hub", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.stdout.startswith("acme/embed 1.0.0")
    *_, warning = done.stderr.splitlines()
    assert warning.startswith("warning: Not searched: `http://127.0.0.1:9` does not")
    # The client alone would try for 23 seconds.
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("summary", "shown"),
    [
        ("図" * 100, "図" * 42 + "…"),
        ("図 " + "表" * 100, "図 " + "表" * 41 + "…"),
        ("caf\xe9 " * 20, "caf\xe9 " * 16 + "caf\xe9…"),
        (
            "https://git.example.org/" + "a" * 90,
            "https://git.example.org/" + "a" * 61 + "…",
        ),
        ("embed " * 20, "embed " * 13 + "embed…"),
    ],
)
def test_a_long_summary_is_cut_where_it_fills_the_line(
    monkeypatch: pytest.MonkeyPatch, summary: str, shown: str
) -> None:
    monkeypatch.setenv("COLUMNS", "88")
    card = Card("acme/embed", summary, "MIT", ("1.0",), "bundled", "1.0")
    assert _shown(card).splitlines()[1] == f"  {shown}"


def test_words_that_are_no_text_are_refused_first(hub: Hub) -> None:
    assert hub.refused("search", os.fsdecode(b"a\xff"), "--hub") == (
        "error: expected words in UTF-8, got 'a\\udcff'\n\n"
        "hint: Type them again, or leave out what is shown as `\\udc..`\n"
    )


def test_a_hugging_face_source_is_found_however_its_server_is_written(
    hub: Hub, hugging_face: HuggingFaceServer, shelf: OperatorFolder
) -> None:
    hugging_face.create("acme/embed", operator_files("acme/embed", "1.0.0"))
    hugging_face.repository("acme/embed").git("tag", "v1.0.0", "main")
    source = f"hf+{hugging_face.url}/acme/"
    rules = f'[sources]\n"acme/*" = "{source}{{name}}"\n"bad/*" = "hf:acme"\n'
    Path(os.environ["HUB_CONFIG_DIR"], "config.toml").write_text(rules)

    done = hub("search", "acme", "--hub", "--json", HF_ENDPOINT=hugging_face.url)

    assert [each["source"] for each in json.loads(done.stdout)] == [f"{source}embed"]
    assert done.stderr.endswith(
        "warning: The source of `bad/*` is not searched: "
        "expected a Hugging Face repository, got 'hf:acme' "
        "(Write `hf:ORG/REPO`, or `hf+https://SERVER/ORG/REPO`)\n"
    )
