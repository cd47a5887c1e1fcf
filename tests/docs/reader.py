"""A reader who types every code block of a page, top to bottom, in one folder."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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


_SECONDS = 600
_START = "import sys; exec(open(sys.argv[1]).read(), {'__name__': 'notebook'})"


class Notebook:
    """Python blocks that nothing else comes between: torch is imported once for all."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        theirs, self._cells = os.pipe()
        self._reports, reports = os.pipe()
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  (closed by close)
        driver = Path(__file__).with_name("notebook.py")
        words = ["python", "-W", "error::UserWarning", "-c", _START, driver]
        self._process = subprocess.Popen(
            [*words, str(theirs), str(reports)],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **environment},
            pass_fds=(theirs, reports),
        )
        os.close(theirs)
        os.close(reports)

    def run(self, cell: str) -> None:
        """Run a cell to its end.

        :raises AssertionError: with what the notebook has printed.
        """
        os.write(self._cells, json.dumps(cell).encode() + b"\n")
        ready, _, _ = select.select([self._reports], [], [], _SECONDS)
        ended_well = ready and os.read(self._reports, 1) == b"0"
        assert ended_well, f"{cell}\n{self._printed()}"

    def close(self) -> None:
        """End it as a person does.

        :raises AssertionError: if the interpreter does not end well.
        """
        os.close(self._cells)
        try:
            status = self._process.wait(_SECONDS)
            assert status == 0, self._printed()
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._reports)
            self._said.close()

    def _printed(self) -> str:
        self._said.seek(0)
        return self._said.read()


class Reader:
    """Runs blocks as a person would: at a shell, and Python in a notebook.

    Folder and variables stay. A notebook begins anew after anything else was done.

    :param profile: what the shell reads first.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], profile: str = ""
    ) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._profile = profile
        self._notebook: Notebook | None = None

    def follow(self, block: Block) -> None:
        """Type one block; a block with a title is saved as that file.

        :raises AssertionError: with what the command printed.
        :raises KeyError: if this reader does not know the language.
        """
        if block.title is not None:
            self.close()
            path = self._folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        else:
            self._languages[block.language](self, block.text)

    def close(self) -> None:
        """End the notebook, if there is one.

        :raises AssertionError: if it does not end well.
        """
        notebook, self._notebook = self._notebook, None
        if notebook is not None:
            notebook.close()

    def _bash(self, text: str) -> None:
        self.close()
        state = self._folder.parent / "shell-state"
        script = f"set -euo pipefail\n{self._profile}\n{text}\nset +u\npwd > '{state}'\nenv -0 >> '{state}'\n"
        done = subprocess.run(
            ["bash", "-c", script],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._folder,
            env={**os.environ, **self._environment},
            timeout=_SECONDS,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        folder, _, variables = state.read_text(encoding="utf-8").partition("\n")
        self._folder = Path(folder)
        self._environment = dict(
            entry.split("=", 1) for entry in variables.split("\0") if "=" in entry
        )

    def _python(self, text: str) -> None:
        if self._notebook is None:
            self._notebook = Notebook(self._folder, self._environment)
        self._notebook.run(text)

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
