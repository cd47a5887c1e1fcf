"""Ray clusters on this machine, whose nodes have caches of their own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ray.cluster_utils import Cluster

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}


@pytest.fixture(scope="session")
def ray_folder() -> Iterator[Path]:
    """A folder whose name is short: sockets of Ray lie below it."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(ray_folder: Path) -> Iterator[Cluster]:
    """Two nodes with a processor each, that this process is connected to."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {
            **QUIET,
            "HOME": str(ray_folder / "home"),
            "TMPDIR": str(ray_folder),
            "RAY_TMPDIR": str(ray_folder),
            "HUB_CONFIG_DIR": str(ray_folder / "config"),
            # The batches are those that the operator asks for, in every process.
            "HUB_TUNE": "never",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }.items():
            patch.setenv(variable, value)
        import ray  # noqa: PLC0415  (the variables are read when it is imported)
        from ray.cluster_utils import Cluster  # noqa: PLC0415

        cluster = Cluster()
        for number in range(2):
            cache = str(ray_folder / f"node-{number}")
            cluster.add_node(
                num_cpus=1,
                object_store_memory=200 << 20,
                include_dashboard=False,
                env_vars={"HUB_CACHE_DIR": cache},
            )
        try:
            ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
