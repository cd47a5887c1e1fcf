from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.version import Version
from servers.operator_files import operator_files

from hub_client.admission import admit
from hub_client.candidate import Candidate, Release
from hub_client.config import HubConfig
from hub_client.git_url import InvalidGitUrl
from hub_client.settings import variables
from hub_client.trust import (
    InvalidTrust,
    OutsideProject,
    UntrustedPublisher,
    add_trusted,
    check_within,
    find_untrusted,
    list_trusted,
    remove_trusted,
)
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ACME = "git+https://git.acme.example/embed.git"


def candidate(source: str, name: str = "acme/embed") -> Candidate:
    manifest = Manifest.from_yaml(operator_files(name, "1.0.0")["operator.yaml"])
    release = Release(Version("1.0.0"), "0" * 40, "refs/tags/v1.0.0")
    return Candidate(OperatorName.parse(name), release, source, manifest)


def test_bundled_operators_are_trusted() -> None:
    assert not find_untrusted([candidate("bundled")], ())


def test_a_stranger_is_refused_with_every_operator_and_the_command() -> None:
    strangers = [
        candidate("bundled", "image-decode/cv2"),
        candidate(ACME),
        candidate("dir:/srv/our ops", "acme/decode"),
    ]
    with pytest.raises(UntrustedPublisher) as refusal:
        admit(strangers, HubConfig.load(), directory=None)
    assert str(refusal.value) == (
        "An operator is its publisher's code, and these are not trusted\n"
        f"  acme/embed 1.0.0 from `{ACME}`\n"
        "  acme/decode 1.0.0 from `dir:/srv/our ops`"
    )
    assert refusal.value.hint == (
        "Read the code, then pass `--trust-once`, or run\n"
        f"  hub trust add {ACME}\n"
        "  hub trust add 'dir:/srv/our ops'"
    )


@pytest.mark.parametrize(
    ("entry", "source"),
    [
        (ACME, ACME),
        ("git+https://git.acme.example/", ACME),
        ("git+https://git.acme.example", ACME),
        ("git+https://GIT.acme.example/", ACME),
        ("git+https://git.acme.example/team/", "git+https://git.acme.example/team/x"),
        ("git+https://git.acme.example/team", "git+https://git.acme.example/team/x"),
        ("dir:/srv/ops", "dir:/srv/ops"),
        ("dir:/srv", "dir:/srv/ops/"),
        ("dir:/srv", "dir:/srv/x/../ops"),
    ],
)
def test_an_entry_covers_itself_and_what_is_below(entry: str, source: str) -> None:
    assert not find_untrusted([candidate(source)], (entry,))


@pytest.mark.parametrize(
    ("entry", "source"),
    [
        ("git+https://git.acme.example/", "git+https://git.acme.example.evil/x"),
        ("git+https://git.acme.example", "git+https://git.acme.example.evil/x"),
        ("git+https://git.acme.example/", "git+https://git.acme.example@evil/x"),
        ("git+https://git.acme.example/", "git+https://git.acme.example:444/x"),
        ("git+https://git.acme.example/", "git+http://git.acme.example/x"),
        ("git+https://git.acme.example/a", "git+https://git.acme.example/ab"),
        (ACME, "git+https://git.acme.example/"),
        ("dir:/srv/ops", "dir:/srv/ops2"),
        ("dir:/srv/ops", "dir:/srv/ops/../evil"),
        ("dir:/srv/ops", "dir:ops"),
    ],
)
def test_an_entry_covers_nothing_beside_it(entry: str, source: str) -> None:
    assert find_untrusted([candidate(source)], (entry,))


def test_a_path_that_climbs_out_of_a_trusted_place_is_refused() -> None:
    source = "git+https://git.acme.example/team/../evil.git"
    with pytest.raises(InvalidGitUrl):
        find_untrusted([candidate(source)], ("git+https://git.acme.example/team/",))


