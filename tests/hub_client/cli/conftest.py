from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

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


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "88")
    return Hub()


@pytest.fixture
def root() -> Path:
    return ROOT
