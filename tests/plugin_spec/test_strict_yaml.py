"""Hostile and careless YAML: refused with a sentence, in no time."""

from __future__ import annotations

import time

import pytest
import yaml

from plugin_spec import strict_yaml
from plugin_spec.strict_yaml import UnreadableYaml, read_yaml


def messages(source: bytes) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.message) for problem in read_yaml(source).problems]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        (b"", None, "expected a mapping, got an empty file"),
        (b"# nothing\n", None, "expected a mapping, got an empty file"),
        (b"- a\n", 1, "expected a mapping at the top"),
        (b"\ntext\n", 2, "expected a mapping at the top"),
        (b"a: 1\n---\nb: 2\n", 2, "expected one document, got a second"),
        (b"a: 1\nb: \xff\n", 2, "expected UTF-8, got an invalid start byte"),
        (b"a: 1\nb: c: d\n", 2, "not YAML: mapping values are not allowed in this context"),
        (b"a: [1\n", 2, "not YAML: did not find expected ',' or ']'"),
        (b"a: \x00\n", None, "not YAML: control characters are not allowed"),
        (b"? [a]\n: b\n", 1, "expected a key that is text"),
        (b"a: " + b"[" * 20_000, 1, "expected at most 20 levels"),
        (b"a:\n" + b"- " * 20_000, 2, "expected at most 20 levels"),
        (b"a: [" + b"1," * 100_000, 1, "expected at most 5,000 values"),
        (b"a" * 50_000_000, None, "expected at most 256 KiB, got 50,000,000 bytes"),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else None,
)  # fmt: skip
def test_unreadable_yaml_is_left_at_once(
    source: bytes, line: int | None, message: str
) -> None:
    started = time.perf_counter()
    with pytest.raises(UnreadableYaml) as caught:
        read_yaml(source)
    assert (caught.value.line, str(caught.value)) == (line, message)
    assert time.perf_counter() - started < 1


def test_an_alias_bomb_is_refused_alias_by_alias() -> None:
    bomb = b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    assert messages(bomb) == [
        (1, "anchors are not allowed, got &a"),
        (2, "anchors are not allowed, got &b"),
        (2, "aliases are not allowed, got *a"),
        (2, "aliases are not allowed, got *a"),
        (3, "aliases are not allowed, got *b"),
        (3, "aliases are not allowed, got *b"),
    ]


def test_a_value_that_holds_itself_is_refused() -> None:
    assert messages(b"a: &a {b: *a}\n") == [
        (1, "anchors are not allowed, got &a"),
        (1, "aliases are not allowed, got *a"),
    ]


def test_tags_are_refused_and_nothing_is_constructed() -> None:
    source = b"a: !!python/object/apply:sys.exit [1]\nb: !mine x\nc: !!str 1\n"
    assert messages(source) == [
        (1, "tags are not allowed, got tag:yaml.org,2002:python/object/apply:sys.exit"),
        (2, "tags are not allowed, got !mine"),
        (3, "tags are not allowed, got tag:yaml.org,2002:str"),
    ]


def test_a_repeated_key_names_both_lines_and_the_first_value_stands() -> None:
    source = b"a: 1\nb: {c: 1, c: [2, {d: 3}], e: 4}\na: {f: 5}\n"
    assert messages(source) == [
        (2, "repeated, first written in line 2"),
        (3, "repeated, first written in line 1"),
    ]
    assert read_yaml(source).value == {"a": 1, "b": {"c": 1, "e": 4}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("1.10", 1.1),
        ("1e-3", 0.001),
        ("hello", "hello"),
        ("1.0.0", "1.0.0"),
        ("v1", "v1"),
        ("<3.11", "<3.11"),
        ("'no'", "no"),
        ('"1.10"', "1.10"),
        ("|-\n  no", "no"),
    ],
)
def test_values_are_json_and_the_rest_is_text(text: str, value: object) -> None:
    document = read_yaml(f"a: {text}\n".encode())
    assert document.problems == ()
    assert document.value == {"a": value}
    assert type(document.value["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("no", "the boolean no"),
        ("On", "the boolean On"),
        ("TRUE", "the boolean TRUE"),
        ("NULL", "the null NULL"),
        ("010", "the number 010"),
        ("0x1F", "the number 0x1F"),
        ("1_000", "the number 1_000"),
        ("1:20", "the number 1:20"),
        (".5", "the number .5"),
        (".inf", "the number .inf"),
        ("1e999", "the number 1e999"),
        ("2026-11-24", "the date 2026-11-24"),
    ],
)
def test_what_readers_of_yaml_disagree_on_must_be_quoted(
    text: str, written: str
) -> None:
    problem = f'ambiguous without quotes, got {written}: write "{text}"'
    assert messages(f"a: {text}\n".encode()) == [(1, problem)]
    assert messages(f"{text}: a\n".encode()) == [(1, problem)]


@pytest.mark.parametrize("escape", [b"\\U00110000", b"\\UFFFFFFFF"])
@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
def test_an_escape_beyond_unicode_is_refused_by_either_parser(
    monkeypatch: pytest.MonkeyPatch, loader: type, escape: bytes
) -> None:
    monkeypatch.setattr(strict_yaml, "_LOADER", loader)
    with pytest.raises(UnreadableYaml, match="not YAML"):
        read_yaml(b'a: "' + escape + b'"\n')


def test_the_deepest_document_allowed_is_read() -> None:
    deepest = b"a: " + b"[" * 19 + b"x" + b"]" * 19
    assert read_yaml(deepest).problems == ()
    with pytest.raises(UnreadableYaml, match="expected at most 20 levels"):
        read_yaml(deepest.replace(b"x", b"[x]"))
