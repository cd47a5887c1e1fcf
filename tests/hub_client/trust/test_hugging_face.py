"""Whom an entry for Hugging Face trusts, and at which server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from servers.operator_files import operator_files

from hub_client.candidate import Candidate, Release
from hub_client.trust import (
    InvalidTrust,
    add_trusted,
    find_untrusted,
)
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "https://hub.acme.example"


def candidate(source: str) -> Candidate:
    manifest = Manifest.from_yaml(
        operator_files("acme/embed", "1.0.0")["operator.yaml"]
    )
    release = Release(Version("1.0.0"), "0" * 40, "refs/tags/v1.0.0")
    return Candidate(OperatorName.parse("acme/embed"), release, source, manifest)


@pytest.mark.parametrize(
    ("entry", "source"),
    [
        ("hf:acme", "hf:acme/embed"),
        ("hf:acme/embed", "hf:acme/embed"),
        (f"hf+{OTHER}/acme", f"hf+{OTHER}/acme/embed"),
        (f"hf+{OTHER}", f"hf+{OTHER}/acme/embed"),
    ],
)
def test_an_entry_covers_what_is_below_it(entry: str, source: str) -> None:
    assert not find_untrusted([candidate(source)], [entry])


@pytest.mark.parametrize(
    ("entry", "source"),
    [
        ("hf:acme", "hf:acme-evil/embed"),
        ("hf:acme/embed", "hf:acme/embed-too"),
        ("hf:acme", f"hf+{OTHER}/acme/embed"),
        (f"hf+{OTHER}/acme", "hf:acme/embed"),
        (f"hf+{OTHER}", f"hf+{OTHER}.evil.example/acme/embed"),
        (f"hf+{OTHER}", "hf+http://hub.acme.example/acme/embed"),
        ("git+https://huggingface.co/acme", "hf:acme/embed"),
    ],
)
def test_an_entry_does_not_cover_its_neighbour(entry: str, source: str) -> None:
    assert find_untrusted([candidate(source)], [entry])


def test_another_endpoint_is_not_trusted_for_being_called_by_the_same_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", OTHER)
    ((_, source),) = find_untrusted([candidate("hf:acme/embed")], ["hf:acme"])
    assert source == f"hf+{OTHER}/acme/embed"


def test_what_is_trusted_at_another_endpoint_is_not_trusted_at_the_public_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", OTHER)
    entry = add_trusted(tmp_path, "hf:acme")
    assert entry == f"hf+{OTHER}/acme"
    assert not find_untrusted([candidate("hf:acme/embed")], [entry])
    monkeypatch.delenv("HF_ENDPOINT")
    assert find_untrusted([candidate("hf:acme/embed")], [entry])


def test_the_public_endpoint_may_be_written_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://huggingface.co/")
    assert not find_untrusted([candidate("hf:acme/embed")], ["hf:acme"])


@pytest.mark.parametrize(
    "entry",
    [
        "hf:",
        "hf:/",
        "hf:a/../b",
        "hf:a/b/c",
        "hf+ftp://x/a",
        "hf+https://",
        "hf:\u0430cme",
        "hf+https://hub.ex\u0430mple.org/acme",
    ],
)
def test_an_entry_that_says_nobody_is_refused(entry: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidTrust):
        add_trusted(tmp_path, entry)
    with pytest.raises(InvalidTrust):
        find_untrusted([candidate("hf:acme/embed")], [entry])
