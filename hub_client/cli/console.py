"""What a command prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TextIO, TypeAlias

from hub_client.text_of_others import visible
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hub_client.cli.progress import Progress
    from hub_client.transfer import Advance

ColorChoice: TypeAlias = Literal["auto", "always", "never"]

_STYLES: Final = {
    "error": "1;31",
    "warning": "1;33",
    "hint": "1;36",
    "debug": "2",
    "+": "32",
    "~": "33",
    "-": "31",
}
_LONG_TRANSFER: Final = 1 << 20
"""Bytes; what is shorter has arrived before one could read how far it is."""
_MARKED = re.compile(r"^(?:(error|warning|hint|debug)(?=:)|([+~-])(?= ))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Console:
    """Where a command's words go."""

    quiet: bool = False
    progress: bool = True
    verbose: bool = False

    @property
    def is_live(self) -> bool:
        """Whether something that moves may be drawn."""
        from hub_client.cli.progress import can_draw  # noqa: PLC0415  (as below)

        return self.progress and not self.quiet and can_draw()

    def result(self, text: str) -> None:
        """Print what the user asked for."""
        _write(sys.stdout, text)

    def result_json(self, value: object) -> None:
        """Print what a program asked for."""
        sys.stdout.write(json.dumps(value, indent=2) + "\n")

    def say(self, text: str) -> None:
        """Tell what happens, unless the user wants quiet."""
        if not self.quiet:
            _write(sys.stderr, text)

    def detail(self, text: str) -> None:
        """Tell what goes on underneath."""
        _write(sys.stderr, f"debug: {text}")

    def warn(self, text: str) -> None:
        """Tell what the user should know in any case."""
        _write(sys.stderr, f"warning: {text}")

    def problem(self, text: str) -> None:
        """Tell why the command will not exit with 0."""
        _write(sys.stderr, text)

    @contextmanager
    def working(self, text: str, *, total: int | None = None) -> Iterator[Progress]:
        """Show that work goes on: a bar on a terminal, otherwise one line."""
        from hub_client.cli.progress import open_progress  # noqa: PLC0415

        shown = self.progress and not self.quiet
        with open_progress(text, total=total, shown=shown) as progress:
            yield progress

    @contextmanager
    def transfer(self, text: str, total: int) -> Iterator[Advance]:
        """Show bytes that arrive, on a terminal; a short transfer is not shown."""
        if not self.is_live or total < _LONG_TRANSFER:
            yield lambda _arrived: None
            return
        from hub_client.cli.progress import open_transfer  # noqa: PLC0415  (slow)

        with open_transfer(text, total) as advance:
            yield advance


class Declined(HubError):
    """The user was asked, and said no."""

    def __init__(self) -> None:
        super().__init__("You said no, and nothing was changed")


def confirm(question: str, *, unasked: HubError) -> None:
    """Ask on a terminal.

    :param unasked: raised if nobody is there to ask.
    :raises Declined: if the answer is no.
    """
    import typer  # noqa: PLC0415  (slow; loaded by then)

    if not sys.stdin.isatty():
        raise unasked
    if not typer.confirm(visible(question), err=True):
        raise Declined


def report(message: str, *, hint: str | None = None) -> None:
    """Print an error, and below it what to do about it."""
    text = f"error: {message}"
    if hint:
        text += f"\n\nhint: {hint}"
    _write(sys.stderr, text)


def format_table(rows: Iterable[tuple[str, ...]]) -> str:
    """Align columns, two spaces apart.

    >>> print(format_table([("a", "1.0"), ("bcd", "2")]))
    a    1.0
    bcd  2
    """
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def format_count(number: int, noun: str) -> str:
    """A number and its noun.

    >>> format_count(1, "operator"), format_count(31, "Python package")
    ('1 operator', '31 Python packages')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_size(number: int) -> str:
    """Bytes in the unit a person would use.

    >>> format_size(512), format_size(2_097_152), format_size(1_610_612_736)
    ('512 B', '2.0 MiB', '1.5 GiB')
    """
    size, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:  # noqa: PLR2004  (as the units are named)
            break
        size, unit = size / 1024, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def format_duration(seconds: float) -> str:
    """A duration in the unit a person would use.

    >>> format_duration(0.0123), format_duration(14.2), format_duration(125)
    ('12 ms', '14.2 s', '2 min 5 s')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004  (a minute)
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def choose_color(choice: ColorChoice) -> None:
    """Decide for this process and those that it starts whether output is coloured."""
    if choice == "auto":
        return
    os.environ.pop("NO_COLOR", None)
    os.environ.pop("FORCE_COLOR", None)
    os.environ["FORCE_COLOR" if choice == "always" else "NO_COLOR"] = "1"


def _write(stream: TextIO, text: str) -> None:
    text = visible(text)
    if _is_coloured(stream):
        text = _MARKED.sub(_styled, text)
    stream.write(f"{text}\n")


def _is_coloured(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _styled(match: re.Match[str]) -> str:
    return f"\x1b[{_STYLES[match[0]]}m{match[0]}\x1b[0m"
