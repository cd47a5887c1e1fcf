"""Killed at any moment: what can be seen is whole, and the next command completes it."""

from __future__ import annotations

import random
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from forking import Parent, open_parent
from robustness.world import PAGES, World, make_world, write_work
from servers.operator_files import operator_files

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = 104
"""How often each command is really killed: 624 times in all."""
WORKERS = 2
TRIES = 4
"""A command that ends before it is killed does not count; so often it may."""


@dataclass(slots=True)
class Scenario:
    """One command, what comes before it each time, and what must be true after it."""

    world: World
    moment: random.Random
    words: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Make work for the command."""

    def check_killed(self) -> None:
        """Assert what must hold after a kill."""

    def check_done(self) -> None:
        """Assert what must hold after the next command."""

    def accepts(self, said: str) -> bool:
        """Whether it may fail with these words: the killed one had done it all."""
        del said
        return False

    def follow_hint(self, said: str) -> bool:
        """Do what these words ask of who owns a repository; whether they ask that."""
        del said
        return False


class Install(Scenario):
    name: ClassVar = "install"

    def prepare(self) -> None:
        self.world.forget(self.moment)
        self.words = ["install", "acme/embed", "--no-project", *self.world.into]

    def check_done(self) -> None:
        names = [str(each.name) for each in self.world.target.receipts()]
        assert names == ["acme/blur", "acme/embed"]


class Lock(Scenario):
    name: ClassVar = "lock"
    before = b""

    def prepare(self) -> None:
        world, self.words = self.world, ["lock", "--upgrade"]
        world.release()
        world.forget(self.moment)
        lock = world.project / "hub.lock"
        self.before = lock.read_bytes() if lock.exists() else b""

    def check_killed(self) -> None:
        lock, newest = self.world.project / "hub.lock", self.world.published[-1]
        if self.before:
            text = lock.read_bytes()
            assert text == self.before or f'"{newest}"'.encode() in text

    def check_done(self) -> None:
        text = (self.world.project / "hub.lock").read_text()
        assert f'version = "{self.world.published[-1]}"' in text


class Sync(Scenario):
    name: ClassVar = "sync"
    before = b""

    def prepare(self) -> None:
        lock = self.world.project / "hub.lock"
        if not lock.exists():
            assert self.world.hub("lock").status == 0
        self.before = lock.read_bytes()
        self.world.forget(self.moment)
        self.words = ["sync", "--locked", *self.world.into]

    def check_killed(self) -> None:
        assert (self.world.project / "hub.lock").read_bytes() == self.before

    def check_done(self) -> None:
        self.check_killed()
        assert len(self.world.target.receipts()) == 2


class Add(Scenario):
    name: ClassVar = "add"

    def prepare(self) -> None:
        self.world.forget(self.moment)
        (self.world.project / "hub.toml").write_text("operators = []\n")
        (self.world.project / "hub.lock").unlink(missing_ok=True)
        self.words = ["add", "acme/embed", *self.world.into]

    def asks(self) -> bool:
        return "acme/embed" in (self.world.project / "hub.toml").read_text()

    def check_killed(self) -> None:
        assert self.asks() or not (self.world.project / "hub.lock").exists()

    def check_done(self) -> None:
        assert self.asks()
        assert "acme/embed" in (self.world.project / "hub.lock").read_text()
        assert len(self.world.target.receipts()) == 2


class Publish(Scenario):
    name: ClassVar = "publish"
    patch = -1

    def prepare(self) -> None:
        self.patch += 1
        write_work(self.world, f"1.0.{self.patch}")
        address = f"git+{self.world.url}/shelf.git"
        work = str(self.world.folder / "work")
        self.words = ["publish", work, "--to", address, "--yes", "--no-run"]

    def files(self) -> set[str]:
        tag, repository = f"v1.0.{self.patch}", self.world.repository("shelf")
        if not repository.git("tag", "--list", tag):
            return set()
        return {*repository.git("ls-tree", "-r", "--name-only", tag).splitlines()}

    @property
    def whole(self) -> set[str]:
        return {*operator_files("acme/shelf", "1.0.0"), *PAGES, "more.bin"}

    def check_killed(self) -> None:
        assert self.files() in (set(), self.whole)

    def check_done(self) -> None:
        assert self.files() == self.whole

    def accepts(self, said: str) -> bool:
        return "is published already" in said

    def follow_hint(self, said: str) -> bool:
        left = re.search(r"a killed one left `([^`]+)`: delete it", said)
        if left is None:
            return False
        lock = Path(left[1]).resolve()
        assert lock.is_relative_to(self.world.repository("shelf").path.resolve())
        lock.unlink()
        return True


class Prune(Scenario):
    name: ClassVar = "prune"

    def prepare(self) -> None:
        world, self.words = self.world, ["cache", "prune"]
        if not world.target.receipts():
            words = ["install", "acme/embed", "--no-project", *world.into]
            assert world.hub(*words).status == 0
        for _ in range(self.moment.randint(5, 15)):
            content = self.moment.randbytes(1000)
            world.store.add(lambda tree: _fill(tree, content))  # noqa: B023  (at once)

    def check_killed(self) -> None:
        assert len(self.world.target.receipts()) == 2

    def check_done(self) -> None:
        needed = {each.tree for each in self.world.target.receipts()}
        assert {*self.world.store.digests()} == needed


def _fill(tree: Path, content: bytes) -> None:
    for number in range(10):
        (tree / f"{number}.bin").write_bytes(content)


def kill_again_and_again(scenario: Scenario, kills: int) -> None:
    """Kill the command, look, and run it whole; so many times."""
    world, killed = scenario.world, 0
    scenario.prepare()
    usual = world.hub(*scenario.words).seconds
    for _ in range(kills * TRIES):
        if killed == kills:
            break
        scenario.prepare()
        moment = scenario.moment.uniform(0, usual)
        group = scenario.moment.random() < 0.5
        ended = world.hub(*scenario.words, kill_after=moment, group=group)
        killed += ended.status == -signal.SIGKILL
        assert ended.status in (-signal.SIGKILL, 0), ended.said
        world.check()
        scenario.check_killed()
        done = world.hub(*scenario.words)
        # With all that it started, git died in the repository that was published to,
        # and holds a lock there for each branch and tag.
        while group and scenario.follow_hint(done.said):
            done = world.hub(*scenario.words)
        # Alone it leaves a git that goes on, and may be done before this one.
        if not group and "run this again" in done.said:
            done = world.hub(*scenario.words)
        assert done.status == 0 or scenario.accepts(done.said), done.said
        if ended.status == 0:
            continue
        # Slowly forgotten: others may keep this machine busier than it was.
        usual += (done.seconds - usual) / 8
        world.check()
        scenario.check_done()
    assert killed == kills
    # What the last killed ones left is swept too, once no living writer can own it.
    world.age_unfinished_files()
    scenario.prepare()
    for words in (scenario.words, ["cache", "prune"]):
        done = world.hub(*words)
        assert done.status == 0, done.said
    assert world.left_behind() == []
    world.check_repositories()


@pytest.fixture(scope="module")
def parents() -> Iterator[list[Parent]]:
    with ExitStack() as stack:
        yield [stack.enter_context(open_parent()) for _ in range(WORKERS)]


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "scenario", [Install, Sync, Lock, Add, Publish, Prune], ids=lambda each: each.name
)
def test_a_kill_at_any_moment_leaves_all_or_nothing_and_the_next_command_completes(
    scenario: type[Scenario], tmp_path: Path, parents: list[Parent]
) -> None:
    seed = time.time_ns()
    print(f"seed {seed}")  # shown if it fails

    def work(number: int) -> None:
        moment = random.Random(seed + number)  # noqa: S311  (moments, no secrets)
        world = make_world(tmp_path / str(number), parents[number])
        kill_again_and_again(scenario(world, moment), KILLS // WORKERS)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))
