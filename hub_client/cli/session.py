"""One run of a command: where it runs, and how it talks."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hub_client.cli.console import Console
    from hub_client.config import HubConfig
    from hub_client.environment import Environment
    from hub_client.installer import Installer
    from hub_client.needs import Needs
    from hub_client.project import Project
    from hub_client.sources.router import SourceRouter
    from hub_client.store import Store


@dataclass(frozen=True, slots=True)
class Session:
    """What every command starts from. What is slow to load is a method."""

    console: Console
    offline: bool = False
    """Whether a flag says so; if not, configuration may."""
    ending: ExitStack = field(default_factory=ExitStack)
    """What is done when the command ends."""
    _holding: list[Path] = field(default_factory=list)

    def config(self, *, sources: Mapping[str, str] | None = None) -> HubConfig:
        """Read the configuration; ``sources`` are this run's own rules."""
        from hub_client.config import HubConfig  # noqa: PLC0415

        return HubConfig.load(sources=sources, offline=self.offline or None)

    def environment(self, python: Path | None = None) -> Environment:
        """The environment of ``python``, or else the one that runs ``hub``."""
        from hub_client.environment import Environment  # noqa: PLC0415

        return Environment.current() if python is None else Environment.open(python)

    def project(self) -> Project | None:
        """The project that this folder lies in, if it lies in one."""
        from hub_client.project import Project  # noqa: PLC0415

        return Project.find(Path.cwd())

    def needs(self) -> Needs:
        """What the project's lock pins for whom; outside a project, what is installed.

        :raises InvalidLockfile: if there is a project, and no lock that reads.
        """
        from hub_client.lockfile import Lockfile  # noqa: PLC0415
        from hub_client.needs import Needs  # noqa: PLC0415

        project = self.project()
        if project is None:
            return Needs.of_environment(self.environment())
        lock = Lockfile.load(project.lock_path)
        return Needs.of_lock(lock, {each.name: str(each) for each in project.operators})

    def router(
        self,
        config: HubConfig | None = None,
        *,
        sources: Mapping[str, str] | None = None,
        trust_all: bool = False,
    ) -> SourceRouter:
        """The sources as configured; a relative one starts at the project.

        :param trust_all: trust every one.
        """
        from hub_client.sources.router import SourceRouter  # noqa: PLC0415

        config = config or self.config(sources=sources)
        return SourceRouter.configured(
            config,
            directory=self.project_folder(),
            on_remote=self.hold_cache,
            trust_all=trust_all,
        )

    def installer(
        self,
        *,
        python: Path | None = None,
        sources: Mapping[str, str] | None = None,
        trust_all: bool = False,
        sdists: Collection[str] = (),
    ) -> Installer:
        """What plans and installs into the environment of ``python``."""
        from hub_client.cli.trust_once import TrustOnce  # noqa: PLC0415
        from hub_client.installer import Installer  # noqa: PLC0415

        config = self.config(sources=sources)
        router = self.router(config, trust_all=trust_all)
        return Installer(
            self.environment(python),
            self.store(),
            router,
            config,
            directory=self.project_folder(),
            trust_all=trust_all,
            on_trust=TrustOnce(self.console, router, self.store()).tell,
            warn=self.console.warn,
            sdists=sdists,
            live=self.console.is_live,
        )

    def project_folder(self) -> Path | None:
        """The folder of the project that this folder lies in."""
        from hub_client.config import find_project_file  # noqa: PLC0415

        file = find_project_file(Path.cwd())
        return None if file is None else file.parent

    def store(self) -> Store:
        """The store that every environment shares."""
        from hub_client.store import Store  # noqa: PLC0415

        return Store(self.config().cache_dir / "store")

    def hold_cache(self) -> None:
        """See to it that nothing is removed from the cache until the command ends."""
        if not self._holding:
            store = self.store()
            self._holding.append(store.root)
            self.ending.enter_context(store.in_use())
