from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_client.bundle.listing import BundleListing, InvalidBundle, NewerBundle
from hub_client.bundle.platforms import Platform
from hub_client.listed_file import ListedFile

DIGEST = "a" * 64
TREE = f"trees/{DIGEST}"


def listing(*paths: object, **changes: object) -> bytes:
    files = [{"path": path, "size": 1, "sha256": DIGEST} for path in paths]
    document = {
        "format": 1,
        "lock": f"sha256:{DIGEST}",
        "platforms": [],
        "weights": True,
        "files": files,
    }
    return json.dumps({**document, **changes}).encode()


def problems(text: bytes) -> tuple[str, ...]:
    with pytest.raises(InvalidBundle) as caught:
        BundleListing.loads(text, place="usb")
    return caught.value.problems


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("../x", "'../x' is not a plain relative path"),
        ("/etc/passwd", "'/etc/passwd' is not a plain relative path"),
        (f"{TREE}/../../x", "is not a plain relative path"),
        (f"{TREE}//x", "is not a plain relative path"),
        (f"{TREE}/a\\..\\b", "has a character that Windows forbids"),
        (f"{TREE}/.git/hooks/post-checkout", "is inside a `.git` folder"),
        (f"{TREE}/con.py", "has the name of a Windows device"),
        (f"{TREE}/a\u202eb", "has a control, invisible or undecodable character"),
        ("wheels/sub/x.whl", "is no tree, wheel, weights or signature"),
        ("wheels/x.tar.gz", "is no tree, wheel, weights or signature"),
        ("signatures/x.pack", "is no tree, wheel, weights or signature"),
        ("bundle.json", "is no tree, wheel, weights or signature"),
        (f"{TREE}/{'a/' * 600}a", "is longer than 1000 characters"),
    ],
)
def test_a_path_that_leaves_the_bundle_or_its_form_is_refused(
    path: str, problem: str
) -> None:
    assert any(problem in each for each in problems(listing(path)))


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        ((f"{TREE}/a", f"{TREE}/A"), f"'{TREE}/a' and '{TREE}/A' differ only in case"),
        ((f"{TREE}/a", f"{TREE}/a"), f"'{TREE}/a' stands twice"),
        ((f"{TREE}/a", f"{TREE}/a/b"), f"'{TREE}/a' is a file and a folder"),
    ],
)
def test_paths_that_meet_on_some_system_are_refused(
    paths: tuple[str, str], problem: str
) -> None:
    assert problem in " ".join(problems(listing(*paths)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "expected JSON, got '': Expecting value"),
        (b"<html>Log in</html>", "expected JSON, got '<html>Log in</html>': Exp"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "expected a table"),
        (b"\xff", "codec"),
        (listing(format=0), "format: expected 1, got 0"),
        (listing(format=True), "format: expected a whole number, got True"),
        (listing(lock="sha1:x"), "lock: expected `sha256:`"),
        (listing(files=[{"path": "x", "size": -1, "sha256": DIGEST}]), "got -1"),
        (listing(files=[{"path": 1, "size": 1, "sha256": DIGEST}]), "got 1"),
        (listing(files={}), "files: expected an array"),
        (listing(platforms=[{"platform": "x", "python": "3.12"}]), "a platform"),
        (listing(weights=1), "weights: expected true or false"),
    ],
)
def test_what_is_no_listing_is_refused_in_words(text: bytes, problem: str) -> None:
    assert problem in " ".join(problems(text))


def test_a_newer_format_is_left_to_a_newer_hub() -> None:
    # Nothing else of it is looked at: it may all have become something else.
    with pytest.raises(NewerBundle) as caught:
        BundleListing.loads(listing("../x", format=2, lock=None), place="usb")
    assert str(caught.value) == (
        "`usb` is no bundle that can be used\n"
        "  `bundle.json` has format 2 of a newer hub; this one reads 1"
    )
    assert caught.value.hint == (
        "Upgrade `towhee-hub`, or make a bundle in another folder"
    )


def test_a_long_list_of_problems_is_told_in_short() -> None:
    with pytest.raises(InvalidBundle) as caught:
        BundleListing.loads(listing(*(f"x{n}" for n in range(2000))), place="usb")
    assert len(str(caught.value).splitlines()) == 12
    assert str(caught.value).endswith("\n  … and 1,990 more")


def test_a_listing_reads_back_as_it_was_written() -> None:
    file = ListedFile(f"{TREE}/echo/__init__.py", 3, f"sha256:{DIGEST}")
    written = BundleListing(
        f"sha256:{DIGEST}",
        (Platform("linux-x86_64", "3.12"),),
        {file.path: file},
        weights=False,
    )
    read = BundleListing.loads(written.dumps(), place="usb")
    assert read == written
    assert read.dumps() == written.dumps()
    assert dict(read.tree(f"sha256:{DIGEST}")) == {"echo/__init__.py": file}


@pytest.mark.slow
@settings(max_examples=300)
@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_nothing_but_our_own_error_comes_of_any_bytes(text: bytes) -> None:
    with suppress(InvalidBundle):
        BundleListing.loads(text, place="usb")
