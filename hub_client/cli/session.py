"""One run of a command: where it runs, and how it talks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_client.cli.console import Console
    from hub_client.config import HubConfig
    from hub_client.environment import Environment
    from hub_client.project import Project


@dataclass(frozen=True, slots=True)
class Session:
    """What every command starts from. What is slow to load is a method."""

    console: Console
    offline: bool | None = None

    def config(self, *, sources: Mapping[str, str] | None = None) -> HubConfig:
        """Read the configuration, with this run's flags on top."""
        from hub_client.config import HubConfig  # noqa: PLC0415

        return HubConfig.load(offline=self.offline, sources=sources)

    def environment(self, python: Path | None = None) -> Environment:
        """The environment of ``python``, or else the one that runs ``hub``."""
        from hub_client.environment import Environment  # noqa: PLC0415

        return Environment.current() if python is None else Environment.open(python)

    def project(self) -> Project | None:
        """The project of this folder, if it lies in one."""
        from hub_client.project import Project  # noqa: PLC0415

        return Project.find(Path.cwd())
