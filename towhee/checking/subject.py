"""The operator that is checked: found in its folder, as if it were installed."""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_client.installed import InstalledOperator
from hub_client.receipt import Receipt
from hub_client.sources import MANIFEST_FILE
from hub_client.tree_digest import tree_digest
from plugin_spec.manifest import Manifest
from plugin_spec.stateful import StatefulOperator
from towhee.binding import bind_found
from towhee.checking.values import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from towhee.bound import BoundOperator
    from towhee.checking.samples import Sample


def open_repository(repository: Path) -> InstalledOperator:
    """What the installer would give for a folder."""
    manifest = Manifest.from_yaml((repository / MANIFEST_FILE).read_bytes())
    digest = tree_digest(repository)
    receipt = Receipt(
        name=manifest.name,
        version=manifest.version,
        source=f"dir:{repository}",
        ref=None,
        revision=digest,
        tree=digest,
        requested=True,
    )
    return InstalledOperator(receipt, manifest, repository)


@dataclass(frozen=True, slots=True)
class Subject:
    """An operator, or a pipeline's steps, with options."""

    manifest: Manifest
    steps: tuple[BoundOperator, ...]

    @classmethod
    def bind(
        cls, installed: InstalledOperator, options: Mapping[str, object]
    ) -> Subject:
        """Check the options; a pipeline's missing operators are installed."""
        return cls(installed.manifest, bind_found(installed, options))

    @property
    def learns(self) -> bool:
        """Whether it has to see many rows before it gives a value for one."""
        return any(
            isinstance(step.load().operator, StatefulOperator) for step in self.steps
        )

    def run(self, sample: Sample) -> object:
        """One row through every step, in a copy."""
        value = copy.deepcopy(sample.value)
        for step in self.steps:
            value = step.load().apply(value)
        return value


def run_all(
    steps: tuple[BoundOperator, ...], rows: Sequence[object]
) -> list[object] | str:
    """Rows through steps that another process sent; or else why they fail here.

    Not every exception can be sent back, so that its words are.
    """
    outputs = []
    try:
        for row in rows:
            value = row
            for step in steps:
                value = step.load().apply(value)
            with suppress(Exception):  # what has no copy is sent as it is
                value = copy.deepcopy(value)
            outputs.append(value)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever it is)
        return words(error)
    return outputs
