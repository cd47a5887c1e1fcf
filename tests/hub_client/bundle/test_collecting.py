from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet

from hub_client.bundle import collecting
from hub_client.bundle.collecting import NoRoom, NotForPython
from hub_client.bundle.download import Wanted
from hub_client.bundle.folder import BundleBusy, BundleFolder, NotABundle
from hub_client.bundle.listing import NewerBundle
from hub_client.bundle.platforms import Platform
from hub_client.bundle.registry import NoWheel
from hub_client.lockfile import Lockfile
from hub_client.trust import UntrustedPublisher
from tests.hub_client.bundle.conftest import locked, pinned

if TYPE_CHECKING:
    from pathlib import Path

    from hub_client.bundle.listing import BundleListing
    from tests.hub_client.bundle.conftest import Publisher

LINUX = Platform("linux-x86_64", "3.12")
WINDOWS = Platform("windows-x86_64", "3.12")


def files_below(path: Path) -> set[str]:
    return {
        str(file.relative_to(path))
        for file in path.rglob("*")
        if file.is_file() and not file.name.startswith(".")
    }


def check_whole(path: Path, listing: BundleListing) -> None:
    """Every listed file is there, with the bytes that the listing says."""
    assert all(
        replace(file, path="").describes(path / file.path)
        for file in listing.files.values()
    )


def test_a_bundle_has_what_its_platforms_need_and_no_more(
    publisher: Publisher, tmp_path: Path
) -> None:
    path = tmp_path / "bundle"
    _, listing = publisher.bundle(path, LINUX)
    check_whole(path, listing)
    assert {p for p in listing.files if p.startswith("wheels/")} == {
        "wheels/hub_tensor-2.0-py3-none-any.whl"
    }
    assert {p.split("/")[1] for p in listing.files if p.startswith("trees/")} == {
        each.tree.removeprefix("sha256:") for each in publisher.lock.operators
    }
    assert (path / "hub.lock").read_text(encoding="utf-8") == publisher.lock.dumps()
    assert files_below(path) == {*listing.files, "bundle.json", "hub.lock"}
    _, listing = publisher.bundle(path, LINUX, WINDOWS)
    assert "wheels/hub_win-1.0-py3-none-any.whl" in listing.files


