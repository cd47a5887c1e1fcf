from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files
from servers.signing import ssh_publisher
from servers.vulnerabilities import serve_vulnerabilities

from hub_client.cli import audit
from hub_client.cli.console import Console
from hub_client.cli.session import Session
from hub_client.config import HubConfig
from hub_client.lockfile import LockedPackage, Lockfile
from hub_client.packages.audit import (
    AuditFailed,
    Vulnerability,
    find_vulnerabilities,
)
from hub_client.steps import told
from hub_client.trust import add_trusted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.git_repository import GitRepository
    from servers.python_packages import PackageFolder

    from tests.hub_client.cli.conftest import Hub

pytestmark = pytest.mark.slow  # each locks, and starts a service and uv


@pytest.fixture
def service() -> Iterator[str]:
    known = {("hub-tensor", "2.0"): "HUB-2026-1"}
    with serve_vulnerabilities(known) as address:
        yield address


@pytest.fixture
def locked(hub: Hub, repository: GitRepository, python_packages: PackageFolder) -> str:
    """An operator from git that needs a package, locked; gives its commit."""
    python_packages.add("hub-tensor", "2.0")
    files = operator_files("acme/embed", "1.0.0", packages=["hub-tensor"])
    commit = repository.release("1.0.0", files)
    source = f"git+{repository.url}"
    text = f'operators = ["acme/embed"]\n[sources]\n"acme/*" = "{source}"\n'
    Path("hub.toml").write_text(text, encoding="utf-8")
    add_trusted(HubConfig.load().config_dir, source)
    hub.said("lock")
    return commit


def test_a_vulnerable_package_is_found(hub: Hub, locked: str, service: str) -> None:
    done = hub("audit", "--service-url", service)
    assert (done.returncode, done.stderr) == (
        1,
        "Auditing\n1 finding in 1 operator and 1 Python package\n",
    )
    assert done.stdout == (
        "vulnerable: hub-tensor 2.0: HUB-2026-1: hub-tensor runs what it reads "
        "(fixed in 9.0)\n  https://osv.example/HUB-2026-1\n"
    )


def findings(hub: Hub, service: str) -> list[tuple[str, str, str]]:
    done = hub("audit", "--json", "--service-url", service)
    assert done.returncode == 1
    return [
        (each["kind"], each["subject"], each["message"])
        for each in json.loads(done.stdout)["findings"]
        if each["kind"] != "vulnerable"
    ]


def test_all_that_is_said_of_a_package_is_one_line() -> None:
    forged = "it runs\nwhat it reads\u2028too"
    dependency = {"name": forged, "version": forged}
    data = {"id": forged, "summary": forged, "fix_versions": [forged], "link": forged}
    found = Vulnerability.from_dict({"dependency": dependency, **data})
    line = "it runs what it reads too"
    assert found == Vulnerability(line, line, line, line, (line,), line)


