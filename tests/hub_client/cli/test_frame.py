from __future__ import annotations

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from servers.operator_files import operator_files

from hub_client import cli
from hub_client.cli.app import app
from hub_client.cli.command import new_group, register
from hub_client.cli.console import Console, report
from hub_client.cli.session import Session  # noqa: TC001  (as commands do)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers.git_repository import GitRepository

    from tests.hub_client.cli.conftest import Hub


def test_no_command_is_a_mistake_and_shows_the_page(hub: Hub) -> None:
    alone, helped = hub(), hub("--help")
    assert (alone.returncode, alone.stdout) == (2, "")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert alone.stderr == helped.stdout


def test_help_lists_every_command_by_subject(hub: Hub) -> None:
    page = hub("-h").stdout
    sections = dict(
        section.split("\n", 1) for section in page.split("\n\n") if "\n" in section
    )
    for subject, command, meaning in (
        ("Use", "install", "Install operators, and the Python packages that they need"),
        ("Project", "add", "Add operators to the project, lock it, and install them"),
        (
            "Publish",
            "check",
            "Check whether an operator could be published as it stands",
        ),
    ):
        assert re.search(
            rf"^  {command} +{re.escape(meaning)}$", sections[subject], re.MULTILINE
        )
    assert max(map(len, page.splitlines())) <= 80


@pytest.mark.parametrize("words", [[], ["trust"], ["cache"], ["index"]])
def test_each_command_has_one_line_on_a_page(hub: Hub, words: list[str]) -> None:
    page = hub(*words, "--help", COLUMNS="80").stdout
    listed = page.partition("COMMAND …")[2].partition("\nOptions\n")[0]
    for line in filter(None, listed.splitlines()):
        assert re.fullmatch(r"[A-Z]\w+|  [a-z]+ +[A-Z].*[^. ]", line)


def test_the_page_of_a_command_is_its_own_text(hub: Hub) -> None:
    assert hub("cache", "dir", "--help").stdout == (
        "Usage: hub cache dir\n"
        "\n"
        "Print the folder of the cache.\n"
        "\n"
        "Trees of operators, mirrors of git repositories and what else can be fetched\n"
        "again. Every environment shares it. Set HUB_CACHE_DIR to have it elsewhere.\n"
        "\n"
        "Options\n"
        "  --json      Print the result as JSON.\n"
        "  -h, --help  Show this message and exit.\n"
        "\n"
        "On every command\n"
        "  -q, --quiet         Say only what goes wrong.\n"
        "  -v, --verbose       Tell each step, and tracebacks of errors.\n"
        "  --offline           Use no network; fail if it would be needed.\n"
        "  --directory FOLDER  Run as if started in FOLDER.\n"
        "  --no-progress       Show no progress.\n"
        "  --color WHEN        `auto`, `always` or `never`.\n"
    )


def test_the_page_of_each_command_fits_80_columns() -> None:
    def pages(group: Any) -> Iterator[str]:  # noqa: ANN401  (typer's)
        for each in group.commands.values():
            yield each.help or ""
            yield from pages(each) if hasattr(each, "commands") else ()

    lines = "\n".join(pages(typer.main.get_command(app))).splitlines()
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize(
    ("words", "message", "command"),
    [
        (["lok"], "No such command `lok`. Did you mean `lock`?", "hub"),
        (["list", "--all"], "No such option `--all`", "hub list"),
        (
            ["list", "--jso"],
            "No such option `--jso`. Did you mean `--json`?",
            "hub list",
        ),
        (
            ["search", "a", "--limit", "many"],
            "Invalid value for `--limit`: expected a whole number, got `many`",
            "hub search",
        ),
        (
            ["list", "-q", "-v"],
            "Invalid value: `--quiet` and `--verbose` contradict each other",
            "hub list",
        ),
        (
            ["sync", "--locked", "--frozen"],
            "Invalid value: `--locked` and `--frozen` contradict each other",
            "hub sync",
        ),
        (
            ["instal"],
            "No such command `instal`. Did you mean `install`, `uninstall` or `list`?",
            "hub",
        ),
        (["list", "a", "b"], "Too many arguments: `a b`", "hub list"),
        (
            ["search", "a", "--limit", "0"],
            "Invalid value for `--limit`: expected at least 1, got `0`",
            "hub search",
        ),
        (
            ["completion"],
            "Missing argument `SHELL`: `bash`, `zsh` or `fish`",
            "hub completion",
        ),
        (["info"], "Missing argument `NAME`", "hub info"),
        (["bundle", "-o"], "Option `-o` requires an argument", "hub bundle"),
    ],
)
def test_a_wrong_word_is_explained_with_status_2(
    hub: Hub, words: list[str], message: str, command: str
) -> None:
    done = hub(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {message}\n\nhint: `{command} --help` says what it takes\n"
    )


