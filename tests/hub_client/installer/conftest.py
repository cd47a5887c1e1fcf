from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub_client.config import HubConfig
from hub_client.installer import Installer
from hub_client.sources.router import SourceRouter
from hub_client.store import Store
from hub_client.trust import add_trusted

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder

    from hub_client.environment import Environment


@pytest.fixture
def installer(operators: OperatorFolder, target: Environment) -> Installer:
    """Installs into a new environment, from the publisher's folder, which is trusted."""
    add_trusted(HubConfig.load().config_dir, operators.spec)
    config = HubConfig.load(sources={"*": operators.spec})
    router = SourceRouter(config.sources, cache_dir=config.cache_dir)
    return Installer(target, Store(config.cache_dir / "store"), router, config)
