"""A machine of its own: caches, an environment, a project, and publishers on disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forking import NEVER, Ended, Parent
from servers.git_repository import GitRepository
from servers.operator_files import operator_files, write_files
from servers.python_packages import PackageFolder, make_environment

from hub_client.lockfile import Lockfile
from hub_client.project import Project
from hub_client.store import Store

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from hub_client.environment import Environment

PAGES = {"README.md": b"# Echo\n", "LICENSE": b"Apache License\n"}


@dataclass(slots=True)
class World:
    """Everything that one row of commands works on."""

    folder: Path
    target: Environment
    store: Store
    parent: Parent
    """Its commands are forked from it."""
    variables: dict[str, str]
    published: list[str] = field(default_factory=list)
    """Versions of ``acme/embed``, oldest first."""

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def cache(self) -> Path:
        return self.folder / "home" / "cache"

    @property
    def into(self) -> list[str]:
        return ["--python", str(self.target.prefix)]

    @property
    def url(self) -> str:
        return f"file://{self.folder}/repositories"

    def repository(self, name: str) -> GitRepository:
        return GitRepository(self.folder / "repositories" / f"{name}.git")

    def release(self) -> None:
        """Publish the next version of ``acme/embed``."""
        version = f"1.{len(self.published)}.0"
        files = operator_files(
            "acme/embed",
            version,
            operators=["acme/blur"],
            packages=["hub-tensor>=1"],
            notes=version * 500,
        )
        self.repository("embed").release(version, files)
        self.published.append(version)

    def hub(
        self, *words: object, kill_after: float = NEVER, group: bool = True
    ) -> Ended:
        """Run a command in a process forked from one that has imported the code."""
        return self.parent.run(
            words, self.project, self.variables, kill_after=kill_after, group=group
        )

    def forget(self, moment: random.Random) -> None:
        """Undo a part of what was installed and fetched, as chance has it."""
        shutil.rmtree(self.target.prefix / "share", ignore_errors=True)
        if moment.random() < 0.7:
            shutil.rmtree(self.store.root / "sha256", ignore_errors=True)
        if moment.random() < 0.3:
            shutil.rmtree(self.cache / "git", ignore_errors=True)
        if moment.random() < 0.5:
            for left in self.target.prefix.glob("lib/*/site-packages/hub_tensor*"):
                shutil.rmtree(left)

    def check(self) -> None:
        """Assert that whatever can be seen is whole."""
        for digest in self.store.digests():
            self.store.verify(digest)
        packages = self.target.installed_packages()
        for receipt in self.target.receipts():
            assert self.store.has(receipt.tree), f"{receipt.name} has lost its tree"
            for text in receipt.packages:
                assert text.partition(">")[0] in packages
            for name in receipt.dependencies:
                assert self.target.receipt(name), f"{name} is missing"
        file = self.project / "hub.toml"
        Project.parse(file, file.read_text())
        if (lock := self.project / "hub.lock").exists():
            Lockfile.load(lock)

    def check_repositories(self) -> None:
        """Have git check its own, the mirrors and those that are published to."""
        for head in (*self.cache.glob("git/*/HEAD"), *self.folder.glob("r*/*/HEAD")):
            words = ["git", f"--git-dir={head.parent}", "fsck", "--strict"]
            done = subprocess.run(words, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr

    def age_unfinished_files(self) -> None:
        """Make the files of killed writers older than any write takes."""
        long_ago = time.time() - 3600
        for left in self.project.glob(".*.tmp"):
            os.utime(left, (long_ago, long_ago))

    def left_behind(self) -> list[Path]:
        """What a killed command left, and the next one should have cleared.

        A short list for uv may lie where temporary files do, but no copy of anything.
        """
        return [
            *(self.store.root / "staging").glob("*"),
            *self.project.glob(".*.tmp"),
            *(self.folder / "home" / "tmp").glob("*/*/"),
        ]


def make_world(folder: Path, parent: Parent) -> World:
    """Make a world whose commands are forked from ``parent``."""
    home, repositories = folder / "home", folder / "repositories"
    for each in (home / "tmp", home / "config", folder / "project", repositories):
        each.mkdir(parents=True)
    packages = PackageFolder(folder / "packages")
    packages.path.mkdir()
    packages.add("hub-tensor", "1.0")
    (home / "settings" / "uv").mkdir(parents=True)
    (home / "settings" / "uv" / "uv.toml").write_text(
        f'[pip]\nno-index = true\nfind-links = ["{packages.path}"]\n'
    )
    source = f"git+file://{repositories}/{{name}}.git"
    (home / "config" / "config.toml").write_text(
        f'trusted = ["git+file://{repositories}/"]\n[sources]\n"acme/*" = "{source}"\n'
    )
    (folder / "project" / "hub.toml").write_text('operators = ["acme/embed"]\n')
    for name in ("blur", "embed", "shelf"):
        GitRepository.create(repositories / f"{name}.git")
    variables = {
        "HOME": home,
        "TMPDIR": home / "tmp",
        "HUB_CACHE_DIR": home / "cache",
        "HUB_CONFIG_DIR": home / "config",
        "UV_CACHE_DIR": home / "uv",
        "XDG_CONFIG_HOME": home / "settings",
    }
    world = World(
        folder,
        make_environment(folder / "target"),
        Store(home / "cache" / "store"),
        parent,
        {**os.environ, **{key: str(value) for key, value in variables.items()}},
    )
    world.repository("blur").release("1.0.0", operator_files("acme/blur", "1.0.0"))
    world.release()
    return world


def write_work(world: World, version: str) -> None:
    """The folder of an author, who is about to publish this version."""
    files = {**operator_files("acme/shelf", version), **PAGES, "more.bin": bytes(99999)}
    write_files(world.folder / "work", files)