def test_a_project_rules_out_what_its_own_entries_do_not_cover(tmp_path: Path) -> None:
    entries = ("dir:ops", "git+https://git.acme.example/team")
    check_within(
        [
            candidate("bundled"),
            candidate("dir:ops/one"),
            candidate("git+https://git.acme.example/team/one.git"),
        ],
        entries,
        directory=tmp_path,
    )
    with pytest.raises(OutsideProject) as caught:
        check_within([candidate(ACME), candidate("dir:other")], entries, directory=None)
    assert str(caught.value) == (
        "This project takes operators from `bundled` and `dir:ops` and "
        "`git+https://git.acme.example/team` alone\n"
        f"  acme/embed 1.0.0 from `{ACME}`\n"
        f"  acme/embed 1.0.0 from `dir:{tmp_path}/work/other`"
    )


ENTRIES = ("git+https://git.acme.example/", ACME, "hf:acme", "dir:/srv", "dir:/srv/ops")
SOURCES = ("bundled", ACME, "git+https://x.example/a", "hf:acme/one", "dir:/srv/ops/a")


# The configuration that each example starts from is the test's own, and is not changed.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.sets(st.sampled_from(ENTRIES)),
    project=st.none() | st.sets(st.sampled_from(ENTRIES)),
    source=st.sampled_from(SOURCES),
)
def test_no_project_ever_widens_what_the_user_trusts(
    user: set[str], project: set[str] | None, source: str
) -> None:
    narrowed = None if project is None else tuple(project)
    config = replace(HubConfig.load(), trusted=tuple(user), narrowed=narrowed)

    def allows(entries: Iterable[str]) -> bool:
        return not find_untrusted([candidate(source)], tuple(entries))

    try:
        admit([candidate(source)], config, directory=None)
        admitted = True
    except (UntrustedPublisher, OutsideProject):
        admitted = False
    assert admitted == (allows(user) and (project is None or allows(project)))


def test_trusting_once_does_not_lift_what_a_project_rules_out() -> None:
    config = replace(HubConfig.load(), narrowed=())
    told: list[Candidate] = []
    with pytest.raises(OutsideProject) as caught:
        admit([candidate(ACME)], config, directory=None, once=told.append)
    assert str(caught.value).startswith("This project takes operators from `bundled` ")
    assert not told
    admit([candidate(ACME)], HubConfig.load(), directory=None, once=told.append)
    assert [each.source for each in told] == [ACME]


def test_a_project_may_say_that_it_takes_what_is_bundled_alone() -> None:
    config = replace(HubConfig.load(), narrowed=("bundled",), trusted=(ACME,))
    admit([candidate("bundled")], config, directory=None)
    with pytest.raises(OutsideProject, match="operators from `bundled` alone"):
        admit([candidate(ACME)], config, directory=None)


def test_an_entry_that_is_no_source_is_told_with_whose_it_is() -> None:
    wanted = [candidate(ACME)]
    narrowed = replace(HubConfig.load(), narrowed=("acme",))
    with pytest.raises(InvalidTrust, match=r"^This project's `trusted` .* got 'acme'"):
        admit(wanted, narrowed, directory=None)
    user = replace(HubConfig.load(), trusted=("git+",))
    with pytest.raises(
        InvalidTrust, match=r"^Your configuration's `trusted` .* got ''"
    ):
        admit(wanted, user, directory=None)


