"""Installing an operator when it is first used, where that is allowed."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hub_client.installed import open_installed
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub_client.config import HubConfig
    from hub_client.environment import Environment
    from hub_client.installed import InstalledOperator
    from hub_client.lockfile import Lockfile
    from hub_client.store import Store
    from plugin_spec.requirement import Requirement


class OperatorMissing(HubError, LookupError):
    """An operator is not installed, and may not be installed on demand."""


def ensure_installed(
    requirements: Sequence[Requirement], *, announce: Callable[[str], None]
) -> tuple[InstalledOperator, ...]:
    """Find operators for this process, installing what is missing if that is allowed.

    In a project with a lock, only what it pins is installed, exactly. Offline, weights
    come from the cache alone, too.

    :param announce: told once, in a sentence, before anything is installed, and all
        that ``Installer.warn`` is told.
    :raises OperatorMissing: if configuration, or the project's lock, forbids it.
    """
    from hub_client.config import HubConfig  # noqa: PLC0415  (settings at call time)
    from hub_client.environment import Environment  # noqa: PLC0415
    from hub_client.store import Store  # noqa: PLC0415

    config = HubConfig.load()
    if config.offline:
        _keep_weights_offline()
    environment = Environment.current()
    store = Store(config.cache_dir / "store")
    lock = _find_lock()
    missing = [
        each for each in requirements if not _is_here(each, environment, store, lock)
    ]
    if missing:
        _install(missing, environment, store, config, lock=lock, announce=announce)
    receipts = (environment.receipt(requirement.name) for requirement in requirements)
    found = (open_installed(receipt, store) for receipt in receipts if receipt)
    return tuple(each if lock is None else _with_pins(each, lock) for each in found)


def _keep_weights_offline() -> None:
    """Have Hugging Face's own tools use no network either, from now on.

    They read the variable once, as they are imported.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    if loaded := sys.modules.get("huggingface_hub.constants"):
        vars(loaded)["HF_HUB_OFFLINE"] = True


def _with_pins(installed: InstalledOperator, lock: Lockfile) -> InstalledOperator:
    """The operator, whose manifest names weights as the lock pins them.

    :raises ForeignWeights: if it pins others.
    """
    pinned = lock.operator(installed.manifest.name)
    if pinned is None or not pinned.weights:
        return installed
    from hub_client.weights import check_weights  # noqa: PLC0415  (seldom)

    check_weights(pinned, installed.manifest)
    manifest = replace(installed.manifest, weights=pinned.weights)
    return replace(installed, manifest=manifest)


def _is_here(
    requirement: Requirement,
    environment: Environment,
    store: Store,
    lock: Lockfile | None,
) -> bool:
    receipt = environment.receipt(requirement.name)
    pinned = lock.operator(requirement.name) if lock else None
    return (
        receipt is not None
        and requirement.accepts(receipt.version)
        and (pinned is None or pinned.tree == receipt.tree)
        and store.has(receipt.tree)
    )


def _install(  # noqa: PLR0913  (each is another room of the house)
    missing: Sequence[Requirement],
    environment: Environment,
    store: Store,
    config: HubConfig,
    *,
    lock: Lockfile | None,
    announce: Callable[[str], None],
) -> None:
    names = ", ".join(f"`{requirement.name}`" for requirement in missing)
    typed = " ".join(str(requirement) for requirement in missing)
    if config.install == "never":
        raise OperatorMissing(
            f"{names} is not installed, and configuration forbids installing on demand",
            hint=f"Run `hub install {typed}`",
        )
    if lock:
        _check_pinned(missing, lock)
    from hub_client.config import find_project_file  # noqa: PLC0415
    from hub_client.installer import Installer  # noqa: PLC0415  (slow, seldom needed)
    from hub_client.packages import PackageChangeRefused  # noqa: PLC0415
    from hub_client.sources.router import SourceRouter  # noqa: PLC0415

    project = find_project_file(Path.cwd())
    directory = project.parent if project else None
    router = SourceRouter.configured(config, directory=directory)
    installer = Installer(
        environment, store, router, config, directory=directory, warn=announce
    )
    announce(f"Installing {names} for `{environment.prefix}`, as it is used here first")
    try:
        with store.in_use(), environment.lock():
            installer.apply(
                installer.plan_pinned(missing, lock)
                if lock
                else installer.plan(missing, requested=False)
            )
    except PackageChangeRefused as error:
        way_on = "hub sync" if lock else f"hub install --yes {typed}"
        raise OperatorMissing(
            str(error), hint=f"Run `{way_on}`, which changes them"
        ) from error


def _find_lock() -> Lockfile | None:
    """The lock of the project that the current folder lies in, if it has one."""
    from hub_client.config import find_project_file  # noqa: PLC0415

    project = find_project_file(Path.cwd())
    file = project and project.with_name("hub.lock")
    if file is None or not file.is_file():
        return None
    status = file.stat()
    return _read_lock(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _read_lock(file: Path, *state: int) -> Lockfile:
    """Read a lock once for each state that it is in."""
    from hub_client.lockfile import Lockfile  # noqa: PLC0415

    del state
    return Lockfile.load(file)


def _check_pinned(missing: Sequence[Requirement], lock: Lockfile) -> None:
    for requirement in missing:
        pinned = lock.operator(requirement.name)
        if pinned is None or not requirement.accepts(pinned.version):
            said = f", but {pinned.version}" if pinned else ""
            raise OperatorMissing(
                f"`hub.lock` does not pin `{requirement}`{said}",
                hint=f"Run `hub add {requirement}`",
            )
