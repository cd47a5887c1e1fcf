"""Start the process that an operator is checked in, and read what it reports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub_client.config import HubConfig, find_project_file
from hub_client.publisher.workspace import open_workspace
from hub_client.sources import DIRECTORY
from hub_client.trust import locate
from plugin_spec.finding import Finding
from plugin_spec.tree_paths import walk_published
from towhee.checking.report import Report

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_SECONDS: Final = 900
_MODULE: Final = ("-P", "-m", "towhee.checking")
_LAST_LINES: Final = 3
_LAST_BYTES: Final = 1 << 12


def inspect(
    repository: Path,
    *,
    options: Mapping[str, object],
    fresh: bool = False,
    ignored: Collection[str] = (),
    seconds: float = _SECONDS,
) -> tuple[Finding, ...]:
    """Run the operator in ``repository`` on samples; its code runs as the user.

    A copy of it runs, in another process and in an empty folder. What a pipeline
    there misses is installed as the project of the current folder says.

    :param fresh: in an environment that has only what the manifest requires.
    :param ignored: what stays at home, as ``walk_published`` takes it.
    :param seconds: how long all of it may take.
    """
    config = HubConfig.load()
    with _ended_as_by_ctrl_c(), open_workspace(config.cache_dir) as folder:
        scratch = folder.resolve()
        copy = scratch / "operator"
        _copy(repository, copy, ignored)
        _write_configuration(config, scratch)
        python = Path(sys.executable)
        if fresh:
            from towhee.checking.fresh import prepare_fresh  # noqa: PLC0415  (slow)

            prepared = prepare_fresh(copy, scratch / "fresh")
            if isinstance(prepared, Finding):
                return (prepared,)
            python = prepared
        report = Report(scratch / "report.jsonl")
        ending = _run(python, copy, report, options, seconds, fresh=fresh)
        stage, findings = report.read()
    if ending is not None:
        mend = "Run its test, and look at what it leaves running or where it stops"
        findings.append(Finding("error", stage or "end", ending, mend))
    return tuple(findings)


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end what runs and remove what was copied, too."""
    usual = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _copy(repository: Path, target: Path, ignored: Collection[str]) -> None:
    """Copy what would be published."""
    for entry, path in walk_published(repository, ignored):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(entry.path, target / path)


def _write_configuration(config: HubConfig, folder: Path) -> None:
    """Let names lead below ``folder`` where they lead here."""
    import tomlkit  # noqa: PLC0415  (slow)

    project = find_project_file(Path.cwd())

    def here(spec: str) -> str:
        directory = project and project.parent
        return locate(spec, directory) if spec.startswith(DIRECTORY) else spec

    settings: dict[str, object] = {
        "offline": config.offline,
        "install": config.install,
        "installer": config.installer,
        "sources": {name: here(spec) for name, spec in config.sources.items()},
    }
    if config.narrowed is not None:
        settings["trusted"] = [here(entry) for entry in config.narrowed]
    text = tomlkit.dumps(settings)
    (folder / "hub.toml").write_text(text, encoding="utf-8")


def _run(  # noqa: PLR0913  (what a process is started with)
    python: Path,
    copy: Path,
    report: Report,
    options: Mapping[str, object],
    seconds: float,
    *,
    fresh: bool,
) -> str | None:
    """Wait for the process; say how it ended, if not as it should."""
    work = report.path.with_name("work")
    work.mkdir()
    said = report.path.with_name("said")
    its_stdin, held = os.pipe()
    # No pipe, which ends no earlier than all that the operator started.
    with said.open("wb") as its_stderr:
        process = subprocess.Popen(  # noqa: S603  (our own module)
            [python, *_MODULE, copy, report.path, json.dumps(options)],
            cwd=work,
            env=_environment(fresh=fresh),
            # It ends when nobody holds the other end.
            stdin=its_stdin,
            stdout=subprocess.DEVNULL,
            stderr=its_stderr,
            # A group of its own, so that what the operator started ends with it.
            start_new_session=True,
        )
    os.close(its_stdin)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"does not end within {seconds:g} seconds"
    finally:
        # Nobody may be left of it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(held)
    if process.returncode == 0 and report.read()[0] is None:
        return None
    by = {-each: f" by {each.name}" for each in signal.Signals}
    ending = f"ends the process{by.get(process.returncode, '')}"
    return ": ".join([ending, *filter(None, [" / ".join(_last_lines(said))])])


def _last_lines(file: Path) -> list[str]:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - _LAST_BYTES))
        text = opened.read().decode(errors="replace")
    return text.strip().splitlines()[-_LAST_LINES:]


def _environment(*, fresh: bool) -> dict[str, str]:
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        # What a busy machine measures decides nothing here.
        "HUB_TUNE": "never",
    }
    # The same packages as here; a fresh environment has its own alone.
    environment["PYTHONPATH"] = "" if fresh else os.pathsep.join(filter(None, sys.path))
    return environment
