"""``hub.lock``: exactly which operators and Python packages a project runs with."""

from hub_client.lockfile.locked import LockedOperator, LockedPackage
from hub_client.lockfile.lockfile import (
    FORMAT_VERSION,
    InvalidLockfile,
    Lockfile,
    NewerLockfile,
    NoLockfile,
    UnfitLockfile,
    UnmergedLockfile,
    read_lock,
)

__all__ = [
    "FORMAT_VERSION",
    "InvalidLockfile",
    "LockedOperator",
    "LockedPackage",
    "Lockfile",
    "NewerLockfile",
    "NoLockfile",
    "UnfitLockfile",
    "UnmergedLockfile",
    "read_lock",
]
