from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_client.bug_report import BugReport
from hub_client.environment import Environment

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder

    from tests.hub_client.cli.conftest import Hub

SECRETS = ("s3cret", "hf_0123456789abcdef", "glpat-0123456789")


def write_config(text: str) -> Path:
    folder = Path(os.environ["HUB_CONFIG_DIR"])
    folder.mkdir(exist_ok=True)
    file = folder / "config.toml"
    file.write_text(text)
    return file


def test_a_bug_report_says_what_decided_each_value(hub: Hub) -> None:
    home = Path.home()
    write_config(
        'trusted = ["git+https://git.acme.example/"]\n[sources]\n"a/*" = "dir:/ops"\n'
    )
    Path("hub.toml").write_text('operators = []\ninstaller = "uv"\n')

    report = json.loads(hub("env", "--json", "--offline", HUB_TUNE="never").stdout)

    decided = {
        each["key"]: (each["value"], each["origin"]) for each in report["settings"]
    }
    user, project = os.environ["HUB_CONFIG_DIR"], str(Path("hub.toml").absolute())
    user = user.replace(str(home), "~")
    assert decided["offline"] == (True, "--offline")
    assert decided["tune"] == ("never", "HUB_TUNE")
    assert decided["installer"] == ("uv", project.replace(str(home), "~"))
    assert decided["install"] == ("on-demand", "default")
    assert decided["trusted"] == (
        ["git+https://git.acme.example/"],
        f"{user}/config.toml",
    )
    assert report["sources"] == [
        {"key": "*", "value": "bundled", "origin": "default", "problem": None},
        {
            "key": "a/*",
            "value": "dir:/ops",
            "origin": f"{user}/config.toml",
            "problem": "The source's folder `/ops` does not exist",
        },
    ]
    (problem,) = report["problems"]
    assert problem.startswith(f"`dir:/ops` for `a/*` in `{user}/config.toml`: The so")
    assert "HUB_TUNE" in report["variables"]
    assert "HUB_OFFLINE" not in report["variables"]


def test_a_bug_report_tells_no_secret_and_no_home(hub: Hub) -> None:
    home = Path.home()
    write_config(
        f'trusted = ["git+https://{SECRETS[2]}@git.acme.example/"]\n'
        "[sources]\n"
        f'"a/*" = "git+https://me:{SECRETS[0]}@git.acme.example/{{name}}.git"\n'
        f'"b/*" = "hf+https://acme.example/b/{{name}}?token={SECRETS[0]}"\n'
        f'"c/*" = "dir:{home}/operators"\n'
    )
    for words in (["env"], ["env", "--json"]):
        done = hub(*words, HF_TOKEN=SECRETS[1], HTTPS_PROXY=f"http://u:{SECRETS[0]}@p")
        for secret in (*SECRETS, str(home)):
            assert secret not in done.stdout + done.stderr
        assert "git+https://***@git.acme.example/{name}.git" in done.stdout
        assert "HF_TOKEN" in done.stdout
        assert "HTTPS_PROXY" in done.stdout


def test_a_bug_report_is_printed_although_configuration_does_not_read(hub: Hub) -> None:
    file = write_config("offline = 3\n")
    done = hub("env")
    assert done.returncode == 1
    assert done.stdout.startswith("Versions\n  hub       ")
    assert "Settings\n" not in done.stdout
    assert done.stderr == (
        f"error: `{str(file).replace(str(Path.home()), '~')}` "
        "is not a valid configuration\n"
        "  offline: expected `true` or `false`, got 3\n"
    )


@pytest.mark.parametrize(
    ("pattern", "spec", "problem"),
    [
        ("a/*", "https://git.acme.example/a", "expected a source, got 'https://git."),
        ("a/*", "git+https://git.acme.example/{nam}", "has a query, a fragment or an "),
        ("a/*", "index+ftp://acme.example/i", "expected the address of a git reposi"),
        ("a/*", "hf:acme", "expected a Hugging Face repository, got 'hf:acme'"),
        ("a/b/c", "bundled", "expected a pattern of names in `[sources]`, got 'a/b/c'"),
    ],
)
def test_a_source_that_is_none_is_shown_with_the_reason(
    pattern: str, spec: str, problem: str
) -> None:
    write_config(f'[sources]\n"{pattern}" = "{spec}"\n')
    report = BugReport.of(Environment.current())
    (shown,) = (each for each in report.sources if each.key == pattern)
    assert problem in str(shown.problem)
    assert [each.problem for each in report.sources if each.key != pattern] == [None]
    (told,) = report.problems
    assert told.startswith(f"`{spec}` for `{pattern}` in `")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("git.acme.example", "expected a source to trust, got 'git.acme.example'"),
        ("git+", "expected the address of a git repository, got ''"),
    ],
)
def test_a_source_that_is_none_is_trusted_to_no_avail(entry: str, problem: str) -> None:
    write_config(f"trusted = [{entry!r}]\n")
    (told,) = BugReport.of(Environment.current()).problems
    assert told == f"Your configuration's `trusted` cannot be followed: {problem}"


@pytest.mark.slow
def test_a_bug_report_lists_what_is_installed(
    hub: Hub, shelf: OperatorFolder, into: tuple[str, str]
) -> None:
    shelf.publish("acme/embed", "1.0.0")
    assert hub("install", "acme/embed", *into).returncode == 0
    page = hub.result("env", *into)
    assert page.endswith(f"Operators\n  acme/embed  1.0.0  {shelf.spec}\n")
