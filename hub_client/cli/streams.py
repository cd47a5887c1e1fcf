"""The three standard streams, so that any text can be written to what is there."""

from __future__ import annotations

import codecs
import io
import os
import sys

_SPELT_OUT = "hub_client.spelt-out"


class _Messages(io.TextIOWrapper):
    """Standard error, on which no command depends: its exit status tells as well."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            self._go_nowhere()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            self._go_nowhere()

    def _go_nowhere(self) -> None:
        # What is left in buffers would otherwise fail once more, at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


def prepare_streams() -> None:
    """Give each stream that was closed something, and each encoding a way out."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    # In their order, so that each that is opened gets the number that it should have.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
            setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            codecs.register_error(_SPELT_OUT, _spell_out)
            stream.reconfigure(errors=_SPELT_OUT)
    messages = sys.stderr
    if isinstance(messages, io.TextIOWrapper) and messages is sys.__stderr__:
        sys.stderr = _Messages(
            messages.buffer,
            encoding=messages.encoding,
            errors=_SPELT_OUT,
            line_buffering=True,
        )


def _spell_out(error: UnicodeError) -> tuple[str | bytes, int]:
    """What an encoding lacks as an escape; bytes of a file's name as they are."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)
