"""The scripts for shells, run by those shells; one that is not here is passed over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from tests.hub_client.cli.conftest import Hub

# After what is offered for a line, each prints a mark of its own.
BASH = """
eval "$(hub completion bash)"
for typed; do
    read -ra COMP_WORDS <<< "$typed"
    [[ $typed == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    $(complete -p hub | sed 's/.*-F \\([^ ]*\\) .*/\\1/') hub
    printf '%s\\n' "${COMPREPLY[@]}" .
done
"""
# What the script hands to zsh's own machinery is evaluated as that would, and printed.
ZSH = """
autoload -U compinit && compinit -u -D
eval "$(hub completion zsh)"
_files() { }
_arguments() {
    local each=${${1#*\\(\\(}%\\)\\)}
    eval "print -rl -- $each"
}
for typed; do
    words=(${(s: :)typed})
    [[ $typed == *" " ]] && words+=("")
    CURRENT=$#words
    $_comps[hub]
    print .
done
"""
FISH = """
hub completion fish | source
for typed in $argv
    complete --do-complete "$typed"
    echo .
end
"""
SHELLS = {
    "bash": ("bash", "--norc", "-c", BASH, "_"),
    "zsh": ("zsh", "-f", "-c", ZSH, "_"),
    "fish": ("fish", "--no-config", "-c", FISH),
}


@pytest.fixture(params=SHELLS)
def shell(
    request: pytest.FixtureRequest,
    hub: Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[str, ...]:
    """How to start a shell that is installed, with `hub` on its path."""
    name, *words = SHELLS[request.param]
    if (program := shutil.which(name)) is None:
        pytest.skip(f"{name} is not installed")
    script = tmp_path / "bin" / "hub"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {hub.module} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    return (program, *words)


def offered(shell: tuple[str, ...], *typed: str) -> list[list[str]]:
    """What a shell offers for each line, without the descriptions beside it."""
    done = subprocess.run(
        [*shell, *typed], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    *printed, end = f"\n{done.stdout}".split("\n.\n")
    assert (len(printed), end) == (len(typed), "")
    lines = (filter(None, each.splitlines()) for each in printed)
    return [
        [line.partition("\t")[0].partition(":")[0] for line in each] for each in lines
    ]


def test_a_shell_completes_what_the_command_line_knows(shell: tuple[str, ...]) -> None:
    expected = {
        "hub ca": ["cache"],
        "hub trust r": ["remove"],
        "hub list --co": ["--color"],
        "hub list --color ": ["always", "auto", "never"],
        "hub --color ": ["always", "auto", "never"],
        "hub --color=never trust --no-": ["--no-progress"],
    }
    found = map(sorted, offered(shell, *expected))
    assert dict(zip(expected, found, strict=True)) == expected


def test_a_shell_completes_names_of_operators(
    shell: tuple[str, ...], shelf: OperatorFolder
) -> None:
    shelf.publish("acme/embed", "1.0.0")
    assert offered(shell, "hub info acme/") == [["acme/embed"]]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("hub lock --upgrade acme/", ["acme/embed"]),
        ("hub lock --upgrade hub-", ["hub-tensor"]),
        ("hub tree ", ["acme/embed"]),
        ("hub why ", ["acme/embed", "hub-tensor"]),
    ],
)
def test_a_shell_completes_what_is_locked(
    hub: Hub,
    shelf: OperatorFolder,
    python_packages: PackageFolder,
    typed: str,
    expected: list[str],
) -> None:
    python_packages.add("hub-tensor", "1.0")
    shelf.publish("acme/embed", "1.0.0", packages=["hub-tensor"])
    Path("hub.toml").write_text('operators = ["acme/embed"]')
    assert hub("lock").returncode == 0
    words = typed.split(" ")
    done = hub(
        _HUB_COMPLETE="complete_bash",
        COMP_WORDS=typed,
        COMP_CWORD=str(len(words) - 1),
    )
    assert done.stdout.split() == expected


def test_where_a_file_belongs_no_name_is_offered(shell: tuple[str, ...]) -> None:
    Path("folder").mkdir()
    assert offered(shell, "hub check fol") in ([[]], [["folder/"]])


def test_configuration_that_does_not_read_spoils_no_completion(hub: Hub) -> None:
    Path("hub.toml").write_text("offline = 3\n")
    done = hub(_HUB_COMPLETE="complete_bash", COMP_WORDS="hub info x", COMP_CWORD="2")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_an_unknown_shell_is_a_wrong_word(hub: Hub) -> None:
    done = hub("completion", "tcsh")
    assert done.returncode == 2
    assert done.stderr.startswith("error: Invalid value for `SHELL`: `tcsh` is not one")
