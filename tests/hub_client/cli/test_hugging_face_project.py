"""Operators from Hugging Face, by the commands alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files

if TYPE_CHECKING:
    from servers.hugging_face import HuggingFaceServer

    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]
SOURCE = ("--source", "hf:acme/embed")


@pytest.fixture
def commit(hugging_face: HuggingFaceServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Version 1.0.0 of ``acme/embed``."""
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    files = operator_files("acme/embed", "1.0.0")
    made = hugging_face.create(
        "acme/embed", {**files, "model.safetensors": bytes(3 << 20)}
    )
    hugging_face.repository("acme/embed").git("tag", "v1.0.0", made)
    return made


def test_a_name_is_trusted_installed_locked_and_told(
    hub: Hub, hugging_face: HuggingFaceServer, commit: str, into: Into
) -> None:
    refusal = hub.refused("add", "acme/embed", *SOURCE, *into)
    where = f"hf+{hugging_face.url}/acme/embed"
    assert f"acme/embed 1.0.0 from `{where}`" in refusal
    assert not [line for line in hugging_face.requests if "safetensors" in line]
    hub("trust", "add", "hf:acme")
    assert hub.said("add", "acme/embed", *SOURCE, *into) == (
        "Locking\n"
        "Wrote `hub.toml`\n"
        "Wrote `hub.lock`\n"
        "Resolved 1 operator from hf:acme/embed in …\n"
        "+ acme/embed 1.0.0\n"
        "Installed 1 operator in …\n"
    )
    lock = Path("hub.lock").read_text(encoding="utf-8")
    assert f'revision = "{commit}"' in lock
    info = json.loads(hub("info", "acme/embed", "--json", *into).stdout)
    assert (info["source"], info["versions"]) == ("hf:acme/embed", ["1.0.0"])
    hub.said("lock", "--check", "--offline")


def test_a_repository_without_a_version_is_there_all_the_same(
    hub: Hub, hugging_face: HuggingFaceServer, commit: str, into: Into
) -> None:
    del commit
    hugging_face.repository("acme/embed").git("tag", "--delete", "v1.0.0")
    assert hub.refused("add", "acme/embed", *SOURCE, *into) == (
        "Locking\n"
        "error: `hf:acme/embed` has no version of `acme/embed`: no tag like `v1.0.0`\n"
        "\n"
        "hint: `hub publish` makes that tag: ask its publisher\n"
    )


def test_without_a_network_what_was_fetched_before_is_locked_again(
    hub: Hub, hugging_face: HuggingFaceServer, commit: str, into: Into
) -> None:
    del commit
    hub.said("add", "acme/embed", *SOURCE, "--trust-once", *into)
    lock = Path("hub.lock").read_bytes()
    Path("hub.lock").unlink()
    hugging_face.requests.clear()
    done = hub("lock", "--trust-once", "--offline")
    assert done.returncode == 0, done.stderr
    assert Path("hub.lock").read_bytes() == lock
    assert hugging_face.requests == []


def test_a_repository_that_is_not_there_is_an_error_without_a_traceback(
    hub: Hub, hugging_face: HuggingFaceServer, commit: str, into: Into
) -> None:
    del commit
    words = ("install", "acme/none", "--source", "hf:acme/none", "--trust-once")
    assert hub.refused(*words, *into) == (
        f"error: `{hugging_face.url}/acme/none` does not exist, or is private\n\n"
        "hint: Check its name; for a private one run `hf auth login`\n"
    )


def test_on_a_terminal_one_sees_how_far_a_long_transfer_is(
    hub: Hub, commit: str, into: Into
) -> None:
    del commit
    shown = hub.drawn("install", "acme/embed", *SOURCE, "--trust-once", *into)
    assert b"acme/embed 1.0.0" in shown
    assert b"/3.0 MiB" in shown
