"""Ray clusters on this machine, whose nodes have caches of their own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from towhee import DataCollection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ray.cluster_utils import Cluster

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}


EMBED = """
import numpy as np
from plugin_spec import EmbeddingSpace

class Subject(Operator):
    def __init__(self, layer="last"):
        self.layer = layer

    @property
    def space(self):
        return EmbeddingSpace("test/embed", "tiny", "sha256:00", layer=self.layer)

    def __call__(self, value):
        return np.array([value, 1.0])
"""


@pytest.fixture
def photos(publish: Callable[..., Path], tmp_path: Path) -> str:
    """A faiss folder of two vectors by ``test/embed`` with its last layer."""
    parameters = {"layer": {"type": "string"}}
    vector = [{"name": "vector", "type": "vector"}]
    publish(EMBED, name="test/embed", outputs=vector, parameters=parameters)
    source = f"dir:{tmp_path / 'source'}"
    (tmp_path / "work" / "hub.toml").write_text(f'[sources]\n"test/*" = "{source}"\n')
    DataCollection([1, 2]).test.embed().to_faiss(tmp_path / "photos")
    return str(tmp_path / "photos")


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
