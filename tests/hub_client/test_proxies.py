"""Who cannot be reached is told with the proxy that stands between."""

from __future__ import annotations

import pytest

from hub_client.proxies import through

ADDRESS = "https://hub.acme.example/x"


@pytest.fixture(autouse=True)
def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_a_proxy_there_is_nothing_to_say() -> None:
    assert through(ADDRESS) == ""


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_is_named_without_its_password(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://me:secret@127.0.0.1:9")
    assert through(ADDRESS) == " through the proxy `http://***@127.0.0.1:9`"


def test_what_goes_past_the_proxy_is_not_said_to_go_through_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "acme.example")
    assert through(ADDRESS) == ""
    monkeypatch.setenv("NO_PROXY", "other.example")
    assert through("http://hub.acme.example/x") == ""
