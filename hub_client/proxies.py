"""What an address is reached through, for whoever reads that it is not."""

from __future__ import annotations

from urllib.parse import urlsplit

from hub_client.discretion import discreet


def through(address: str) -> str:
    """Words on the proxy that the environment names for an address; none if none."""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  (20 ms)

    parts, proxies = urlsplit(address), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return f" through the proxy `{discreet(proxy)}`"