def test_the_flags_of_every_command_may_come_before_it(hub: Hub) -> None:
    Path("project").mkdir()
    Path("project/hub.toml").write_text("cache-dir = ''\n", encoding="utf-8")
    before = hub("--directory", "project", "--color=always", "cache", "-q", "dir")
    after = hub("cache", "dir", "-q", "--directory", "project", "--color", "always")
    assert (before.returncode, before.stderr) == (after.returncode, after.stderr)
    assert before.stderr.startswith("\x1b[1;31merror\x1b[0m: `")
    assert hub("-q", "--offline").stderr == hub().stderr


@pytest.mark.parametrize("words", [["lok"], ["list", "--jso"], ["list", "-q", "-v"]])
def test_a_wrong_word_is_explained_in_the_colour_that_is_asked_for(
    hub: Hub, words: list[str]
) -> None:
    for said in (
        hub("--color", "always", *words).stderr,
        hub(*words, "--color=always", NO_COLOR="1").stderr,
    ):
        assert said.startswith("\x1b[1;31merror\x1b[0m: ")
    assert hub(*words, "--color", "never", FORCE_COLOR="1").stderr.startswith("error: ")


def test_help_may_be_asked_for_as_a_command(hub: Hub) -> None:
    assert hub("help", "trust", "add").stdout == hub("trust", "add", "--help").stdout
    assert hub("help").stdout == hub("--help").stdout
    assert hub("-q", "help", "trust").stdout == hub("trust", "--help").stdout
    assert hub("trust", "help", "add").stdout == hub("trust", "add", "--help").stdout


def test_a_folder_that_is_not_there_is_a_wrong_word(hub: Hub) -> None:
    assert hub("list", "--directory", "nowhere").returncode == 2


@pytest.mark.parametrize(
    ("command", "words", "reason"),
    [
        (
            ("bundle", "-o", "usb"),
            ("--platform", "macos-arm"),
            "expected a platform, got `macos-arm`: did you mean `macos-arm64`?",
        ),
        (("mirror", "usb"), ("--python", "2"), "expected a version as 3.12, got `2`"),
    ],
)
def test_a_platform_that_there_is_not_is_a_wrong_word(
    hub: Hub, command: tuple[str, ...], words: tuple[str, str], reason: str
) -> None:
    done = hub(*command, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: Invalid value for `{words[0]}`: {reason}\n\n"
        f"hint: `hub {command[0]} --help` says what it takes\n"
    )


def test_an_error_of_the_hub_is_a_message_and_a_hint_with_status_1(hub: Hub) -> None:
    done = hub("info", "image embedding")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: expected a requirement, got 'image embedding'\n"
        "\n"
        "hint: Write one as `image-embedding/timm>=1,<2`\n"
    )


def test_verbose_shows_the_traceback_too(hub: Hub) -> None:
    done = hub("info", "image embedding", "-v")
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert "\nerror: expected a requirement, got" in done.stderr


def test_verbose_tells_each_step_underneath(
    hub: Hub, repository: GitRepository
) -> None:
    repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    Path("hub.toml").write_text(f'[sources]\n"acme/*" = "git+{repository.url}"\n')
    done = hub("info", "acme/embed", "-v")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert any(f" {repository.url} " in line for line in lines)
    for line in lines:
        assert re.fullmatch(r"debug: git [a-z-]+ .*\(\d+\.\d\d s\)", line)
    assert done.stdout == hub("info", "acme/embed").stdout


def test_color_is_for_terminals_and_for_who_asks(hub: Hub) -> None:
    plain, red = "error: expected", "\x1b[1;31merror\x1b[0m: expected"
    assert hub("info", "A").stderr.startswith(plain)
    assert hub("info", "A", "--color", "always").stderr.startswith(red)
    assert hub("info", "A", FORCE_COLOR="1").stderr.startswith(red)
    assert hub("info", "A", FORCE_COLOR="1", NO_COLOR="1").stderr.startswith(plain)
    done = hub("info", "A", "--color", "never", FORCE_COLOR="1")
    assert done.stderr.startswith(plain)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_that_has_no_color_gets_none_unless_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(**variables: str) -> str:
        for name in ("TERM", "NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stderr", terminal := Terminal())
        report("broken")
        return terminal.getvalue()

    assert told(TERM="xterm") == "\x1b[1;31merror\x1b[0m: broken\n"
    assert told(TERM="dumb") == "error: broken\n"
    assert told(TERM="dumb", FORCE_COLOR="1") == told(TERM="xterm")


def test_a_terminal_that_cannot_be_drawn_over_gets_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Console().working("Verifying", total=1) as progress:
        progress.advance()
    assert terminal.getvalue() == "Verifying\n"
    assert not Console().is_live


