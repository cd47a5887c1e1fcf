from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder

    from hub_client.environment import Environment

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Hub:
    """The real command, as its own process."""

    module: str = "hub_client.cli"

    def words(self, *words: object) -> list[str]:
        return [sys.executable, "-m", self.module, *map(str, words)]

    def __call__(
        self, *words: object, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*words),
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **variables},
            timeout=120,
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


def steady(text: str) -> str:
    """The text with every duration as dots."""
    return re.sub(r"\b\d+(\.\d)? m?s\b|(?<=\"seconds\": )[\d.]+", "…", text)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "88")
    return Hub()


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
