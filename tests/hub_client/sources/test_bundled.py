from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from hub_client.candidate import Candidate
from hub_client.sources.bundled import BundledSource, ShippedOtherwise
from hub_client.store import Store
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path


def test_the_reference_operators_are_bundled_and_keep_their_digest(
    tmp_path: Path,
) -> None:
    source = BundledSource()
    store = Store(tmp_path / "store")
    assert OperatorName.parse("image-decode/cv2") in source.names()
    for name in source.names():
        (release,) = source.versions(name)
        manifest = source.manifest(name, release)
        candidate = Candidate(name, release, "bundled", manifest)
        assert (
            store.add(
                lambda into, candidate=candidate: source.fetch(candidate, into),
                expected=release.revision,
            )
            == release.revision
        )


def test_a_bundled_operator_is_hashed_once_a_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = OperatorName.parse("image-decode/cv2")
    first = BundledSource().versions(name)
    # Without the file system there is nothing to hash a second time.
    monkeypatch.setattr("os.scandir", None)
    folder = BundledSource().path / name.namespace / name.name
    assert BundledSource()._digest(folder) == first[0].revision


@pytest.mark.parametrize(
    "locked",
    [
        pytest.param({"revision": f"sha256:{'0' * 64}"}, id="other files"),
        pytest.param({"version": Version("0.1")}, id="other version"),
    ],
)
def test_what_another_hub_shipped_is_not_the_users_change(
    tmp_path: Path, locked: dict[str, object]
) -> None:
    name, source = OperatorName.parse("image-decode/cv2"), BundledSource()
    (release,) = source.versions(name)
    manifest = source.manifest(name, release)
    release = replace(release, **locked)
    with pytest.raises(ShippedOtherwise) as refusal:
        source.fetch(Candidate(name, release, "bundled", manifest), tmp_path)
    assert f" does not ship image-decode/cv2 {release.version} with the files " in str(
        refusal.value
    )
    assert refusal.value.hint == (
        "Install the towhee-hub that it was locked with, or run "
        "`hub lock --upgrade image-decode/cv2`"
    )
