from __future__ import annotations

from pathlib import Path

import pytest

from hub_client import config
from hub_client.config import HubConfig, InvalidConfig, find_project_file
from hub_client.trust import add_trusted


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "config" / "config.toml"


def test_with_nothing_set_operators_are_bundled_and_installed_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUB_TUNE")
    assert HubConfig.load() == HubConfig(
        cache_dir=tmp_path / "home" / "cache",
        config_dir=tmp_path / "home" / "config",
        offline=False,
        install="on-demand",
        installer="auto",
        sources={"*": "bundled"},
        trusted=(),
    )


def test_folders_are_the_systems_where_no_variable_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUB_CACHE_DIR")
    monkeypatch.delenv("HUB_CONFIG_DIR")
    config = HubConfig.load()
    assert config.cache_dir.is_relative_to(tmp_path / "home")
    assert config.cache_dir.name == config.config_dir.name == "towhee-hub"


def test_a_flag_beats_the_environment_which_beats_the_project_which_beats_the_user(
    user_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(user_file, 'installer = "pip"\n')
    assert HubConfig.load().installer == "pip"
    write(Path("hub.toml"), 'installer = "uv"\n')
    assert HubConfig.load().installer == "uv"
    monkeypatch.setenv("HUB_INSTALLER", "auto")
    assert HubConfig.load().installer == "auto"
    assert HubConfig.load(installer="pip").installer == "pip"


def test_sources_are_merged_pattern_by_pattern(user_file: Path) -> None:
    write(user_file, '[sources]\n"acme/*" = "dir:/srv/acme"\n"own/*" = "dir:/own"\n')
    write(Path("hub.toml"), '[sources]\n"acme/*" = "dir:acme"\n')
    assert HubConfig.load(sources={"acme/one": "bundled"}).sources == {
        "*": "bundled",
        "acme/*": "dir:acme",
        "acme/one": "bundled",
        "own/*": "dir:/own",
    }


def test_each_value_says_what_decided_it(
    user_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(user_file, 'installer = "pip"\n[sources]\n"own/*" = "dir:/own"\n')
    project = write(Path("hub.toml"), 'tune = "never"\n[sources]\n"a/*" = "dir:a"\n')
    monkeypatch.delenv("HUB_TUNE")
    monkeypatch.setenv("HUB_INSTALL", "never")
    origins = HubConfig.load(offline=True, sources={"b/c": "dir:b"}).origins
    assert origins == {
        "offline": "--offline",
        "install": "HUB_INSTALL",
        "installer": str(user_file),
        "tune": str(project.absolute()),
        "sources": "--source",
        "sources b/c": "--source",
        "sources a/*": str(project.absolute()),
        "sources own/*": str(user_file),
        "sources *": "default",
        "trusted": "default",
        "require-signature": "default",
        "cache-dir": "HUB_CACHE_DIR",
        "config-dir": "HUB_CONFIG_DIR",
    }


@pytest.mark.parametrize(
    ("text", "offline"), [("1", True), ("yes", True), ("0", False), ("False", False)]
)
def test_offline_reads_the_usual_words(
    text: str, offline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_OFFLINE", text)
    assert HubConfig.load().offline is offline


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HUB_OFFLINE", "HUB_INSTALL", "HUB_INSTALLER"):
        monkeypatch.setenv(variable, "")
    assert HubConfig.load().install == "on-demand"


def test_a_variable_that_does_not_read_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HUB_INSTALL", "sometimes")
    with pytest.raises(InvalidConfig) as caught:
        HubConfig.load()
    assert str(caught.value) == (
        "`HUB_INSTALL` is not a valid configuration\n"
        "  install: expected `on-demand` or `never`, got 'sometimes'"
    )


def test_every_problem_of_a_file_is_told_at_once(user_file: Path) -> None:
    write(user_file, 'offline = "yes"\ntrust = []\n[sources]\n"*" = 1\n')
    with pytest.raises(InvalidConfig) as caught:
        HubConfig.load()
    assert str(caught.value) == (
        f"`{user_file}` is not a valid configuration\n"
        "  offline: expected `true` or `false`, got 'yes'\n"
        "  trust: unknown key, expected one of `cache-dir`, `install`, `installer`, "
        "`offline`, `require-signature`, `sources`, `trusted`, `tune`\n"
        "  sources: expected a table of source by name pattern, without tab or "
        "line end, got {'*': 1}"
    )


def test_a_source_of_two_lines_is_refused(user_file: Path) -> None:
    write(user_file, '[sources]\n"*" = "dir:a\\nwarning: b"\n')
    with pytest.raises(InvalidConfig, match=r"got \{'\*': 'dir:a\\nwarning: b'\}"):
        HubConfig.load()


def test_an_unknown_key_of_a_project_is_told_all_keys_of_a_project() -> None:
    write(Path("hub.toml"), "[tool.hub]\noperators = []\n")
    with pytest.raises(InvalidConfig) as caught:
        HubConfig.load()
    (problem,) = caught.value.problems
    assert problem == (
        "tool: unknown key, expected one of `install`, `installer`, `offline`, "
        "`operators`, `prerelease`, `requires-python`, `sources`, `trusted`, `tune`"
    )


def test_a_project_cannot_trust_for_the_user(user_file: Path) -> None:
    write(Path("hub.toml"), 'trusted = ["dir:operators"]\n')
    assert HubConfig.load().trusted == ()
    write(user_file, 'trusted = ["dir:/srv/ops"]\n')
    assert HubConfig.load().trusted == ("dir:/srv/ops",)
    assert HubConfig.load().narrowed == ("dir:operators",)


def test_a_project_cannot_say_where_the_users_cache_lies(tmp_path: Path) -> None:
    write(Path("hub.toml"), 'cache-dir = "cache"\n')
    with pytest.raises(InvalidConfig) as caught:
        HubConfig.load()
    assert str(caught.value) == (
        f"`{tmp_path / 'work' / 'hub.toml'}` is not a valid configuration\n"
        "  cache-dir: only the user's own configuration may set this"
    )


@pytest.mark.parametrize(
    ("variable", "below"),
    [
        ("HUB_CONFIG_DIR", "."),
        ("XDG_CONFIG_HOME", "towhee-hub"),
        ("HOME", ".config/towhee-hub"),
    ],
)
def test_a_projects_folder_cannot_pose_as_the_users_configuration(
    monkeypatch: pytest.MonkeyPatch, variable: str, below: str
) -> None:
    project = write(Path("hub.toml"), "").parent.absolute()
    folder = project / "settings"
    write(folder / below / "config.toml", 'trusted = ["dir:/srv/ops"]\n')
    for each in ("HUB_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(variable, str(folder))
    with pytest.raises(InvalidConfig) as caught:
        HubConfig.load()
    assert str(caught.value) == (
        f"`{variable}` is not a valid configuration\n"
        f"  `{folder / below}` is inside the project `{project}`, "
        "and whom you trust is not a project's to say"
    )


@pytest.mark.parametrize("mark", ["pyproject.toml", ".git"])
def test_what_may_be_a_project_cannot_pose_as_it_either(
    monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    project = Path.cwd()
    (project / mark).touch()
    below = project / "one" / "two"
    below.mkdir(parents=True)
    monkeypatch.setenv("HUB_CONFIG_DIR", str(project / "settings"))
    # There is nothing to believe yet; and whoever would write it is told.
    assert HubConfig.load(directory=below).trusted == ()
    monkeypatch.chdir(below)
    with pytest.raises(InvalidConfig, match="is inside the project"):
        add_trusted(project / "settings", "hf:acme")
    assert not (project / "settings").exists() or not any(
        (project / "settings").iterdir()
    )
    write(project / "settings" / "config.toml", 'trusted = ["dir:/srv/ops"]\n')
    with pytest.raises(InvalidConfig, match="is inside the project") as caught:
        HubConfig.load()
    assert caught.value.hint == (
        "Set HUB_CONFIG_DIR to a folder outside of every project"
    )


def test_an_unfinished_merge_in_a_project_is_named() -> None:
    write(Path("hub.toml"), "operators = [\n<<<<<<< HEAD\n]\n")
    with pytest.raises(InvalidConfig, match="line 2: an unfinished merge left"):
        HubConfig.load()


def test_a_key_that_takes_minutes_to_read_is_refused_at_once() -> None:
    for key in ("a" + ".a" * 60, '"a"' + ' . "a.b"' * 60, "'a'" + ".'a'" * 60):
        write(Path("hub.toml"), f"operators = []\n{key} = 1\n")
        with pytest.raises(InvalidConfig, match=r"50 parts in a key \(at line 2\)"):
            HubConfig.load()
    write(Path("hub.toml"), f"sources = {{{'a.' * 40}a = 1}}\n")
    with pytest.raises(InvalidConfig, match="sources"):
        HubConfig.load()


def test_a_project_may_be_all_of_somebodys_home(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = write(Path("hub.toml"), "").parent.absolute()
    monkeypatch.setattr(config, "_home_of_account", lambda: home)
    monkeypatch.setenv("HUB_CONFIG_DIR", str(home / ".config"))
    write(home / ".config" / "config.toml", 'trusted = ["dir:/srv/ops"]\n')
    assert HubConfig.load().trusted == ("dir:/srv/ops",)


def test_configuration_that_is_no_file_is_not_passed_over(
    user_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_file.mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        HubConfig.load()
    user_file.rmdir()
    user_file.symlink_to("elsewhere")  # on a disk that is not mounted, say
    with pytest.raises(FileNotFoundError, match=f"'{user_file}'"):
        HubConfig.load()
    user_file.unlink()
    user_file.parent.rmdir()
    user_file.parent.touch()
    with pytest.raises(InvalidConfig, match="expected a folder, got a file"):
        HubConfig.load()
    # As for a service whose home is `/dev/null`.
    monkeypatch.setenv("HUB_CONFIG_DIR", str(user_file.parent / ".config"))
    assert HubConfig.load().trusted == ()


def test_a_file_that_is_not_toml_says_where(user_file: Path) -> None:
    write(user_file, "offline = \n")
    with pytest.raises(InvalidConfig, match=r"not TOML: Invalid value \(at line 1"):
        HubConfig.load()


def test_what_the_project_says_of_its_operators_is_not_a_setting() -> None:
    write(Path("hub.toml"), 'operators = ["a/b"]\nprerelease = true\n')
    assert HubConfig.load().install == "on-demand"


def test_a_project_is_found_upwards_and_hub_toml_comes_first(tmp_path: Path) -> None:
    below = tmp_path / "one" / "two"
    below.mkdir(parents=True)
    assert find_project_file(below) is None
    write(tmp_path / "one" / "pyproject.toml", "[project]\nname = 'x'\n")
    assert find_project_file(below) is None
    project = write(tmp_path / "one" / "pyproject.toml", "[tool.hub]\n")
    assert find_project_file(below) == project
    beside = write(tmp_path / "one" / "hub.toml", "")
    assert find_project_file(below) == beside


def test_a_pyproject_whose_tool_is_no_table_is_no_project(tmp_path: Path) -> None:
    write(tmp_path / "work" / "pyproject.toml", "tool = 3\n")
    assert find_project_file(tmp_path / "work") is None
