from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forking import NEVER, ROOT, Parent, open_parent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servers.operator_files import OperatorFolder

    from hub_client.environment import Environment


FORKED = "hub_client.cli"


@dataclass(frozen=True, slots=True)
class Hub:
    """The real command, as its own process."""

    parent: Parent
    module: str = FORKED

    def words(self, *words: object) -> list[str]:
        return [sys.executable, "-m", self.module, *map(str, words)]

    def __call__(
        self, *words: object, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **variables}
        same = _by_python(environment) == _by_python(self.parent.environment)
        if same and self.module == FORKED:
            ended = self.parent.run(words, Path.cwd(), environment)
            return subprocess.CompletedProcess(
                self.words(*words), ended.status, ended.output, ended.errors
            )
        return subprocess.run(
            self.words(*words),
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=environment,
            timeout=NEVER,
        )

    def result(self, *words: object) -> str:
        """What a command prints on stdout, where it prints nothing else."""
        done = self(*words)
        assert (done.returncode, done.stderr) == (0, "")
        return steady(done.stdout)

    def said(self, *words: object) -> str:
        """What a command that succeeds says on stderr, and nothing on stdout."""
        done = self(*words)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        return steady(done.stderr)

    def refused(self, *words: object) -> str:
        """What a command says that exits with 1."""
        done = self(*words)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    def drawn(self, *words: object) -> bytes:
        """What a command that succeeds draws on a terminal."""
        terminal, child = pty.openpty()
        typed = self.words(*words)
        with subprocess.Popen(typed, stderr=child, stdin=subprocess.DEVNULL) as process:
            os.close(child)
            drawn = b""
            with suppress(OSError):  # how Linux says that the other end closed
                while part := os.read(terminal, 4096):
                    drawn += part
        os.close(terminal)
        assert process.returncode == 0
        return drawn


def _by_python(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that Python reads as it starts."""
    read = ("PYTHON", "LANG", "LC_")
    return {k: v for k, v in environment.items() if k.startswith(read)}


def steady(text: str) -> str:
    """The text with every duration as dots."""
    return re.sub(r"\b\d+(\.\d)? m?s\b|(?<=\"seconds\": )[\d.]+", "…", text)


@pytest.fixture(scope="session")
def parent() -> Iterator[Parent]:
    with open_parent() as parent:
        yield parent


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, parent: Parent) -> Hub:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "88")
    return Hub(parent)


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def shelf(operators: OperatorFolder) -> OperatorFolder:
    """The publisher's folder, which the user configured and trusts."""
    folder = Path(os.environ["HUB_CONFIG_DIR"])
    folder.mkdir()
    settings = (
        f'trusted = ["{operators.spec}"]\n\n[sources]\n"acme/*" = "{operators.spec}"\n'
    )
    (folder / "config.toml").write_text(settings)
    return operators


@pytest.fixture
def into(target: Environment) -> tuple[str, str]:
    """The flag for an environment of the test's own."""
    return ("--python", str(target.prefix))
