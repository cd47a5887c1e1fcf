from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub_client.packages import open_installer

if TYPE_CHECKING:
    from hub_client.packages import PackageInstaller


@pytest.fixture(params=["uv", pytest.param("pip", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    """Each program in turn: what one does, the other does."""
    return request.param


@pytest.fixture
def installer(kind: str) -> PackageInstaller:
    return open_installer(kind)
