"""What is shown, refused and left alone before anybody is trusted."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from servers.git_repository import GitRepository
from servers.operator_files import OperatorFolder, operator_files

from hub_client.candidate import Candidate, Release
from hub_client.cli import trust_once
from hub_client.cli.console import Console
from hub_client.sources.router import SourceRouter
from hub_client.store import Store
from plugin_spec.errors import HubError
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers.python_packages import PackageFolder

    from hub_client.candidate import Fetchable
    from hub_client.environment import Environment
    from hub_client.listed_file import ListedFile
    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]


def test_trusting_once_shows_what_comes_before_it_comes(
    hub: Hub, repository: GitRepository, into: Into
) -> None:
    files = operator_files("acme/embed", "1.0.0", packages=["hub-none; os_name=='x'"])
    commit = repository.release("1.0.0", files)
    source = f"git+{repository.url}"
    said = hub.said("install", "acme/embed", "--source", source, "--trust-once", *into)
    sizes = {path: len(content) for path, content in files.items()}
    assert said == (
        "Trusting acme/embed 1.0.0, this once\n"
        f"  from     {source}\n"
        f"  revision {commit}\n"
        '  packages hub-none; os_name == "x"\n'
        f"  files    2 files, {sum(sizes.values())} B\n"
        f"    echo/__init__.py  {sizes['echo/__init__.py']} B\n"
        f"    operator.yaml  {sizes['operator.yaml']} B\n"
        f"Resolved 1 operator from {source} in …\n"
        "+ acme/embed 1.0.0\n"
        "Fetching acme/embed 1.0.0\n"
        "Installed 1 operator in …\n"
        "This folder is no project; `hub add` would make it one, with a lock\n"
    )


def test_a_refusal_leaves_no_code_of_a_stranger_behind(
    hub: Hub, repository: GitRepository, into: Into
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    commit = repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    source = f"git+{repository.url}"
    words = ("install", "acme/embed", "--source", source, *into)
    assert "these are not trusted" in hub(*words).stderr
    copies = Path(os.environ["HUB_CACHE_DIR"], "git").iterdir()
    (copy,) = (GitRepository(path) for path in copies if path.is_dir())
    listing = copy.git("cat-file", "--batch-all-objects", "--batch-check")
    manifest = repository.git("rev-parse", f"{commit}:operator.yaml")
    assert [line.split()[0] for line in listing.splitlines() if "blob" in line] == [
        manifest
    ]
    hub.said("trust", "add", source)
    assert "+ acme/embed 1.0.0" in hub.said(*words)


def test_trusting_for_good_shows_what_the_project_takes_from_there(
    hub: Hub, repository: GitRepository
) -> None:
    files = operator_files("acme/embed", "1.0.0", packages=["hub-none"])
    commit = repository.release("1.0.0", files)
    source = f"git+{repository.url}"
    assert hub.said("trust", "add", source) == f"`{source}` is trusted\n"
    hub.said("trust", "remove", source)
    Path("hub.toml").write_text(
        f'operators = ["acme/embed"]\n[sources]\n"acme/*" = "{source}"\n',
        encoding="utf-8",
    )
    asking = "Asking what this project takes from there\n"
    assert hub.said("trust", "add", source) == (
        f"{asking}Trusting acme/embed 1.0.0\n"
        f"  from     {source}\n"
        f"  revision {commit}\n"
        "  packages hub-none\n"
        "  files    2 files\n"
        "    echo/__init__.py\n"
        "    operator.yaml\n"
        f"`{source}` is trusted\n"
    )
    other = f"{source}-of-another"
    assert hub.said("trust", "add", other) == f"{asking}`{other}` is trusted\n"


def test_what_the_store_has_is_shown_without_asking_its_source(
    hub: Hub, repository: GitRepository
) -> None:
    source = f"git+{repository.url}"
    Path("hub.toml").write_text(
        f'operators = ["acme/embed"]\n[sources]\n"acme/*" = "{source}"\n',
        encoding="utf-8",
    )
    repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    assert hub("lock", "--trust-once").returncode == 0
    shutil.rmtree(repository.path)
    cache = Path(os.environ["HUB_CACHE_DIR"])
    shutil.rmtree(cache / "git")
    assert "  files    2 files, " in hub.said("trust", "add", source)
    hub.said("trust", "remove", source)
    shutil.rmtree(cache / "store")
    said = hub.said("trust", "add", source)
    assert "  files    cannot be listed: Cannot fetch commit " in said
    assert f"    `{repository.url}` says: " in said


def test_a_key_that_does_not_read_is_told_before_anything_is_shown(
    hub: Hub, shelf: OperatorFolder
) -> None:
    shelf.publish("acme/embed", "1.0.0")
    Path("hub.toml").write_text('operators = ["acme/embed"]\n', encoding="utf-8")
    Path("empty.pub").touch()
    said = hub.refused("trust", "add", shelf.spec, "--require-signature", "empty.pub")
    assert said.startswith("error: `empty.pub` holds no public key\n")


def test_a_host_that_was_silent_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("hub_client.sources.silent_hosts.PATIENCE", 0.0)
    asked: list[str] = []

    class SilentRouter(SourceRouter):
        def files(self, wanted: Fetchable) -> Sequence[ListedFile]:
            asked.append(str(wanted.name))
            raise HubError("Cannot fetch it\n  the line is dead")

    router = SilentRouter({}, cache_dir=tmp_path)
    announcer = trust_once.TrustOnce(Console(), router, Store(tmp_path / "store"))
    for name in ("acme/blur", "acme/embed"):
        operator = OperatorName.parse(name)
        release = Release(Version("1.0"), "0" * 40)
        manifest = Manifest.from_yaml(operator_files(name, "1.0")["operator.yaml"])
        url = f"git+https://git.acme.example/{operator.name}"
        announcer.tell(Candidate(operator, release, url, manifest))
    assert asked == ["acme/blur"]
    said = capsys.readouterr().err
    assert said.count("    the line is dead\n") == 2
    assert "cannot be listed: `git.acme.example` did not answer before:\n" in said


@pytest.mark.slow  # takes more than a second
def test_what_is_installed_as_it_is_locked_needs_no_trust_again(
    hub: Hub,
    operators: OperatorFolder,
    python_packages: PackageFolder,
    target: Environment,
    into: Into,
) -> None:
    python_packages.add("hub-tensor", "2.0")
    operators.publish("acme/embed", "1.0.0", packages=["hub-tensor"])
    words = ("--source", operators.spec, "--trust-once", *into)
    assert hub("add", "acme/embed", *words).returncode == 0
    sync = ("sync", "--locked", *into)
    assert hub.said(*sync) == "The environment matches `hub.lock`\n"
    refusal = "error: An operator is its publisher's code, and these are not trusted\n"
    # Packages are code too, and the operator may be who asks for them.
    for left in target.prefix.glob("lib/*/site-packages/hub_tensor*"):
        shutil.rmtree(left)
    assert hub.refused(*sync).startswith(refusal)
    assert hub(*sync, "--trust-once").returncode == 0
    target.remove_receipt(OperatorName.parse("acme/embed"))
    assert hub.refused(*sync).startswith(refusal)
    hub.said(*sync, "--trust-once")
    Path("hub.toml").write_text(
        f'trusted = ["dir:mine"]\n{Path("hub.toml").read_text("utf-8")}', "utf-8"
    )
    assert "takes operators from" in hub.refused("sync", "--frozen", *into)


def test_what_is_trusted_anyway_is_not_shown(
    hub: Hub, shelf: OperatorFolder, into: Into
) -> None:
    shelf.publish("acme/embed", "1.0.0")
    said = hub.said("install", "acme/embed", "--trust-once", *into)
    assert "Trusting" not in said


def test_a_project_narrows_and_the_user_cannot_trust_past_it(
    hub: Hub, shelf: OperatorFolder, into: Into
) -> None:
    shelf.publish("acme/embed", "1.0.0")
    Path("hub.toml").write_text('trusted = ["dir:mine"]\n', encoding="utf-8")
    refusal = (
        "error: This project takes operators from `bundled` and `dir:mine` alone\n"
        f"  acme/embed 1.0.0 from `{shelf.spec}`\n\n"
        "hint: Take them from there, or add the source to the project's `trusted`\n"
    )
    assert hub.refused("install", "acme/embed", "--no-project", *into) == refusal
    flags = ("--no-project", "--trust-once")
    assert hub.refused("install", "acme/embed", *flags, *into) == refusal
    Path("hub.toml").write_text(f'trusted = ["{shelf.spec}"]\n', encoding="utf-8")
    hub.said("add", "acme/embed", *into)
    text = Path("hub.toml").read_text(encoding="utf-8")
    assert text.startswith(f'trusted = ["{shelf.spec}"]\n')


def test_a_project_that_names_a_stranger_does_not_make_it_trusted(
    hub: Hub, operators: OperatorFolder, into: Into
) -> None:
    operators.publish("acme/embed", "1.0.0")
    Path("pyproject.toml").write_text(
        f'[tool.hub]\noperators = ["acme/embed"]\ntrusted = ["{operators.spec}"]\n'
        f'[tool.hub.sources]\n"acme/*" = "{operators.spec}"\n',
        encoding="utf-8",
    )
    for words in (("lock",), ("sync", *into)):
        assert (
            "error: An operator is its publisher's code, and these are not trusted"
            in (hub.refused(*words))
        )
    assert not Path("hub.lock").exists()


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "the-code-ran"


@pytest.fixture
def eager(repository: GitRepository, marker: Path) -> str:
    """An operator with code that leaves a trace when anything of it is run."""
    trap = f"open({str(marker)!r}, 'w').close()\n".encode()
    files = operator_files("acme/embed", "1.0.0")
    traps = ("setup.py", "conftest.py", "sitecustomize.py", "echo/__init__.py")
    repository.release("1.0.0", files | dict.fromkeys(traps, trap))
    return f"git+{repository.url}"


@pytest.mark.slow  # takes more than a second
def test_nothing_runs_during_resolve_lock_search_info_install_and_verify(
    hub: Hub, eager: str, marker: Path, into: Into
) -> None:
    config = Path(os.environ["HUB_CONFIG_DIR"], "config.toml")
    config.parent.mkdir()
    config.write_text(
        f'trusted = ["{eager}"]\n[sources]\n"acme/*" = "{eager}"\n', encoding="utf-8"
    )
    Path("hub.toml").write_text('operators = ["acme/embed"]\n', encoding="utf-8")
    for words in (
        ("install", "acme/embed", "--dry-run", "--no-project", *into),
        ("info", "acme/embed"),
        ("search", "embed", "--offline"),
        ("lock",),
        ("lock", "--check"),
        ("sync", *into),
        ("tree",),
        ("verify", *into),
    ):
        assert hub(*words).returncode == 0, words
        assert not marker.exists(), words


@pytest.mark.parametrize("claimed", ["bundled", "trusted"])
def test_a_lock_cannot_say_that_a_tree_came_from_somebody_else(
    hub: Hub, shelf: OperatorFolder, tmp_path: Path, into: Into, claimed: str
) -> None:
    stranger = OperatorFolder(tmp_path / "stranger")
    stranger.publish("acme/embed", "1.0.0")
    shelf.publish("acme/embed", "1.0.0", text="another")
    source = "bundled" if claimed == "bundled" else shelf.spec
    Path("hub.toml").write_text(
        f'operators = ["acme/embed"]\n[sources]\n"acme/*" = "{stranger.spec}"\n',
        encoding="utf-8",
    )
    hub.said("lock", "--trust-once")
    for name in ("hub.toml", "hub.lock"):
        text = Path(name).read_text(encoding="utf-8").replace(stranger.spec, source)
        Path(name).write_text(text, encoding="utf-8")
    assert "error: " in hub.refused("sync", "--frozen", *into)
    assert json.loads(hub.result("list", "--json", *into)) == []


def test_no_source_writes_lines_of_what_would_be_trusted(hub: Hub, into: Into) -> None:
    forged = "vendor\n  revision 0\n  packages none\nwarning: checked: signed by alice"
    OperatorFolder(Path(forged)).publish("acme/embed", "1.0.0")
    spec = json.dumps(f"dir:{forged}")
    Path("hub.toml").write_text(
        f'operators = ["acme/embed"]\n[sources]\n"acme/*" = {spec}\n', encoding="utf-8"
    )
    said = hub.refused("lock", "--trust-once")
    assert r"sources.acme/*: expected a source, got 'dir:vendor\n  revision" in said
    Path("hub.toml").write_text(
        'operators = ["acme/embed"]\n[sources]\n"acme/*" = "dir:vendor"\n', "utf-8"
    )
    OperatorFolder(Path("vendor")).publish("acme/embed", "1.0.0")
    hub.said("lock", "--trust-once")
    lock = Path("hub.lock").read_text(encoding="utf-8")
    Path("hub.lock").write_text(lock.replace('"dir:vendor"', spec), encoding="utf-8")
    said = hub.refused("sync", "--frozen", "--trust-once", *into)
    assert r"source: expected text on one line, got 'dir:vendor\n  revision" in said


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        ('version = "9.9.9"', "said  9.9.9\n  found 1.0.0"),
        (
            'packages = ["hub-tensor; os_name == \\"none\\""]',
            'said  hub-tensor; os_name == "none"\n  found none',
        ),
        ('name = "acme/blur"', "said  acme/blur\n  found acme/embed"),
    ],
)
def test_a_lock_says_of_an_operator_what_its_own_manifest_says(
    hub: Hub, shelf: OperatorFolder, into: Into, claimed: str, said: str
) -> None:
    shelf.publish("acme/embed", "1.0.0")
    hub.said("add", "acme/embed", *into)
    hub.said("uninstall", "acme/embed", *into)
    lock = Path("hub.lock")
    head, operator, rest = lock.read_text("utf-8").partition("[[operator]]")
    key = claimed.split(maxsplit=1)[0]
    rest = re.sub(rf"(?m)^{key} = .*$", claimed, rest, count=1)
    lock.write_text(f"{head}{operator}{rest}", "utf-8")
    assert said in hub.refused("sync", "--frozen", *into)
    assert json.loads(hub.result("list", "--json", *into)) == []


ESCAPES = "\x1b[2K\x1b]0;mine\x07\u202e"


def test_nothing_that_others_wrote_reaches_the_terminal_as_a_command(
    hub: Hub, shelf: OperatorFolder, into: Into
) -> None:
    folder = shelf.publish("acme/embed", "1.0.0")
    manifest = folder / "operator.yaml"
    quoted = json.dumps(ESCAPES)
    text = f"parameters: {{scale: {{type: number, description: {quoted}}}}}\n"
    manifest.write_text(manifest.read_text("utf-8") + text, "utf-8")
    shown = hub.result("info", "acme/embed")
    assert r"\x1b[2K\x1b]0;mine\x07\u202e" in shown
    hub.said("add", "acme/embed", *into)
    lock = Path("hub.lock")
    named = json.dumps(f"dir:/tmp/{ESCAPES}")[1:-1]
    lock.write_text(lock.read_text("utf-8").replace(shelf.spec, named), "utf-8")
    for said in (
        shown,
        hub.refused("sync", "--frozen", *into),
        hub("sync", "--frozen", "-v", *into).stderr,
    ):
        assert {each for each in said if not each.isprintable()} == {"\n"}
    Path("hub.toml").write_text(f"{quoted} = 1\n", "utf-8")
    assert r"\x1b[2K" in hub.refused("lock")
