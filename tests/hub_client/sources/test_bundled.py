from __future__ import annotations

from typing import TYPE_CHECKING

from hub_client.candidate import Candidate
from hub_client.sources.bundled import BundledSource
from hub_client.store import Store
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