def test_the_same_lock_gives_the_same_bytes(
    publisher: Publisher, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        publisher.operators_alone.bundle(tmp_path / name, LINUX)
    texts = {(tmp_path / name / "bundle.json").read_bytes() for name in ("one", "two")}
    assert len(texts) == 1


@pytest.mark.slow
def test_only_what_changed_is_brought(publisher: Publisher, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    publisher.bundle(path, LINUX)
    kept = (path / "wheels" / "hub_tensor-2.0-py3-none-any.whl").stat().st_ino
    folder, _ = publisher.bundle(path, LINUX)
    assert (folder.added, folder.removed) == ([], [])
    newer = locked(
        publisher.operators.publish("acme/blur", "1.1.0"), publisher.operators.spec
    )
    lock = replace(publisher.lock, operators=(newer, publisher.lock.operators[1]))
    folder, listing = publisher.bundle(path, LINUX, lock=lock)
    check_whole(path, listing)
    assert {each.split("/")[1] for each in folder.added} == {newer.tree[7:]}
    assert (path / "wheels" / "hub_tensor-2.0-py3-none-any.whl").stat().st_ino == kept


def test_what_the_listing_before_named_stays_until_the_next_time(
    publisher: Publisher, tmp_path: Path
) -> None:
    path = tmp_path / "bundle"
    _, first = publisher.operators_alone.bundle(path, LINUX)
    lock = replace(
        publisher.operators_alone.lock, operators=publisher.lock.operators[1:]
    )
    gone = f"trees/{publisher.lock.operators[0].tree[7:]}"
    folder, _ = publisher.operators_alone.bundle(path, LINUX, lock=lock)
    check_whole(path, first)
    assert folder.removed == []
    folder, second = publisher.operators_alone.bundle(path, LINUX, lock=lock)
    assert {each.rpartition("/echo")[0] for each in folder.removed} >= {gone}
    assert not (path / gone).exists()
    check_whole(path, second)


def test_an_interrupted_run_shows_nothing_and_goes_on(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy, asked = tmp_path / "bundle", collecting.download.copy, 0

    def copy_twice(*words: object) -> None:
        nonlocal asked
        asked += 1
        if asked > 2:
            raise KeyboardInterrupt
        copy(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(collecting.download, "copy", copy_twice)
    with pytest.raises(KeyboardInterrupt):
        publisher.operators_alone.bundle(path, LINUX)
    assert not (path / "bundle.json").exists()
    there = files_below(path)
    assert len(there) == 2
    monkeypatch.setattr(collecting.download, "copy", copy)
    folder, listing = publisher.operators_alone.bundle(path, LINUX)
    check_whole(path, listing)
    assert there.isdisjoint(folder.added)


@pytest.mark.slow
def test_a_damaged_file_is_found_by_a_recheck(
    publisher: Publisher, tmp_path: Path
) -> None:
    path, wheel = tmp_path / "bundle", "wheels/hub_tensor-2.0-py3-none-any.whl"
    _, listing = publisher.bundle(path, LINUX)
    size = (path / wheel).stat().st_size
    (path / wheel).write_bytes(bytes(size))
    folder, _ = publisher.bundle(path, LINUX)
    assert folder.added == []
    folder, _ = publisher.bundle(path, LINUX, recheck=True)
    assert folder.added == [wheel]
    check_whole(path, listing)


def test_a_recheck_that_finds_damage_hashes_what_is_whole_once(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, check = tmp_path / "bundle", Wanted.check
    _, listing = publisher.operators_alone.bundle(path, LINUX)
    *whole, last = listing.files
    (path / last).write_bytes(bytes((path / last).stat().st_size))
    hashed: list[Path] = []

    def checking(wanted: Wanted, file: Path) -> None:
        hashed.append(file)
        check(wanted, file)

    monkeypatch.setattr(Wanted, "check", checking)
    folder, _ = publisher.operators_alone.bundle(path, LINUX, recheck=True)
    assert folder.added == [last]
    assert [hashed.count(path / each) for each in whole] == [1] * len(whole)


@pytest.mark.slow
def test_a_missing_file_is_brought_again(publisher: Publisher, tmp_path: Path) -> None:
    path, wheel = tmp_path / "bundle", "wheels/hub_tensor-2.0-py3-none-any.whl"
    publisher.bundle(path, LINUX)
    (path / wheel).unlink()
    folder, listing = publisher.bundle(path, LINUX)
    assert folder.added == [wheel]
    check_whole(path, listing)


def test_a_folder_with_other_things_is_not_touched(
    publisher: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(NotABundle, match="is not empty, and is no bundle"):
        publisher.bundle(tmp_path / "mine", LINUX)
    assert [*(tmp_path / "mine").iterdir()] == [tmp_path / "mine" / "thesis.tex"]


def test_another_tools_bundle_json_makes_no_folder_ours(
    publisher: Publisher, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    (mine / "weights").mkdir(parents=True)
    (mine / "bundle.json").write_text('{"main": "index.js"}')
    (mine / "weights" / "trained.pt").write_text("a week of training")
    before = {file: file.read_bytes() for file in mine.rglob("*.*")}
    with pytest.raises(NotABundle, match="is not empty, and is no bundle"):
        publisher.operators_alone.bundle(mine, LINUX)
    assert {file: file.read_bytes() for file in mine.rglob("*.*")} == before


@pytest.mark.parametrize("copied", [False, True])
def test_what_a_newer_hub_wrote_is_not_replaced(
    publisher: Publisher, tmp_path: Path, copied: bool
) -> None:
    path = tmp_path / "bundle"
    publisher.operators_alone.bundle(path, LINUX)
    listing = path / "bundle.json"
    listing.write_text(listing.read_text().replace('"format": 1', '"format": 2'))
    (path / "trees" / "unlisted.txt").touch()
    if copied:
        (path / ".hub-bundle.lock").unlink(missing_ok=True)
    before = {file: (path / file).read_bytes() for file in files_below(path)}
    with pytest.raises(
        NewerBundle, match=r"`bundle\.json` has format 2 of a newer hub"
    ):
        publisher.operators_alone.bundle(path, LINUX, recheck=True)
    assert {file: (path / file).read_bytes() for file in files_below(path)} == before


def test_a_bundle_that_was_copied_without_its_lock_is_brought_up_to_date(
    publisher: Publisher, tmp_path: Path
) -> None:
    path = tmp_path / "bundle"
    publisher.operators_alone.bundle(path, LINUX)
    (path / ".hub-bundle.lock").unlink(missing_ok=True)
    folder, _ = publisher.operators_alone.bundle(path, LINUX)
    assert (folder.added, folder.removed) == ([], [])


@pytest.mark.parametrize("name", ["wheels", "trees", ".arriving", "bundle.json"])
def test_a_link_in_a_bundle_is_not_followed(
    publisher: Publisher, tmp_path: Path, name: str
) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "bundle"
    elsewhere.mkdir()
    (elsewhere / "x.whl").write_text("")
    path.mkdir()
    (path / "bundle.json").write_text("{}")
    (path / name).unlink(missing_ok=True)
    (path / name).symlink_to(elsewhere)
    (path / ".hub-bundle.lock").touch()
    with pytest.raises(NotABundle, match="is a symbolic link"):
        publisher.bundle(path, LINUX)
    assert [*elsewhere.iterdir()] == [elsewhere / "x.whl"]


@pytest.mark.parametrize("below", ["", "echo"])
def test_no_link_below_its_folders_leads_out_of_a_bundle(
    publisher: Publisher, tmp_path: Path, below: str
) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "bundle"
    publisher.operators_alone.bundle(path, LINUX)
    folder = path / "trees" / publisher.lock.operators[0].tree[7:] / below
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    (elsewhere / "operator.yaml").unlink(missing_ok=True)
    before = files_below(elsewhere)
    with pytest.raises(NotABundle, match="is a symbolic link"):
        publisher.operators_alone.bundle(path, LINUX)
    assert files_below(elsewhere) == before


@pytest.mark.parametrize("suffix", ["", ".part"])
def test_what_arrives_is_written_through_no_link(
    publisher: Publisher, tmp_path: Path, suffix: str
) -> None:
    path, mine = tmp_path / "bundle", tmp_path / "thesis.tex"
    _, listing = publisher.operators_alone.bundle(path, LINUX)
    file = next(iter(listing.files.values()))
    (path / file.path).unlink()
    mine.write_text("a week of work")
    (path / ".arriving").mkdir()
    (path / ".arriving" / f"{file.digest[7:]}{suffix}").symlink_to(mine)
    with pytest.raises(NotABundle, match="is not a regular file"):
        publisher.operators_alone.bundle(path, LINUX)
    assert mine.read_text() == "a week of work"


@pytest.mark.parametrize("name", ["bundle.json", "hub.lock", ".hub-bundle.lock"])
def test_a_pipe_in_a_bundle_is_not_waited_for(
    publisher: Publisher, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "bundle"
    publisher.operators_alone.bundle(path, LINUX)
    (path / name).unlink(missing_ok=True)
    os.mkfifo(path / name)
    with pytest.raises(NotABundle, match="is not a regular file"):
        publisher.operators_alone.bundle(path, LINUX)


def test_one_process_writes_at_a_time(publisher: Publisher, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    with BundleFolder.open(path), pytest.raises(BundleBusy):
        publisher.bundle(path, LINUX)


def test_an_untrusted_publisher_is_refused_before_anything_is_fetched(
    publisher: Publisher, tmp_path: Path
) -> None:
    config = replace(publisher.collector.config, trusted=())
    collector = replace(publisher.collector, config=config)
    with pytest.raises(UntrustedPublisher):
        replace(publisher, collector=collector).bundle(tmp_path / "bundle", LINUX)
    assert not (tmp_path / "bundle").exists()


def test_what_fails_before_anything_came_leaves_nothing(tmp_path: Path) -> None:
    def stop(into: Path) -> None:
        into.parent.mkdir()
        raise KeyboardInterrupt

    path = tmp_path / "bundle"
    with pytest.raises(KeyboardInterrupt), BundleFolder.open(path) as folder:
        folder.put("wheels/a", Wanted("", "0" * 64), stop)
    assert not path.exists()
    path.mkdir()
    with pytest.raises(KeyboardInterrupt), BundleFolder.open(path) as folder:
        folder.put("wheels/a", Wanted("", "0" * 64), stop)
    assert [*path.iterdir()] == []


@pytest.mark.slow
def test_every_package_without_a_wheel_is_named(
    publisher: Publisher, tmp_path: Path
) -> None:
    folder = publisher.packages.path
    wheel = folder / "hub_tensor-2.0-py3-none-any.whl"
    for python in ("311", "312"):
        target = f"hub_tensor-2.0-cp{python}-cp{python}-macosx_11_0_arm64.whl"
        (folder / target).write_bytes(wheel.read_bytes())
    wheel.unlink()
    with pytest.raises(NoWheel) as caught:
        publisher.bundle(tmp_path / "bundle", LINUX, WINDOWS)
    assert caught.value.problems == (
        "hub-tensor 2.0 for linux-x86_64 with Python 3.12",
        "hub-tensor 2.0 for windows-x86_64 with Python 3.12",
    )


@pytest.mark.slow
def test_a_registry_s_other_file_does_not_stand_for_the_locked_one(
    publisher: Publisher, tmp_path: Path
) -> None:
    tensor = pinned(publisher.packages.add("hub-tensor", "2.0", requires=["hub-win"]))
    assert tensor.hashes != publisher.lock.packages[0].hashes
    with pytest.raises(NoWheel):
        publisher.bundle(tmp_path / "bundle", LINUX)


def test_a_python_that_the_lock_does_not_serve_is_refused(
    publisher: Publisher, tmp_path: Path
) -> None:
    collector = replace(publisher.collector, requires_python=SpecifierSet(">=3.12"))
    with pytest.raises(NotForPython) as caught:
        replace(publisher, collector=collector).bundle(
            tmp_path / "bundle", Platform("linux-x86_64", "3.11")
        )
    assert str(caught.value) == "The lock is for Python >=3.12, and not for 3.11"


def test_what_a_disk_has_no_room_for_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(NoRoom, match=f"`{tmp_path}/x` would take 1,000,000,000,0"):
        collecting.check_room(tmp_path / "x", 10**18)


def test_a_lock_of_nothing_needs_no_registry(
    publisher: Publisher, tmp_path: Path
) -> None:
    _, listing = publisher.bundle(tmp_path / "bundle", LINUX, lock=Lockfile((), (), ()))
    assert listing.files == {}
