"""A reader who types every code block of a page, top to bottom, in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, where it stands, and the file it is, if any."""

    language: str
    text: str
    line: int
    title: str | None


def blocks(markdown: str) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    for match in _FENCE.finditer(markdown):
        indent = len(match["indent"])
        text = "".join(
            line[indent:] if line.strip() else line
            for line in match["text"].splitlines(keepends=True)
        )
        line = markdown.count("\n", 0, match.start()) + 1
        yield Block(match["language"], text, line, match["title"])


class Reader:
    """Runs blocks as a person at a shell would: folder and variables stay.

    :param profile: what the shell reads first.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], profile: str = ""
    ) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._profile = profile

    def follow(self, block: Block) -> None:
        """Type one block; a block with a title is saved as that file.

        :raises AssertionError: with what the command printed.
        :raises KeyError: if this reader does not know the language.
        """
        if block.title is not None:
            path = self._folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        else:
            self._languages[block.language](self, block.text)

    def _bash(self, text: str) -> None:
        state = self._folder.parent / "shell-state"
        script = f"set -euo pipefail\n{self._profile}\n{text}\nset +u\npwd > '{state}'\nenv -0 >> '{state}'\n"
        self._run(["bash", "-c", script])
        folder, _, variables = state.read_text(encoding="utf-8").partition("\n")
        self._folder = type(self._folder)(folder)
        self._environment = dict(
            entry.split("=", 1) for entry in variables.split("\0") if "=" in entry
        )

    def _python(self, text: str) -> None:
        self._run(["python", "-W", "error::UserWarning", "-"], text)

    def _run(self, words: list[str], typed: str | None = None) -> None:
        done = subprocess.run(
            words,
            check=False,
            input=typed,
            stdin=subprocess.DEVNULL if typed is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._folder,
            env={**os.environ, **self._environment},
            timeout=600,
        )
        assert done.returncode == 0, f"{typed or words[-1]}\n{done.stdout}"

    def _toml(self, text: str) -> None:
        tomllib.loads(text)

    def _text(self, text: str) -> None:
        """What a program prints is no code."""

    _languages: ClassVar[dict[str, Callable[[Reader, str], None]]] = {
        "bash": _bash,
        "python": _python,
        "text": _text,
        "toml": _toml,
        "yaml": _text,
    }