def test_no_project_above_a_temporary_folder_takes_a_package_from_the_audit(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As anybody may leave one in `/tmp`."""
    theirs = '[project]\nname = "theirs"\nversion = "1"\nrequires-python = ">=3.11"\n'
    text = f'{theirs}[tool.uv.workspace]\nmembers = ["*"]\n'
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "uv.lock").write_text(
        'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n'
    )
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    locked = LockedPackage("hub-tensor", "2.0", None, (f"sha256:{'0' * 64}",))
    found = find_vulnerabilities([locked], service=service)
    assert [each.id for each in found] == ["HUB-2026-1"]


def test_nothing_known_is_said(hub: Hub, locked: str) -> None:
    with serve_vulnerabilities({}) as service:
        assert hub.said("audit", "--service-url", service) == (
            "Auditing\nNothing is known against 1 operator and 1 Python package\n"
        )


def test_a_yanked_operator_is_found_with_the_reason(
    hub: Hub, locked: str, service: str, repository: GitRepository
) -> None:
    repository.git("tag", "-a", "-m", "halos on dark edges", "yanked-v1.0.0", locked)
    assert findings(hub, service) == [
        ("yanked", "acme/embed 1.0.0", "halos on dark edges")
    ]


def test_outdated_names_a_yanked_operator_and_what_to_go_to(
    hub: Hub, locked: str, repository: GitRepository
) -> None:
    repository.git("tag", "-a", "-m", "halos on dark edges", "yanked-v1.0.0", locked)
    done = hub("outdated")
    assert done.stdout == (
        "operator    here            fits  newest\n"
        "acme/embed  1.0.0 (yanked)  -     -\n"
    )
    assert done.stderr == (
        "Asking the sources\n"
        "warning: acme/embed 1.0.0 was yanked: halos on dark edges\n"
    )
    # What was there before is something to go to, until there is something newer.
    repository.release("0.9.0", operator_files("acme/embed", "0.9.0"))
    (found,) = json.loads(hub("outdated", "--json").stdout)
    assert found == {
        "name": "acme/embed",
        "version": "1.0.0",
        "fitting": "0.9.0",
        "newest": "0.9.0",
        "yanked": "halos on dark edges",
        "space": [],
        "changed": False,
    }
    repository.release("1.1.0", operator_files("acme/embed", "1.1.0"))
    assert "acme/embed  1.0.0 (yanked)  1.1.0  1.1.0\n" in hub("outdated").stdout


def test_a_moved_and_a_deleted_tag_are_found(
    hub: Hub, locked: str, service: str, repository: GitRepository
) -> None:
    moved = repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    source = f"git+{repository.url}"
    message = (
        f"`refs/tags/v1.0.0` was moved at `{source}`\n"
        f"  locked {locked}\n"
        f"  found  {moved}"
    )
    assert findings(hub, service) == [("changed", "acme/embed 1.0.0", message)]
    repository.delete_tag("v1.0.0")
    message = f"`refs/tags/v1.0.0` is gone from `{source}`"
    assert findings(hub, service) == [("changed", "acme/embed 1.0.0", message)]


def test_an_operator_that_is_not_signed_under_a_policy_is_found(
    hub: Hub, locked: str, service: str, repository: GitRepository, tmp_path: Path
) -> None:
    alice = ssh_publisher(tmp_path / "keys", "alice")
    source = f"git+{repository.url}"
    hub.said("trust", "add", source, "--require-signature", alice.public)
    ((kind, subject, message),) = findings(hub, service)
    assert (kind, subject) == ("unsigned", "acme/embed 1.0.0")
    assert "its commit is not signed" in message


def test_what_cannot_be_asked_is_a_finding(
    hub: Hub,
    locked: str,
    service: str,
    repository: GitRepository,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository.path.rename(repository.path.with_name("gone.git"))
    ((kind, subject, message),) = findings(hub, service)
    assert (kind, subject) == ("unreachable", "acme/embed 1.0.0")
    assert message.startswith("Cannot list the versions at `file://")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    ((_, subject, message), *_) = findings(hub, "http://127.0.0.1:9/")[1:]
    assert subject == "Python packages"
    assert message.startswith(
        "uv could not audit the Python packages: "
        "error sending request for url (http://127.0.0.1:9/v1/querybatch): "
    )
    assert "cause:" not in message
    said = hub("audit", "--service-url", "http://127.0.0.1:9/").stderr
    assert said.endswith(
        "\nhint: Check your network and run it again; "
        "for packages, `--service-url` names another service\n"
    )


@pytest.mark.usefixtures("locked")
def test_a_host_that_is_silent_is_asked_once(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_client.sources.silent_hosts.PATIENCE", 0.0)
    repository.path.rename(repository.path.with_name("gone.git"))
    lock = Lockfile.load(Path("hub.lock"))
    twice = replace(lock, operators=(*lock.operators, *lock.operators))
    said: list[str] = []
    with told(said.append):
        first, second = audit._operators(Session(Console(quiet=True)), twice)
    assert first[0].kind == second[0].kind == "unreachable"
    assert second[0].message.startswith("`git+file:` did not answer before:\nCannot ")
    assert len([each for each in said if each.startswith("git ls-remote ")]) == 1


def test_offline_nothing_is_said_rather_than_something_old(hub: Hub) -> None:
    Path("hub.toml").write_text("", encoding="utf-8")
    assert hub.refused("audit", "--offline") == (
        "error: An audit asks sources and a service, and you are offline\n\n"
        "hint: Run again without `--offline`, or with HUB_OFFLINE=0; "
        "`hub verify` needs no network\n"
    )


def test_what_is_said_when_offline_helps_also_if_a_file_decides_it(hub: Hub) -> None:
    Path("hub.toml").write_text("offline = true\n", encoding="utf-8")
    assert hub.refused("audit").endswith(
        "with HUB_OFFLINE=0; `hub verify` needs no network\n"
    )
    assert hub("audit", HUB_OFFLINE="0").stderr.startswith(
        "error: There is no `hub.lock`"
    )


def test_every_locked_version_of_a_package_is_asked_for(service: str) -> None:
    packages = [
        LockedPackage("hub-tensor", version, marker, ("sha256:" + "1" * 64,))
        for version, marker in (
            ("1.0", "sys_platform == 'darwin'"),
            ("2.0", "sys_platform == 'win32'"),
            ("2.0", "sys_platform == 'linux'"),
        )
    ]
    (found,) = find_vulnerabilities(packages, service=service)
    assert (found.package, found.version, found.fixed_in) == (
        "hub-tensor",
        "2.0",
        ("9.0",),
    )


def test_an_address_of_a_service_is_no_option_of_uvs() -> None:
    package = LockedPackage("hub-tensor", "1.0", None, ("sha256:" + "1" * 64,))
    with pytest.raises(AuditFailed, match="invalid value '--version' for"):
        find_vulnerabilities([package], service="--version")
