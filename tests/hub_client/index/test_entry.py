from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from hub_client.index.entry import SIZE_LIMIT, IndexedVersion, IndexEntry, InvalidEntry
from plugin_spec.errors import HubError, InvalidManifest
from plugin_spec.names import OperatorName

EMBED = OperatorName.parse("acme/embed")
OPERATOR = {
    "spec": 1,
    "name": "acme/embed",
    "version": "1.0.0",
    "kind": "operator",
    "summary": "Give back what came in",
    "license": "Apache-2.0",
    "module": "echo",
    "inputs": [{"name": "value", "type": "text"}],
    "outputs": [{"name": "echo", "type": "text"}],
}
LINE: dict[str, object] = {
    "version": "1.0.0",
    "source": "git+https://git.example.org/acme/embed.git",
    "ref": "refs/tags/v1.0.0",
    "commit": "a" * 40,
    "tree": "sha256:" + "b" * 64,
    "operator": OPERATOR,
}


def line(**changes: object) -> bytes:
    values = {**LINE, **changes}
    kept = {key: value for key, value in values.items() if value is not ...}
    return json.dumps(kept).encode() + b"\n"


def parse(text: bytes) -> IndexEntry:
    return IndexEntry.parse(EMBED, text, where="embed.jsonl")


def problems(text: bytes) -> tuple[str, ...]:
    with pytest.raises(InvalidEntry) as error:
        parse(text)
    return error.value.problems


def test_an_entry_reads_back_what_it_wrote() -> None:
    text = line() + line(version="1.1.0", operator={"kind": "café"})
    entry = parse(text)

    assert [json.loads(each) for each in entry.to_bytes().splitlines()] == [
        json.loads(each) for each in text.splitlines()
    ]
    assert parse(entry.to_bytes()) == entry


def test_a_version_is_a_release_whose_files_are_elsewhere() -> None:
    (version,) = parse(line(yanked="it crashes")).versions
    release = version.release

    assert (release.version, release.revision) == (Version("1.0.0"), "a" * 40)
    assert (release.ref, release.yanked) == ("refs/tags/v1.0.0", "it crashes")
    assert (release.source, release.tree) == (LINE["source"], LINE["tree"])


def test_of_a_reason_one_line_is_read() -> None:
    said = "it\ncrashes\x1b[1A\n\nhint: run this"
    (version,) = parse(line(yanked=said)).versions
    assert version.yanked == "it crashes[1A"
    (version,) = parse(line(yanked="x" * 1000)).versions
    assert version.yanked == "x" * 500 + "…"
    for nothing in ("", " \n", "\u200b"):
        (version,) = parse(line(yanked=nothing)).versions
        assert version.yanked == "withdrawn by its publisher"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": "one"}, "version: Invalid version: 'one'"),
        ({"tree": "b" * 64}, None),
        ({"tree": ...}, "tree: missing"),
        ({"commit": "a" * 7}, f"commit: expected a full commit, got {'a' * 7!r}"),
        ({"ref": "refs/heads/main"}, None),
        ({"size": 3}, "size: unknown key"),
        ({"yanked": True}, "yanked: expected text, got True"),
        ({"operator": []}, "operator: expected a table, got []"),
        (
            {"source": "dir:/home/acme"},
            "source: expected `git+URL` or `hf:ORG/REPO`, got 'dir:/home/acme'",
        ),
        ({"source": "bundled"}, None),
        ({"source": "git+https://h/../x"}, None),
        ({"source": "git+https://H/x"}, None),
        ({"source": "git+https://h/{name}"}, None),
        ({"source": "git+-oProxy=x"}, None),
        ({"source": "hf:acme"}, None),
        ({"source": "index+https://h/x"}, None),
    ],
)
def test_a_line_with_a_problem_is_refused(
    changes: dict[str, Any], problem: str | None
) -> None:
    (found,) = problems(line(**changes))

    assert found.startswith(f"line 1: {next(iter(changes))}: ")
    assert problem is None or found == f"line 1: {problem}"


def test_every_problem_is_named_with_its_line() -> None:
    text = line(version="2.0.0") + b"[]\n" + line(version="1.0.0") + b"\n"

    assert problems(text) == (
        "line 2: expected a table, got []",
        "line 3: 1.0.0 stands below 2.0.0",
        "line 4: Expecting value: line 1 column 1 (char 0)",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "it has no version"),
        (b" " * (SIZE_LIMIT + 1), "more than 4,194,304 bytes are too many"),
        (b'{"version": 1, "version": 2}', "line 1: version: it is there twice"),
        (b'{"version": NaN}', "line 1: expected JSON, got `NaN`"),
    ],
)
def test_what_is_no_entry_is_refused(text: bytes, problem: str) -> None:
    assert problems(text) == (problem,)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_an_entry_or_refused_in_words(text: bytes) -> None:
    try:
        parse(text)
    except HubError:
        return


def test_nesting_without_end_is_refused() -> None:
    assert len(problems(b'{"a":' * 100_000)) == 1


def test_a_manifest_must_be_that_of_its_place() -> None:
    other = IndexedVersion.from_line(line(operator={**OPERATOR, "version": "2.0.0"}))

    with pytest.raises(InvalidManifest, match=r"expected `acme/embed 1\.0\.0`"):
        other.manifest(EMBED, where="embed.jsonl")
    assert IndexedVersion.from_line(line()).manifest(EMBED, where="x").name == EMBED


def test_an_unfinished_merge_is_named_as_one() -> None:
    text = line() + b"<<<<<<< HEAD\n" + line() + b"=======\n>>>>>>> theirs\n"
    with pytest.raises(InvalidEntry) as error:
        parse(text)
    assert error.value.problems == (
        "line 2: an unfinished merge left `<<<<<<<`",
        "line 4: an unfinished merge left `=======`",
        "line 5: an unfinished merge left `>>>>>>>`",
    )
    assert error.value.hint == (
        "Choose what you want of both sides, and remove those lines, where the index "
        "is kept"
    )
