"""A pipeline on its way to workers: digests and receipts travel, code does not.

A node that has not got an operator fetches it from where it was installed from, at the
pinned revision, verifies its digest, and keeps it for every worker of that node.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_client.home import expanded
from hub_client.sources import DIRECTORY
from plugin_spec.spaces import KnownSpace
from towhee.bound import BoundOperator, BoundPipeline
from towhee.sources import space_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hub_client.config import HubConfig
    from hub_client.receipt import Receipt
    from hub_client.store import Store
    from towhee.pipelines import FunctionCall


@dataclass(frozen=True, slots=True)
class Shipment:
    """A pipeline, and where each tree that it needs can be had."""

    pipeline: BoundPipeline
    receipts: tuple[Receipt, ...]
    store: Path
    """Where the sender keeps trees; paths in options may lead there."""

    @classmethod
    def of(cls, pipeline: BoundPipeline) -> Shipment:
        """Look up where the trees came from; fetches nothing.

        An operator whose vectors another stage is given is loaded, for their space.
        """
        from hub_client.environment import Environment  # noqa: PLC0415  (settings at call time)

        store, _ = _node_store()
        pipeline = _with_known_spaces(pipeline)
        operators = [s for s in pipeline.steps if isinstance(s, BoundOperator)]
        found = [step.installed.receipt for step in operators]
        named = {tree for step in operators for tree in _trees(step.options, store)}
        if missing := named - {receipt.tree for receipt in found}:
            # Files of a pipeline's own repository, which is no step itself.
            receipts = Environment.current().receipts()
            found += [receipt for receipt in receipts if receipt.tree in missing]
        unique = {receipt.tree: _anywhere(receipt) for receipt in found}
        return cls(pipeline, tuple(unique.values()), store.root)

    def unpack(self) -> BoundPipeline:
        """The pipeline, of trees that this node has then, each verified.

        :raises HubError: if a tree is not here and cannot be fetched.
        """
        from towhee.private_modules import verify_tree  # noqa: PLC0415  (seldom)

        store, config = _node_store()
        for receipt in self.receipts:
            _ensure(receipt, store, config)
            verify_tree(store.path(receipt.tree), receipt.tree, f"`{receipt.name}`")
        return BoundPipeline(
            tuple(
                tuple(
                    self._here(step, store) if isinstance(step, BoundOperator) else step
                    for step in group
                )
                for group in self.pipeline.groups
            )
        )

    def _here(self, step: BoundOperator, store: Store) -> BoundOperator:
        installed = replace(
            step.installed, tree=store.path(step.installed.receipt.tree)
        )
        options = {
            key: str(store.root / Path(str(value)).relative_to(self.store))
            if _is_below(value, self.store)
            else value
            for key, value in step.options.items()
        }
        source = step.source
        if isinstance(source, BoundOperator):
            source = self._here(source, store)
        return replace(
            step, installed=installed, options=options, source=source, _loaded=[]
        )


def _with_known_spaces(pipeline: BoundPipeline) -> BoundPipeline:
    """What a stage does not make itself, it is told the space of."""
    own = [step for step in pipeline.steps if isinstance(step, BoundOperator)]

    def told(step: FunctionCall | BoundOperator) -> FunctionCall | BoundOperator:
        if not isinstance(step, BoundOperator) or step.source is None:
            return step
        if any(step.source is each for each in own):
            return step
        return replace(step, source=KnownSpace(space_from(step.source)))

    return BoundPipeline(
        tuple(tuple(map(told, group)) for group in pipeline.groups),
    )


def _node_store() -> tuple[Store, HubConfig]:
    from hub_client.config import HubConfig  # noqa: PLC0415  (settings at call time)
    from hub_client.store import Store  # noqa: PLC0415

    config = HubConfig.load()
    return Store(config.cache_dir / "store"), config


def _ensure(receipt: Receipt, store: Store, config: HubConfig) -> None:
    """Have a tree in this node's store; of many workers, one fetches it."""
    if store.has(receipt.tree):
        return
    from filelock import FileLock  # noqa: PLC0415  (24 ms, and seldom needed)

    from hub_client.candidate import Release  # noqa: PLC0415
    from hub_client.install_plan import Target  # noqa: PLC0415
    from hub_client.sources.router import open_source  # noqa: PLC0415

    wanted = Target(
        name=receipt.name,
        release=Release(receipt.version, receipt.revision, receipt.ref),
        source=receipt.source,
        tree=receipt.tree,
        requested=False,
        dependencies=receipt.dependencies,
        packages=receipt.packages,
    )
    source = open_source(
        receipt.source, cache_dir=config.cache_dir, offline=config.offline
    )
    store.root.mkdir(parents=True, exist_ok=True)
    with FileLock(store.root / f"{store.path(receipt.tree).name}.lock"):
        if not store.has(receipt.tree):
            store.add(lambda tree: source.fetch(wanted, tree), expected=receipt.tree)


def _anywhere(receipt: Receipt) -> Receipt:
    """The same, wherever a worker's current folder is."""
    if not receipt.source.startswith(DIRECTORY):
        return receipt
    from hub_client.config import find_project_file  # noqa: PLC0415

    project = find_project_file(Path.cwd())
    folder = project.parent if project else Path.cwd()
    path = folder / expanded(receipt.source.removeprefix(DIRECTORY))
    return replace(receipt, source=f"{DIRECTORY}{path}")


def _trees(options: Mapping[str, object], store: Store) -> Iterator[str]:
    """Digests of the trees that files among options lie in."""
    for value in options.values():
        if _is_below(value, store.root):
            kind, digest, *_ = Path(str(value)).relative_to(store.root).parts
            yield f"{kind}:{digest}"


def _is_below(value: Any, folder: Path) -> bool:  # noqa: ANN401  (an option's value)
    return isinstance(value, str) and value.startswith(f"{folder}{os.sep}")
