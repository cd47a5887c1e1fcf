from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub_client.bundle.download import FileDamaged, FileMissing
from hub_client.bundle.places import NoBundle, open_place
from hub_client.bundle.platforms import Platform
from hub_client.bundle.reading import Bundle, OtherLock, OtherPlatform
from hub_client.bundle.router import BundleRouter
from hub_client.environment import Environment
from hub_client.sources.bundled import ShippedOtherwise
from hub_client.sources.router import NoSignatures
from hub_client.store import Store
from hub_client.trust import find_untrusted
from tests.hub_client.bundle.conftest import HERE, locked, pinned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub_client.bundle.reading import Offer
    from tests.hub_client.bundle.conftest import Publisher

ENVIRONMENT = Environment.current()


@pytest.fixture
def full(publisher: Publisher, tmp_path: Path) -> Path:
    publisher.bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def path(publisher: Publisher, tmp_path: Path) -> Path:
    publisher.operators_alone.bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def rewrite(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Forge the listing."""
    document = json.loads((path / "bundle.json").read_bytes())
    change(document["files"])
    (path / "bundle.json").write_text(json.dumps(document), encoding="utf-8")


def offer(publisher: Publisher, path: Path) -> Offer:
    bundle = Bundle.open(str(path))
    has_wheels = (path / "wheels").is_dir()
    lock = publisher.lock if has_wheels else publisher.operators_alone.lock
    return bundle.offer(lock, ENVIRONMENT)


def router(publisher: Publisher, path: Path) -> BundleRouter:
    bundle = Bundle.open(str(path))
    return BundleRouter(
        bundle.place,
        offer(publisher, path),
        publisher.lock.operators,
        cache_dir=path.parent / "cache",
    )


def test_trees_come_out_with_the_locked_digest(
    publisher: Publisher, path: Path, tmp_path: Path
) -> None:
    store, source = Store(tmp_path / "store"), router(publisher, path)
    for each in publisher.lock.operators:
        given = store.add(lambda folder, each=each: source.fetch(each, folder))
        assert given == each.tree


def test_a_bundle_for_another_platform_says_how_to_make_one(
    publisher: Publisher, tmp_path: Path
) -> None:
    others = Platform("macos-arm64", "3.12"), Platform("windows-x86_64", "3.12")
    publisher.operators_alone.bundle(tmp_path / "bundle", *others)
    with pytest.raises(OtherPlatform) as caught:
        offer(publisher, tmp_path / "bundle")
    assert str(caught.value) == (
        f"`{tmp_path}/bundle` was made for macos-arm64 with Python 3.12 and "
        f"windows-x86_64 with Python 3.12, and here is {HERE}"
    )
    assert caught.value.hint == (
        "Where there is a network, make one for here: `hub bundle -o DIR "
        f"--platform {HERE.name} --python {HERE.python}`"
    )


def test_a_bundle_for_another_lock_names_what_it_lacks(
    publisher: Publisher, path: Path
) -> None:
    newer = locked(
        publisher.operators.publish("acme/blur", "1.1.0"), publisher.operators.spec
    )
    tensor = pinned(publisher.packages.add("hub-tensor", "2.1"))
    lock = replace(publisher.lock, operators=(newer,), packages=(tensor,))
    with pytest.raises(OtherLock) as caught:
        Bundle.open(str(path)).offer(lock, ENVIRONMENT)
    assert str(caught.value) == (
        f"`{path}` was made for another `hub.lock`\n"
        "  acme/blur 1.1.0 is not in it\n"
        "  hub-tensor 2.1 is not in it"
    )
    assert caught.value.hint == (
        "Where there is a network, run `hub mirror` on it with this `hub.lock`, or use "
        "the `hub.lock` that it was made for"
    )


def test_a_bundle_that_has_more_than_a_lock_needs_will_do(
    publisher: Publisher, path: Path
) -> None:
    lock = replace(publisher.lock, operators=publisher.lock.operators[:1], packages=())
    assert len(Bundle.open(str(path)).offer(lock, ENVIRONMENT).trees) == 1


def test_a_tree_that_lists_other_files_is_refused_unread(
    publisher: Publisher, path: Path
) -> None:
    tree = publisher.lock.operators[0].tree[7:]
    more = {"path": f"trees/{tree}/evil.py", "size": 1, "sha256": "a" * 64}
    rewrite(path, lambda files: files.append(more))
    with pytest.raises(OtherLock) as caught:
        offer(publisher, path)
    assert str(caught.value) == (
        f"`{path}` is not complete\n  acme/blur 1.0.0 has other files than locked"
    )


def test_a_wheel_under_another_name_is_not_taken(
    publisher: Publisher, full: Path
) -> None:
    for name in (
        "hub_tensor-2.0-cp311-cp311-macosx_11_0_arm64.whl",
        "hub_tensor-3.0-py3-none-any.whl",
        "other-2.0-py3-none-any.whl",
    ):

        def rename(files: list[dict[str, Any]], name: str = name) -> None:
            for file in files:
                if file["path"].startswith("wheels/"):
                    file["path"] = f"wheels/{name}"

        rewrite(full, rename)
        with pytest.raises(OtherLock, match=r"hub-tensor 2\.0 is not in it"):
            offer(publisher, full)


def test_a_wheel_with_another_hash_is_not_taken(
    publisher: Publisher, full: Path
) -> None:
    def forge(files: list[dict[str, Any]]) -> None:
        for file in files:
            if file["path"].startswith("wheels/"):
                (full / file["path"]).write_bytes(b"evil")
                file["size"] = 4
                file["sha256"] = hashlib.sha256(b"evil").hexdigest()

    rewrite(full, forge)
    with pytest.raises(OtherLock, match=r"hub-tensor 2\.0 is not in it"):
        offer(publisher, full)


def test_a_changed_file_of_the_same_length_is_named(
    publisher: Publisher, path: Path, tmp_path: Path
) -> None:
    blur = publisher.lock.operators[0]
    file = path / "trees" / blur.tree[7:] / "operator.yaml"
    text = file.read_bytes()
    file.write_bytes(text.replace(b"Give", b"Take"))
    source, store = router(publisher, path), Store(tmp_path / "store")
    with pytest.raises(FileDamaged) as caught:
        store.add(lambda folder: source.fetch(blur, folder), expected=blur.tree)
    assert str(caught.value).startswith(
        f"`trees/{blur.tree[7:]}/operator.yaml` in `{path}` is damaged\n"
        f"  expected sha256:{hashlib.sha256(text).hexdigest()}\n"
    )
    file.unlink()
    with pytest.raises(FileMissing, match=r"operator\.yaml` in `.*` is missing"):
        store.add(lambda folder: source.fetch(blur, folder), expected=blur.tree)
    assert not store.has(blur.tree)


def test_no_file_is_read_through_a_link(
    publisher: Publisher, path: Path, tmp_path: Path
) -> None:
    blur = publisher.lock.operators[0]
    (path / "trees").rename(tmp_path / "elsewhere")
    (path / "trees").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileDamaged, match="trees` is a symbolic link"):
        router(publisher, path).fetch(blur, tmp_path / "into")


def test_a_bundled_operator_never_comes_from_a_bundle(
    publisher: Publisher, path: Path, tmp_path: Path
) -> None:
    """Its source needs no trust, so a stranger's folder must not stand for it."""
    forged = replace(publisher.lock.operators[0], source="bundled")
    assert find_untrusted([forged], ()) == ()
    lock = replace(publisher.lock, operators=(forged,), packages=())
    bundle = Bundle.open(str(path))
    offered = bundle.offer(lock, ENVIRONMENT)
    assert offered.trees == {}
    source = BundleRouter(
        bundle.place, offered, lock.operators, cache_dir=tmp_path / "cache"
    )
    with pytest.raises(ShippedOtherwise, match=r"does not ship acme/blur 1\.0\.0"):
        Store(tmp_path / "store").add(
            lambda folder: source.fetch(forged, folder), expected=forged.tree
        )


def test_what_is_trusted_once_is_listed_from_the_bundle(
    publisher: Publisher, path: Path
) -> None:
    blur = publisher.lock.operators[0]
    assert [file.path for file in router(publisher, path).files(blur)] == [
        "echo/__init__.py",
        "operator.yaml",
    ]


def test_a_required_signature_cannot_come_from_a_bundle(
    publisher: Publisher, path: Path
) -> None:
    with pytest.raises(NoSignatures, match="holds no signature of acme/blur"):
        router(publisher, path).signed(publisher.lock.operators[0])


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "There is no folder `nowhere`"),
        (__file__, f"`{__file__}` is a file, and a bundle is a folder"),
        (".", "`.` is no bundle: it has no `bundle.json`"),
        ("ftp://h/x", "expected a folder or an address of one, got 'ftp://h/x'"),
        ("http://h:x/", "expected a folder or an address of one, got 'http://h:x/'"),
        ("http:///x", "expected a folder or an address of one, got 'http:///x'"),
        ("http://h/x", "`http://h/x` needs a network, and you are offline"),
    ],
)
def test_a_place_without_a_bundle_is_refused(place: str, message: str) -> None:
    with pytest.raises(NoBundle) as caught:
        Bundle.open(place, offline=True)
    assert str(caught.value) == message


def test_a_listing_of_any_length_is_not_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_client.bundle.reading.SIZE_LIMIT", 100)
    with pytest.raises(FileDamaged, match="has more than 100 bytes"):
        Bundle.open(str(path))


def test_an_address_may_have_spaces_and_letters_of_any_language() -> None:
    place = open_place("http://h:1/für uns/50%25/a&b/", offline=False)
    assert place.name == "http://h:1/f%C3%BCr%20uns/50%25/a&b"
