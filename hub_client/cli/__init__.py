"""The command line: ``hub``."""

from __future__ import annotations

import errno
import os
import re
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from hub_client.cli.streams import prepare_streams
from hub_client.loading import loading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub_client.cli.console import ColorChoice

__all__ = ["main"]

_REFUSED = 1
_USAGE = 2
_INTERRUPTED = 130
_VERBOSE = {"-v", "--verbose"}
_WAYS_ON: Final = {
    errno.ENOENT: "Check the name, and that its folder is there",
    errno.ENOSPC: "Make room on that disk, and run it again",
    errno.EDQUOT: "Make room within your quota, and run it again",
    errno.EROFS: "That disk is mounted read-only: name a folder on another one",
    errno.EACCES: "See who may read and write there",
    errno.EISDIR: "A file is expected there: move the folder away, or name another",
    errno.ENOTDIR: "A folder is expected there: name another",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and say what went wrong in words.

    :returns: 0 done, 1 refused or failed, 2 usage, 130 interrupted.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        prepare_streams()
        # Importing takes most of the time of a short command, so Ctrl-C can fall here.
        with loading() if arguments is None else nullcontext():
            command = _load()
        status = command.main(words, prog_name="hub", standalone_mode=False) or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough.
        _drop_unwritten()
        return _REFUSED
    except Exception as error:  # noqa: BLE001  (the last place that can put it in words)
        if not _is_abort(error):
            refused = _report(error, words)
            _drop_unwritten()
            return refused
        status = _INTERRUPTED
    if status == _INTERRUPTED:
        print("\nInterrupted; nothing half done is kept", file=sys.stderr)  # noqa: T201
    return status


def _drop_unwritten() -> None:
    """Leave nothing that stdout does not take: Python flushes once more at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_abort(error: Exception) -> bool:
    """Whether it is Ctrl-C, or the end of the input, at a question."""
    import typer  # noqa: PLC0415  (loaded by now)

    return isinstance(error, typer.Abort)


def _load() -> Any:  # noqa: ANN401  (click's, or typer's own)
    import typer  # noqa: PLC0415

    from hub_client.cli.app import app  # noqa: PLC0415
    from hub_client.cli.completion import enable_completion  # noqa: PLC0415

    enable_completion()
    return typer.main.get_command(app)


def _report(error: Exception, words: list[str]) -> int:
    from hub_client.cli.console import (  # noqa: PLC0415  (after the commands)
        choose_color,
        report,
    )
    from hub_client.text_of_others import visible  # noqa: PLC0415
    from plugin_spec.errors import HubError  # noqa: PLC0415

    if usage := _usage_problem(error, words):
        choose_color(_color(words))
        report(usage[0], hint=usage[1])
        return _USAGE
    if not _VERBOSE.isdisjoint(words):
        import traceback  # noqa: PLC0415

        print(  # noqa: T201
            visible("".join(traceback.format_exception(error))),
            end="",
            file=sys.stderr,
        )
    if isinstance(error, HubError):
        report(str(error), hint=error.hint)
    elif isinstance(error, FileNotFoundError) and _is_nowhere():
        report(
            "The current folder was deleted",
            hint="Change to another one, and run it again",
        )
    elif isinstance(error, OSError):
        report(_describe(error), hint=_WAYS_ON.get(error.errno or 0))
    else:
        report(
            f"`hub` has a bug: {type(error).__name__}: {error}",
            hint="Run it again with `-v` for the traceback, and report that",
        )
    return _REFUSED


def _is_nowhere() -> bool:
    """Whether the current folder is not there any more."""
    try:
        os.getcwd()  # noqa: PTH109  (Path would be imported for it)
    except FileNotFoundError:
        return True
    return False


def _usage_problem(
    error: Any,  # noqa: ANN401  (as below)
    words: list[str],
) -> tuple[str, str] | None:
    """What is wrong with the words of a command, and where to read what is right."""
    from typer import BadParameter  # noqa: PLC0415  (loaded by now)

    # The base is click's `UsageError`, wherever this release of typer keeps click.
    usage_error: type[Any] = BadParameter.__mro__[1]
    if not isinstance(error, usage_error):
        return None
    path = error.ctx.command_path if error.ctx else _command_path(words)
    return _worded(error.format_message()), f"`{path} --help` says what it takes"


def _color(words: list[str]) -> ColorChoice:
    """What ``--color`` says among words that were not understood.

    >>> _color(["--color", "always", "lits"]), _color(["list", "--color=blue"])
    ('always', 'auto')
    """
    said = " ".join(words).replace("--color=", "--color ")
    choices: tuple[ColorChoice, ...] = ("always", "never")
    return next((each for each in choices if f"--color {each}" in said), "auto")


def _worded(said: str) -> str:
    r"""What click says of a word, as our own messages are written.

    >>> _worded("No such option: --jon (Possible options: --json, --python)")
    'No such option `--jon`. Did you mean `--json` or `--python`?'
    >>> _worded("Invalid value for '--limit': 'many' is not a valid int range.")
    'Invalid value for `--limit`: expected a whole number, got `many`'
    >>> _worded("Invalid value for '--limit': 0 is not in the range x>=1.")
    'Invalid value for `--limit`: expected at least 1, got `0`'
    >>> _worded("No such command 'ad'. Did you mean 'add', 'audit', 'lock'?")
    'No such command `ad`. Did you mean `add`, `audit` or `lock`?'
    >>> _worded("Missing argument 'SHELL'. Choose from:\n\tbash,\n\tzsh")
    'Missing argument `SHELL`: `bash` or `zsh`'
    >>> _worded("Got unexpected extra argument(s) (a b)")
    'Too many arguments: `a b`'
    """
    from plugin_spec.wording import enumerated  # noqa: PLC0415  (for an error)

    message = said.removesuffix(".").replace("'", "`")
    message, _, choices = message.partition(". Choose from:")
    if choices:
        named = [f"`{each.strip()}`" for each in choices.split(",")]
        return f"{message}: {enumerated(named, 'or')}"
    message = re.sub(
        r"^Got unexpected extra arguments?(?:\(s\))? \((.*)\)$",
        r"Too many arguments: `\1`",
        message,
        flags=re.DOTALL,
    )
    message = re.sub(
        r"(\S+) is not in the range x>=(\d+)$",
        r"expected at least \2, got `\1`",
        message,
    )
    message = re.sub(r", (`[^`,]*`\?)$", r" or \1", message)
    message, _, near = message.partition(" (Possible options: ")
    message = re.sub(r"^No such option: (\S+)", r"No such option `\1`", message)
    message = re.sub(
        r"(`[^`]*`) is not a valid int(eger)?( range)?$",
        r"expected a whole number, got \1",
        message,
    )
    if near:
        options = [f"`{each}`" for each in near.removesuffix(")").split(", ")]
        message += f". Did you mean {enumerated(options, 'or')}?"
    return message


def _command_path(words: list[str]) -> str:
    """The command that words begin with, for an error that does not say."""
    import typer  # noqa: PLC0415  (loaded by now)

    from hub_client.cli.app import app  # noqa: PLC0415  (as well)

    path = "hub"
    command: Any = typer.main.get_command(app)
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
        path += f" {word}"
    return path


def _describe(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason}: `{error.filename}`" if error.filename else reason
