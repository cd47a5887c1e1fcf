"""What a lock pins, as Ray makes environments of it on each node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def runtime_env(lock: Path) -> dict[str, Any]:
    """The value of ``runtime_env`` that gives workers a lock's Python packages.

    Ray makes the environment on each node that has workers, of the node's own and of
    these: exactly the locked versions, each file held against its hash.

    :param lock: a ``hub.lock``.
    :returns: nothing, if the lock pins no packages.
    :raises InvalidLockfile: if it does not read.
    """
    from hub_client.export.requirements import to_requirements  # noqa: PLC0415  (tomllib: 10 ms)
    from hub_client.lockfile import Lockfile  # noqa: PLC0415  (as above)

    text = to_requirements(Lockfile.load(lock).packages)
    if not text:
        return {}
    # One requirement is one line for Ray, and a lock's packages are complete.
    packages = text.replace(" \\\n   ", "").splitlines()
    options = ["--require-hashes", "--no-deps"]
    return {"uv": {"packages": packages, "uv_pip_install_options": options}}
