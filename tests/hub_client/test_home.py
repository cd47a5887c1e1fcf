from __future__ import annotations

from pathlib import Path

import pytest

from hub_client.config import HubConfig
from hub_client.home import UnknownHome, expanded
from hub_client.trust import add_trusted


def test_the_home_folder_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded("~/a") == Path("/home/me/a")
    assert expanded("a/~") == Path("a/~")


def test_the_home_folder_of_nobody_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownHome, match="`~nobody-here/x` begins with a home"):
        add_trusted(tmp_path, "dir:~nobody-here/x")
    monkeypatch.setenv("HUB_CACHE_DIR", "~nobody-here/cache")
    with pytest.raises(UnknownHome, match="`~nobody-here/cache` begins"):
        HubConfig.load(directory=tmp_path)
