"""Operators that are installed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hub_client.environment import Environment
    from hub_client.receipt import Receipt
    from hub_client.store import Store
    from plugin_spec.manifest import Manifest
    from plugin_spec.names import OperatorName


@dataclass(frozen=True, slots=True)
class InstalledOperator:
    """An operator that can be loaded: its receipt, its manifest and its folder."""

    receipt: Receipt
    manifest: Manifest
    tree: Path


def find_installed(
    name: OperatorName, environment: Environment, store: Store
) -> InstalledOperator | None:
    """Find one operator; None if it has no receipt, or its tree left the store."""
    receipt = environment.receipt(name)
    if receipt is None or not store.has(receipt.tree):
        return None
    return open_installed(receipt, store)


def list_available() -> tuple[OperatorName, ...]:
    """Names that are installed here or ship with this package, sorted."""
    from hub_client.environment import Environment  # noqa: PLC0415
    from hub_client.sources.bundled import BundledSource  # noqa: PLC0415

    installed = {receipt.name for receipt in Environment.current().receipts()}
    return tuple(sorted(installed | set(BundledSource().names())))


def open_installed(receipt: Receipt, store: Store) -> InstalledOperator:
    """Read the manifest of an operator whose tree is in the store."""
    from hub_client.sources import MANIFEST_FILE  # noqa: PLC0415
    from plugin_spec.manifest import Manifest  # noqa: PLC0415

    tree = store.path(receipt.tree)
    text = (tree / MANIFEST_FILE).read_bytes()
    return InstalledOperator(receipt, Manifest.from_yaml(text), tree)
