from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.python_packages import make_environment

from hub_client import cli
from hub_client.cli.console import Console
from hub_client.cli.install import open_installation
from hub_client.cli.recording import Recording
from hub_client.cli.session import Session
from hub_client.lockfile import Lockfile
from hub_client.project import ProjectChanged
from hub_client.store import Store
from hub_client.tree_digest import tree_digest
from plugin_spec import OperatorName

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment
    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]
PYPROJECT = """\
# What this is for.
[project]
name = "search"  # of photographs
dependencies = []

[tool.other]
key = 1
"""


@pytest.fixture
def published(shelf: OperatorFolder, python_packages: PackageFolder) -> OperatorFolder:
    """``acme/embed``, which needs ``acme/blur`` and a Python package."""
    python_packages.add("hub-tensor", "2.0")
    shelf.publish("acme/blur", "1.0.0")
    shelf.publish(
        "acme/embed", "1.0.0", operators=["acme/blur"], packages=["hub-tensor>=2"]
    )
    return shelf


def read(name: str) -> str:
    return Path(name).read_text(encoding="utf-8")


def write(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")


def installed(environment: Environment) -> dict[str, str]:
    return {str(each.name): str(each.version) for each in environment.receipts()}


def test_adding_makes_a_project_locks_it_and_installs(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    assert hub.said("add", "acme/embed>=1,<2", *into) == (
        "Locking\n"
        "Wrote `hub.toml`\n"
        "Wrote `hub.lock`\n"
        f"Resolved 2 operators from {published.spec} in …\n"
        "+ acme/blur 1.0.0\n"
        "+ acme/embed 1.0.0\n"
        "+ 1 Python package (hub-tensor 2.0)\n"
        "Installing 1 Python package\n"
        "Installed 2 operators and 1 Python package in …\n"
    )
    assert read("hub.toml") == 'operators = [\n    "acme/embed>=1,<2",\n]\n'
    assert installed(target) == {"acme/blur": "1.0.0", "acme/embed": "1.0.0"}


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", ["hub.toml", "pyproject.toml"])
def test_a_project_whose_lock_cannot_be_written_is_what_it_was(
    name: str,
    hub: Hub,
    into: Into,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(_lock: Lockfile, path: Path, **_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    if name == "pyproject.toml":
        write(name, PYPROJECT)
    before = {each: each.read_bytes() for each in Path().iterdir() if each.is_file()}
    with monkeypatch.context() as full:
        full.setattr(Lockfile, "write", refuse)
        assert cli.main(["add", "acme/blur", *into]) == 1
    assert "error: No space left on device: `" in capsys.readouterr().err
    assert before == {each: each.read_bytes() for each in before}
    assert Path(name).exists() == (Path(name) in before)
    hub.said("add", "acme/blur", *into)
    before = {each: each.read_bytes() for each in Path().iterdir() if each.is_file()}
    with monkeypatch.context() as full:
        full.setattr(Lockfile, "write", refuse)
        assert cli.main(["remove", "acme/blur", *into]) == 1
    assert before == {each: each.read_bytes() for each in before}
    hub.said("remove", "acme/blur", *into)


def test_adding_again_changes_nothing(
    hub: Hub, published: OperatorFolder, into: Into
) -> None:
    hub.said("add", "acme/embed", *into)
    before = read("hub.toml"), read("hub.lock")
    published.publish("acme/embed", "1.1.0")
    assert hub.said("add", "acme/embed", *into) == (
        "acme/embed 1.0.0 is already installed\n"
    )
    assert hub.said("lock") == "Nothing to change in `hub.lock`\n"
    assert hub.said("sync", *into) == "The environment matches `hub.lock`\n"
    assert (read("hub.toml"), read("hub.lock")) == before


def test_pyproject_keeps_its_comments_and_layout(
    hub: Hub, published: OperatorFolder, into: Into
) -> None:
    write("pyproject.toml", PYPROJECT)
    hub.said("add", "acme/blur", *into)
    table = '\n[tool.hub]\noperators = [\n    "acme/blur",\n]\n'
    assert read("pyproject.toml") == PYPROJECT + table
    hub.said("remove", "acme/blur", *into)
    assert read("pyproject.toml").startswith(PYPROJECT)
    assert not Path("hub.toml").exists()


def test_installing_in_a_project_records_it_unless_told_not_to(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    write("pyproject.toml", PYPROJECT)
    said = hub.said("install", "acme/blur", "--no-project", *into)
    assert "Wrote" not in said
    assert (read("pyproject.toml"), Path("hub.lock").exists()) == (PYPROJECT, False)
    hub.said("install", "acme/embed", *into)
    assert 'operators = [\n    "acme/embed",\n]' in read("pyproject.toml")
    assert Path("hub.lock").exists()
    # What else is in the environment stays: only `sync` makes it exact.
    assert installed(target) == {"acme/blur": "1.0.0", "acme/embed": "1.0.0"}


def test_a_project_does_not_let_a_package_be_built(hub: Hub, into: Into) -> None:
    Path("hub.toml").write_text("operators = []\n", encoding="utf-8")
    done = hub("install", "acme/blur", "--allow-sdist", "hub-tensor", *into)
    assert done.returncode == 2
    assert "`--allow-sdist` needs `--no-project`" in done.stderr
    assert not Path("hub.lock").exists()


def test_a_dry_run_writes_no_file(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    done = hub("add", "acme/embed", "--dry-run", *into)
    assert (done.returncode, done.stderr) == (0, "Locking\n")
    assert done.stdout.endswith(
        "+ acme/blur 1.0.0\n+ acme/embed 1.0.0\n+ 1 Python package (hub-tensor 2.0)\n"
    )
    assert list(Path().iterdir()) == []
    assert target.receipts() == ()


def test_removing_keeps_what_something_else_needs(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    hub.said("add", "acme/embed", "acme/blur", *into)
    assert hub.said("remove", "acme/blur", *into) == (
        "Locking\n"
        "Wrote `hub.toml`\n"
        "Wrote `hub.lock`\n"
        "acme/blur stays: acme/embed needs it\n"
    )
    matches = "The environment matches `hub.lock`\n"
    assert hub.said("sync", *into) == matches
    assert hub.said("remove", "acme/embed", *into) == (
        "Locking\n"
        "Wrote `hub.toml`\n"
        "Wrote `hub.lock`\n"
        "- acme/blur 1.0.0\n"
        "- acme/embed 1.0.0\n"
        "Removed 2 operators in …\n"
    )
    assert installed(target) == {}
    assert read("hub.toml") == "operators = []\n"


def test_removing_what_is_not_asked_for_offers_the_nearest(
    hub: Hub, published: OperatorFolder, into: Into
) -> None:
    hub.said("add", "acme/embed", *into)
    assert hub.refused("remove", "acme/embd", *into) == (
        "error: `hub.toml` does not ask for `acme/embd`\n"
        "\n"
        "hint: Did you mean `acme/embed`?\n"
    )


def test_uv_locks_what_pip_shall_install(
    hub: Hub, published: OperatorFolder, python_packages: PackageFolder
) -> None:
    write("hub.toml", 'operators = ["acme/embed"]\ninstaller = "pip"\n')
    assert hub.said("lock") == "Locking\nWrote `hub.lock`\n"


def test_a_project_whose_python_is_too_old_is_told_its_own_key(
    hub: Hub, published: OperatorFolder
) -> None:
    manifest = published.publish("acme/blur", "2.0.0") / "operator.yaml"
    manifest.write_text(f'{manifest.read_text()}requires: {{python: ">=4"}}\n')
    write("hub.toml", 'operators = ["acme/blur>=2"]\n')
    assert hub.refused("lock").endswith(
        "hint: The project is for Python 3.11 too: raise its `requires-python`\n"
    )
    manifest.write_text(manifest.read_text().replace(">=4", "<3.10"))
    assert hub.refused("lock").endswith(
        "  and acme/blur 2.0.0 requires Python `<3.10`\n\n"
        "hint: The project is for Python 3.11 and later\n"
    )


def test_a_source_that_is_none_is_told_though_nothing_comes_from_it(hub: Hub) -> None:
    write("hub.toml", '[sources]\n"*" = "ftp://x"\n')
    assert hub.refused("lock").startswith(
        "error: sources.*: expected a source, got 'ftp://x'\n"
    )


def test_a_project_with_an_unfinished_merge_is_told_alike(hub: Hub) -> None:
    write("hub.toml", "<<<<<<< HEAD\noperators = []\n")
    assert hub.refused("lock") == hub.refused("add", "acme/blur")


def test_a_stale_lock_says_what_changed(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    write("hub.toml", 'operators = ["acme/blur"]\n')
    assert hub.said("lock") == "Locking\nWrote `hub.lock`\n"
    assert hub.said("lock", "--check") == "Nothing to change in `hub.lock`\n"
    locked = read("hub.lock")
    published.publish("acme/blur", "2.0.0")
    write("hub.toml", 'operators = ["acme/blur>=2", "acme/embed"]\n')
    for words in (("lock", "--check"), ("sync", "--locked", *into)):
        assert hub.refused(*words) == (
            "error: `hub.lock` does not match `hub.toml`\n"
            "  `acme/blur>=2` is asked for, and 1.0.0 is locked\n"
            "  `acme/embed` is asked for, and is not locked\n"
            "\n"
            "hint: Run `hub lock`\n"
        )
    assert (read("hub.lock"), installed(target)) == (locked, {})
    hub.said("sync", "--frozen", *into)
    assert (read("hub.lock"), installed(target)) == (locked, {"acme/blur": "1.0.0"})
    hub.said("sync", *into)
    assert installed(target) == {"acme/blur": "2.0.0", "acme/embed": "1.0.0"}


def test_a_stale_lock_whose_versions_would_do_says_that(
    hub: Hub, published: OperatorFolder
) -> None:
    write("hub.toml", 'operators = ["acme/blur"]\n')
    hub.said("lock")
    write("hub.toml", 'operators = ["acme/blur<2"]\n')
    assert hub.refused("lock", "--check") == (
        "error: `hub.lock` does not match `hub.toml`\n"
        "  new: `operator acme/blur<2`\n"
        "  gone: `operator acme/blur`\n"
        "\n"
        "hint: Run `hub lock`\n"
    )


def test_a_lock_that_is_missing_is_said_to_be(
    hub: Hub, published: OperatorFolder, into: Into
) -> None:
    write("hub.toml", 'operators = ["acme/blur"]\n')
    for words in (
        ("lock", "--check"),
        ("sync", "--locked", *into),
        ("sync", "--frozen", *into),
    ):
        assert hub.refused(*words) == (
            "error: There is no `hub.lock`\n\nhint: Run `hub lock`\n"
        )


def test_without_a_project_there_is_nothing_to_lock(hub: Hub) -> None:
    assert hub.refused("lock") == (
        "error: There is no `hub.toml`, and no `pyproject.toml` with `[tool.hub]`, in "
        f"`{Path.cwd()}` or above\n"
        "\n"
        "hint: `hub add NAME` makes one\n"
    )


def test_upgrade_takes_the_newest_and_lock_alone_does_not(
    hub: Hub, published: OperatorFolder
) -> None:
    write("hub.toml", 'operators = ["acme/blur"]\n')
    hub.said("lock")
    published.publish("acme/blur", "1.1.0")
    assert hub.said("lock") == "Nothing to change in `hub.lock`\n"
    assert hub.said("lock", "--upgrade") == (
        "Locking\n~ acme/blur 1.0.0 -> 1.1.0\nWrote `hub.lock`\n"
    )
    assert json.loads(hub.result("lock", "--json")) == {
        "operators": {"acme/blur": "1.1.0"},
        "packages": 0,
        "changes": [],
    }


def test_a_version_whose_manifest_does_not_read_is_told_with_what_is_wrong(
    hub: Hub, published: OperatorFolder
) -> None:
    for version, wrong in (("1.1.0", "---\nmodule"), ("1.2.0", "modul")):
        manifest = published.publish("acme/blur", version) / "operator.yaml"
        text = manifest.read_text(encoding="utf-8")
        manifest.write_text(text.replace("module", wrong), encoding="utf-8")
    write("hub.toml", 'operators = ["acme/blur"]\n')
    told = f"at `{published.spec}` is passed over: it has an invalid manifest"
    assert hub.said("lock") == (
        "Locking\n"
        f"warning: acme/blur 1.2.0 {told}: line 1: module: missing; "
        "line 7: modul: unknown key: did you mean `module`?\n"
        f"warning: acme/blur 1.1.0 {told}: line 7: expected one document, got a second\n"
        "Wrote `hub.lock`\n"
    )


def test_a_damaged_lock_is_written_anew_by_lock_alone(
    hub: Hub, published: OperatorFolder, into: Into
) -> None:
    write("hub.toml", 'operators = ["acme/blur"]\n')
    hub.said("lock")
    whole = read("hub.lock")
    write("hub.lock", f"lost\n{whole}")
    for flags in ((), ("--locked",), ("--frozen",)):
        assert hub.refused("sync", *flags, *into).startswith(
            "error: `hub.lock` does not read\n"
        )
    said = hub.said("lock")
    assert said.startswith("warning: `hub.lock` does not read\n")
    assert said.endswith("\nIt is written anew\nLocking\nWrote `hub.lock`\n")
    assert read("hub.lock") == whole


def test_a_lock_that_is_a_link_out_of_the_project_is_not_written(
    hub: Hub, shelf: OperatorFolder, tmp_path: Path
) -> None:
    shelf.publish("acme/embed", "1.0.0")
    Path("hub.toml").write_text('operators = ["acme/embed"]\n', encoding="utf-8")
    outside = tmp_path / "elsewhere" / ".bashrc"
    outside.parent.mkdir()
    outside.write_text("alias ls='ls -F'\n", encoding="utf-8")
    Path("hub.lock").symlink_to(outside)
    refusal = hub.refused("lock")
    assert f"a link that leads to `{outside}`\n\nhint: See who made it" in refusal
    assert outside.read_text(encoding="utf-8") == "alias ls='ls -F'\n"
    assert list(outside.parent.iterdir()) == [outside]


def test_the_lock_of_a_newer_hub_is_not_replaced(
    hub: Hub, published: OperatorFolder
) -> None:
    write("hub.toml", 'operators = ["acme/blur"]\n')
    newer = "version = 2\nnew = true\n"
    write("hub.lock", newer)
    for flags in ((), ("--upgrade",)):
        assert hub.refused("lock", *flags).endswith(
            "error: `hub.lock` does not read\n"
            "  format 2 was written by a newer hub; this one reads 1\n\n"
            "hint: Upgrade `towhee-hub`\n"
        )
    assert read("hub.lock") == newer


def test_the_same_project_elsewhere_is_locked_in_the_same_bytes(
    hub: Hub, published: OperatorFolder
) -> None:
    for folder in ("one", "two"):
        Path(folder).mkdir()
        write(f"{folder}/hub.toml", 'operators = ["acme/embed"]\n')
        hub.said("lock", "--directory", folder)
    assert read("one/hub.lock") == read("two/hub.lock")


@pytest.mark.slow  # takes more than a second
def test_a_second_environment_gets_identical_trees(
    hub: Hub,
    published: OperatorFolder,
    target: Environment,
    into: Into,
    tmp_path: Path,
) -> None:
    hub.said("add", "acme/embed", *into)
    locked = read("hub.lock")
    store = Store(tmp_path / "home" / "cache" / "store")
    trees = {receipt.tree for receipt in target.receipts()}
    published.publish("acme/blur", "1.1.0")
    shutil.rmtree(tmp_path / "home" / "cache")
    other = make_environment(tmp_path / "other")
    hub.said("sync", "--locked", "--python", other.prefix)
    assert other.receipts() == target.receipts()
    assert {tree_digest(store.path(tree)) for tree in trees} == trees
    assert hub.said("sync", "--frozen", "--python", other.prefix) == (
        "The environment matches `hub.lock`\n"
    )
    assert read("hub.lock") == locked


def test_sync_removes_what_the_lock_does_not_pin(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    hub.said("install", "acme/embed", *into)
    write("hub.toml", 'operators = ["acme/blur"]\n')
    assert hub.said("sync", *into) == (
        "Locking\n"
        "Wrote `hub.lock`\n"
        f"Resolved 1 operator from {published.spec} in …\n"
        "~ acme/blur 1.0.0\n"
        "- acme/embed 1.0.0\n"
        "Installed 1 operator and removed 1 operator in …\n"
    )
    assert installed(target) == {"acme/blur": "1.0.0"}


def test_frozen_needs_the_lock_alone(
    hub: Hub, published: OperatorFolder, target: Environment, into: Into
) -> None:
    # One that another needs, too, is asked for as it says.
    for asked in (["acme/embed"], ["acme/blur", "acme/embed"]):
        write("hub.toml", f"operators = {asked}\n")
        hub.said("lock")
        Path("hub.toml").unlink()
        hub.said("sync", "--frozen", *into)
        assert {str(each.name): each.requested for each in target.receipts()} == {
            "acme/blur": "acme/blur" in asked,
            "acme/embed": True,
        }
    assert not Path("hub.toml").exists()


def test_a_relative_source_is_written_relative_to_the_project(
    hub: Hub, target: Environment, into: Into
) -> None:
    from servers.operator_files import OperatorFolder  # noqa: PLC0415

    OperatorFolder(Path("operators")).publish("acme/blur", "1.0.0")
    write("hub.toml", "operators = []\n")
    Path("notebooks").mkdir()
    hub.said(
        "add",
        "acme/blur",
        "--source",
        "dir:../operators",
        "--trust-once",
        "--directory",
        "notebooks",
        *into,
    )
    assert '"acme/blur" = "dir:operators"' in read("hub.toml")
    assert 'source = "dir:operators"' in read("hub.lock")
    receipt = target.receipt(OperatorName.parse("acme/blur"))
    assert receipt is not None
    assert receipt.source == "dir:operators"


def test_an_operator_of_ones_own_that_was_edited_is_locked_and_installed_anew(
    hub: Hub, shelf: OperatorFolder, target: Environment, into: Into
) -> None:
    folder = shelf.publish("acme/embed", "1.0.0")
    hub.said("add", "acme/embed", *into)
    source = folder / "echo" / "__init__.py"
    source.write_bytes(source.read_bytes() + b"# faster\n")
    edited = f"acme/embed 1.0.0 was edited in `{shelf.spec}`"
    for command in (("sync", "--locked", *into), ("lock", "--check")):
        assert hub.refused(*command) == (
            "error: `hub.lock` does not match `hub.toml`\n"
            f"  {edited}\n\nhint: Run `hub lock`\n"
        )
    before = read("hub.lock")
    assert hub.said("sync", *into) == (
        f"{edited}: locked anew\nLocking\nWrote `hub.lock`\n"
        f"Resolved 1 operator from {shelf.spec} in …\n"
        "~ acme/embed 1.0.0\nInstalled 1 operator in …\n"
    )
    assert read("hub.lock") != before
    (receipt,) = target.receipts()
    assert Lockfile.load(Path("hub.lock")).operators[0].tree == receipt.tree
    assert hub.said("lock") == "Nothing to change in `hub.lock`\n"
    # What is not there to be looked at is as it was locked, and in the store.
    folder.rename(folder.with_name("elsewhere"))
    assert hub.said("sync", "--locked", *into) == (
        "The environment matches `hub.lock`\n"
    )


def test_an_install_that_would_change_packages_writes_nothing(
    hub: Hub,
    published: OperatorFolder,
    python_packages: PackageFolder,
    into: Into,
) -> None:
    hub.said("install", "acme/embed", *into)
    python_packages.add("hub-tensor", "3.0")
    published.publish("acme/rank", "1.0.0", packages=["hub-tensor>=3"])
    said = hub.refused("add", "acme/rank", *into)
    assert "  hub-tensor 2.0 to 3.0\n" in said
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("name", ["hub.toml", "hub.lock"])
def test_a_lock_that_was_overtaken_is_not_written(
    hub: Hub, shelf: OperatorFolder, name: str
) -> None:
    shelf.publish("acme/blur", "1.0.0")
    write("hub.toml", 'operators = ["acme/blur"]\n')
    hub.said("lock")
    shelf.publish("acme/blur", "1.1.0")
    session = Session(Console(quiet=True))
    project = session.project()
    assert project is not None
    recording = Recording(project, open_installation(session, [], None, python=None))
    with session.ending:
        lock = recording.locked(project, upgrade=True)
    before = read("hub.lock")
    write(name, f"{read(name)}# meanwhile\n")
    for record in (recording.write, recording.write_lock):
        with pytest.raises(ProjectChanged, match=f"^`{name}` was changed meanwhile"):
            record(project, lock)
    assert read("hub.lock") == before + "# meanwhile\n" * (name == "hub.lock")


def test_a_name_that_is_given_twice_counts_once_and_has_one_requirement(
    hub: Hub, published: OperatorFolder, into: Into
) -> None:
    for command in ("add", "install"):
        write("pyproject.toml", PYPROJECT)
        words = ("acme/blur==1.0.0", "acme/blur<2", *into)
        assert hub.refused(command, *words) == (
            "error: `acme/blur` is asked for twice, as `acme/blur==1.0.0` and as "
            "`acme/blur<2`\n\n"
            "hint: Ask for it once; `,` joins conditions: `acme/blur>=1,<2`\n"
        )
        assert read("pyproject.toml") == PYPROJECT
    assert hub.said("add", "acme/blur", "acme/blur", *into).count("acme/blur") == 1
    said = hub.said("remove", "acme/blur", "acme/blur", *into)
    assert said.endswith("- acme/blur 1.0.0\nRemoved 1 operator in …\n")