@pytest.mark.parametrize(
    "variable",
    ["HUB_TRUSTED", "HUB_TRUST", "HUB_TRUST_ONCE", "HUB_TRUST_ALL", "HUB_SOURCES"],
)
def test_no_variable_widens_trust(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = HubConfig.load()
    for value in (ACME, f'["{ACME}"]', "1", "*"):
        monkeypatch.setenv(variable, value)
        assert HubConfig.load() == before


def test_every_variable_that_is_read_leaves_trust_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, setting in variables().items():
        assert setting.key not in {"trusted", "sources", "require-signature"}, variable


def test_a_relative_folder_is_trusted_by_where_it_is(tmp_path: Path) -> None:
    trusted = (f"dir:{tmp_path}/project/ops",)
    assert not find_untrusted(
        [candidate("dir:ops")], trusted, directory=tmp_path / "project"
    )
    assert find_untrusted([candidate("dir:ops")], trusted, directory=tmp_path / "other")


@pytest.mark.parametrize(
    "entry",
    [
        "dir:/",
        "dir://",
        "git+file:///",
        "git+file:////",
        "git+https://",
        "git+",
        "dir:",
        "*",
        "",
        "https://h/x",
    ],
)
def test_an_entry_that_would_trust_everyone_is_refused(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    with pytest.raises((InvalidTrust, InvalidGitUrl)):
        add_trusted(tmp_path / "config", entry)
    assert not (tmp_path / "config").exists()
    with pytest.raises((InvalidTrust, InvalidGitUrl)):
        find_untrusted([candidate(ACME)], (entry,))


def test_an_address_alone_is_refused_with_the_source_to_write(tmp_path: Path) -> None:
    with pytest.raises(InvalidTrust) as refusal:
        add_trusted(tmp_path, "https://github.com/acme/x")
    assert str(refusal.value.hint).startswith("Write `git+https://github.com/acme/x`, ")


def test_an_index_is_refused_with_whom_to_trust_instead(tmp_path: Path) -> None:
    with pytest.raises(InvalidTrust) as refusal:
        add_trusted(tmp_path, "index+https://git.acme.example/index.git")
    assert "an index only lists" in str(refusal.value)
    assert str(refusal.value.hint).startswith("Trust the sources that it names")


def test_trust_is_kept_in_the_users_configuration_with_all_else_it_says(
    tmp_path: Path,
) -> None:
    config = tmp_path / "home" / "config"
    config.mkdir(parents=True)
    text = '# mine\noffline = true # yes\n\n[sources]\n"acme/*" = "dir:ops"\n'
    (config / "config.toml").write_text(text)
    assert add_trusted(config, "git+https://H.example") == "git+https://h.example/"
    assert add_trusted(config, "dir:ops") == f"dir:{tmp_path}/work/ops"
    add_trusted(config, "git+https://h.example/")
    entries = ("git+https://h.example/", f"dir:{tmp_path}/work/ops")
    assert list_trusted(config) == HubConfig.load().trusted == entries
    assert HubConfig.load().sources["acme/*"] == "dir:ops"
    written = (config / "config.toml").read_text()
    assert "# mine\noffline = true # yes\n" in written

    assert remove_trusted(config, "git+https://h.example")
    assert not remove_trusted(config, "git+https://h.example")
    assert list_trusted(config) == entries[1:]


def test_what_is_written_beside_an_entry_stays(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('trusted = [\n    "hf:acme", # read by me\n    "hf:two",\n]\n')
    add_trusted(tmp_path, "hf:new")
    remove_trusted(tmp_path, "hf:two")
    assert file.read_text() == (
        'trusted = [\n    "hf:acme", # read by me\n    "hf:new",\n]\n'
    )


def test_entries_that_are_added_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    entries = [f"hf:org{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(add_trusted, tmp_path), entries))
    assert sorted(list_trusted(tmp_path)) == entries
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(partial(remove_trusted, tmp_path), entries[1:]))
    assert list_trusted(tmp_path) == ("hf:org0",)


def test_trust_can_be_added_where_there_is_no_configuration(tmp_path: Path) -> None:
    add_trusted(tmp_path / "new" / "config", ACME)
    assert (tmp_path / "new/config/config.toml").read_text() == (
        f'trusted = [\n    "{ACME}",\n]\n'
    )
    assert list_trusted(tmp_path / "nowhere") == ()


def test_a_configuration_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("trusted = [")
    with pytest.raises(InvalidTrust, match="Cannot read"):
        add_trusted(tmp_path, ACME)
    assert file.read_text() == "trusted = ["
