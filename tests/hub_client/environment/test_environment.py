from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub_client.environment import (
    Environment,
    EnvironmentUnwritable,
    InvalidEnvironment,
)

PYENV = Path.home() / ".pyenv" / "versions"


def script(path: Path, answer: str) -> Path:
    """A program that prints ``answer``, whatever it is asked."""
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    path.chmod(0o755)
    return path


def interpreter(path: Path, **facts: object) -> Path:
    """A program that answers as an interpreter does, with some facts of its own."""
    own = {
        "version": "3.11.7",
        "prefix": str(path.parent),
        "externally_managed": False,
        "path": [],
        "markers": {},
    }
    return script(path, json.dumps({**own, **facts}))


def test_the_current_environment_is_what_its_interpreter_says() -> None:
    current, opened = Environment.current(), Environment.open(Path(sys.executable))
    assert (current.python, current.prefix) == (opened.python, opened.prefix)
    assert current.python_version == opened.python_version
    assert current.markers == opened.markers
    assert current.externally_managed == opened.externally_managed
    # This process also has the folders of the tests.
    assert set(opened.path) <= set(current.path)
    assert current.installed_version("pytest") == opened.installed_version("PyTest")


def test_the_current_environment_starts_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    assert Environment.current().installed_version("pytest") == pytest.__version__


def test_the_folder_of_an_environment_stands_for_its_interpreter(
    target: Environment,
) -> None:
    assert target.python == target.prefix / "bin" / "python"
    assert Environment.open(target.python) == target


def test_a_relative_interpreter_is_found_from_elsewhere(
    target: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(target.prefix)
    assert Environment.open(Path("bin/python")).python == target.python


def test_a_name_is_the_file_here_before_it_is_one_on_the_path(
    target: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a shell does with `./python`, which a path writes as `python`.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    interpreter(elsewhere / "python")
    interpreter(elsewhere / "python3.99", version="3.99.0")
    monkeypatch.setenv("PATH", f"{elsewhere}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(target.prefix / "bin")
    assert Environment.open(Path("./python")) == target
    named = Environment.open(Path("python3.99"))
    assert named.python == elsewhere / "python3.99"
    assert named.python_version == "3.99.0"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("empty", "empty/bin/python` is not there"),
        ("missing", "missing` is not there"),
        ("note.txt", "note.txt` does not answer as a Python interpreter"),
        ("true", "true` does not answer as a Python interpreter"),
        ("chatty", "chatty` does not answer as a Python interpreter"),
        ("listing", "listing` does not answer as a Python interpreter"),
    ],
)
def test_what_is_no_interpreter_is_refused(
    path: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("no program")
    script(tmp_path / "true", "")
    script(tmp_path / "chatty", "Python 3.11.7")
    script(tmp_path / "listing", "[1]")
    with pytest.raises(InvalidEnvironment) as caught:
        Environment.open(tmp_path / path)
    assert str(caught.value) == f"`{tmp_path}/{said}"
    assert (
        caught.value.hint
        == "Name an interpreter, or the folder of a virtual environment"
    )


def test_an_old_interpreter_is_refused_with_a_way_on(tmp_path: Path) -> None:
    old = interpreter(tmp_path / "python", version="3.8.18")
    with pytest.raises(InvalidEnvironment) as caught:
        Environment.open(old)
    assert (
        str(caught.value)
        == f"`{old}` is Python 3.8.18, and operators need 3.11 or newer"
    )
    assert (
        caught.value.hint
        == "Make an environment with a newer one: `python3.11 -m venv`"
    )


@pytest.mark.parametrize("version", ["3.6", "3.8", "3.10"])
def test_a_real_old_interpreter_can_say_how_old_it_is(version: str) -> None:
    found = sorted(PYENV.glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} here")
    with pytest.raises(InvalidEnvironment, match=rf"is Python {version}\.\d+, and"):
        Environment.open(found[0])


def test_the_systems_own_environment_is_left_alone(tmp_path: Path) -> None:
    system = interpreter(tmp_path / "python", externally_managed=True)
    with pytest.raises(EnvironmentUnwritable) as caught:
        Environment.open(system).check_writable()
    assert str(caught.value) == f"`{tmp_path}` belongs to the operating system"
    assert (
        caught.value.hint == "Make an environment of your own: `python3 -m venv .venv`"
    )
    assert not (tmp_path / "share").exists()


def test_an_environment_that_cannot_be_written_is_refused(target: Environment) -> None:
    # Holds for root too, whom no permission stops.
    (target.prefix / "share").write_text("")
    for attempt in (target.check_writable, target.lock().__enter__):
        with pytest.raises(EnvironmentUnwritable) as caught:
            attempt()
        assert (
            str(caught.value) == f"Cannot write to `{target.prefix}`: Not a directory"
        )
        assert caught.value.hint == (
            "Make room there, or make an environment of your own: "
            "`python3 -m venv .venv`"
        )


def test_a_read_only_environment_is_refused(tmp_path: Path) -> None:
    """In a namespace of its own, where a mount may be read-only for root too."""
    code = (
        "import pathlib, sys\n"
        "from hub_client.environment import Environment, EnvironmentUnwritable\n"
        "try:\n"
        "    Environment.open(pathlib.Path(sys.argv[1])).check_writable()\n"
        "except EnvironmentUnwritable as error:\n"
        "    print(error)\n"
    )
    interpreter(tmp_path / "python")
    mounted = (
        f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path}"
    )
    words = ["unshare", "--mount", "sh", "-c", f'{mounted} || exit 77; exec "$@"', "sh"]
    try:
        done = subprocess.run(
            [*words, sys.executable, "-c", code, str(tmp_path / "python")],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
    except FileNotFoundError:
        pytest.skip("no `unshare` here")
    if done.returncode in {1, 77} and "Error" not in done.stderr:
        pytest.skip(f"no mount of one's own here: {done.stderr}")
    assert done.stderr == ""
    assert done.stdout == f"Cannot write to `{tmp_path}`: Read-only file system\n"