@pytest.mark.parametrize(
    "words", [["lock"], ["env"], ["init", "acme/new"], ["search", "echo"]]
)
def test_a_folder_that_was_deleted_is_said_to_be(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert cli.main(words) == 1
    assert capsys.readouterr().err == (
        "error: The current folder was deleted\n\n"
        "hint: Change to another one, and run it again\n"
    )


def test_directory_is_where_the_command_runs(hub: Hub) -> None:
    Path("project").mkdir()
    Path("project/hub.toml").write_text("cache-dir = ''\n", encoding="utf-8")
    done = hub("cache", "dir", "--directory", "project")
    assert done.stderr.endswith("only the user's own configuration may set this\n")


def test_a_full_disk_under_the_output_is_one_error_with_status_1(hub: Hub) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no device that is always full")
    with full.open("w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "hub_client.cli", "env"],
            env=os.environ | {"PYTHONUNBUFFERED": ""},
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "error: No space left on device\n\n"
        "hint: Make room on that disk, and run it again\n"
    )


def test_a_reader_that_goes_away_is_no_error(hub: Hub) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        hub.words("cache", "dir"),
        check=False,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_what_an_encoding_lacks_is_spelt_out(hub: Hub, encoding: str) -> None:
    page = hub("--help", PYTHONIOENCODING=f"{encoding}:strict")
    assert page.returncode == 0
    program = (
        "from hub_client.cli.streams import prepare_streams;"
        "prepare_streams(); print('└ é \\udcff')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=True,
        capture_output=True,
    )
    lacks = "└ é".encode(encoding, errors="backslashreplace")
    assert done.stdout == lacks + b" \xff\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_error(hub: Hub, closed: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *hub.words("cache", "dir")],
        check=False,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("word", "status"), [("verify", 0), ("nonsense", 2)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_messages_that_cannot_be_written_change_nothing(
    hub: Hub, into: tuple[str, str], word: str, status: int, unbuffered: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for messages in (writing, os.open("/dev/full", os.O_WRONLY)):
        done = subprocess.run(
            hub.words(word, *into),
            check=False,
            stdout=subprocess.PIPE,
            stderr=messages,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
        assert done.returncode == status
        os.close(messages)


def test_completion_knows_the_commands(hub: Hub) -> None:
    done = hub(_HUB_COMPLETE="complete_bash", COMP_WORDS="hub ca", COMP_CWORD="1")
    assert done.stdout.split() == ["cache"]


@pytest.fixture
def run_as_command(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Callable[[Session], int | None]], int]:
    """A hub whose only command is a function of the test."""

    def run(function: Callable[[Session], int | None]) -> int:
        app = new_group()
        app.callback()(lambda: None)
        register(app, function, name="it")
        monkeypatch.setattr("hub_client.cli.app.app", app)
        return cli.main(["it"])

    return run


def test_ctrl_c_ends_with_one_line_and_130(
    run_as_command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(session: Session) -> None:
        raise KeyboardInterrupt

    assert run_as_command(interrupted) == 130
    assert capsys.readouterr() == ("", "\nInterrupted; nothing half done is kept\n")


def test_ctrl_c_while_the_program_loads_ends_it_alike() -> None:
    program = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *more):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from towhee.__main__ import main\n"
        "sys.exit(main())\n"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "\nInterrupted; nothing half done is kept\n"


def test_a_bug_says_that_it_is_one(
    run_as_command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(session: Session) -> None:
        raise ZeroDivisionError("division by zero")

    assert run_as_command(broken) == 1
    assert capsys.readouterr().err == (
        "error: `hub` has a bug: ZeroDivisionError: division by zero\n"
        "\n"
        "hint: Run it again with `-v` for the traceback, and report that\n"
    )


def test_an_error_of_the_system_names_the_file(
    run_as_command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def full(session: Session) -> None:
        raise OSError(28, "No space left on device", "/cache/file")

    assert run_as_command(full) == 1
    assert capsys.readouterr().err == (
        "error: No space left on device: `/cache/file`\n"
        "\n"
        "hint: Make room on that disk, and run it again\n"
    )


def test_what_a_command_returns_is_its_status(
    run_as_command: Callable[..., int],
) -> None:
    def failed(session: Session) -> int:
        return 1

    assert run_as_command(failed) == 1
    assert run_as_command(lambda session: None) == 0


def test_a_folder_that_is_missing_has_a_way_on(
    run_as_command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def lost(session: Session) -> None:
        Path("nowhere/file").write_text("")

    assert run_as_command(lost) == 1
    assert capsys.readouterr().err == (
        "error: No such file or directory: `nowhere/file`\n"
        "\n"
        "hint: Check the name, and that its folder is there\n"
    )
