from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files, write_files

from hub_client.candidate import Candidate
from hub_client.git_url import InvalidGitUrl
from hub_client.sources.bundled import BundledSource
from hub_client.sources.directory import DirectorySource
from hub_client.sources.git import GitSource
from hub_client.sources.router import NoSource, SourceRouter, check_spec, open_source
from hub_client.sources.rules import InvalidSource
from hub_client.trust import locate
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

EMBED = OperatorName.parse("acme/embed")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the folders ``one`` and ``two``, each with an acme/embed."""
    for place, version in (("one", "1.0.0"), ("two", "2.0.0")):
        write_files(
            tmp_path / "project" / place / "acme/embed",
            operator_files("acme/embed", version),
        )
    return tmp_path / "project"


def router(project: Path, rules: dict[str, str]) -> SourceRouter:
    return SourceRouter(rules, cache_dir=project / "cache", directory=project)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("acme/embed", "dir:exact"),
        ("acme/decode", "git+https://h/acme/decode.git"),
        ("other/embed", "bundled"),
        ("plain", "dir:plain"),
    ],
)
def test_the_most_specific_rule_answers(project: Path, name: str, spec: str) -> None:
    rules = {
        "*": "bundled",
        "acme/*": "git+https://h/{namespace}/{name}.git",
        "acme/embed": "dir:exact",
        "plain": "dir:plain",
    }
    for ordered in (rules, dict(reversed(rules.items()))):
        assert router(project, ordered).source_spec(OperatorName.parse(name)) == spec


def test_a_name_at_two_sources_comes_from_its_own_alone(project: Path) -> None:
    sources = router(project, {"*": "dir:two", "acme/*": "dir:one"})
    assert [str(r.version) for r in sources.versions(EMBED)] == ["1.0.0"]
    # Even if its own source has nothing, no other is asked.
    sources = router(project, {"*": "dir:two", "acme/*": "dir:project"})
    (project / "project").mkdir()
    assert sources.versions(EMBED) == ()


def test_a_candidate_is_fetched_from_the_source_it_was_locked_to(
    project: Path,
) -> None:
    before = router(project, {"*": "dir:one"})
    (release,) = before.versions(EMBED)
    manifest = before.manifest(EMBED, release)
    candidate = Candidate(EMBED, release, before.source_spec(EMBED), manifest)
    into = project / "tree"
    into.mkdir()
    router(project, {"*": "dir:two"}).fetch(candidate, into)
    assert b'version: "1.0.0"' in (into / "operator.yaml").read_bytes()


def test_no_rule_is_an_error_that_says_which_to_add(project: Path) -> None:
    with pytest.raises(NoSource) as refusal:
        router(project, {"acme/*": "bundled"}).versions(OperatorName.parse("b/c"))
    assert str(refusal.value) == "No source is configured for b/c"
    assert refusal.value.hint == (
        'Add `"*" = "bundled"` to `[tool.hub.sources]`, or a rule for it'
    )


def test_names_are_those_a_rule_sends_to_their_source(project: Path) -> None:
    write_files(project / "two/acme/decode", operator_files("acme/decode", "1.0.0"))
    sources = router(
        project,
        {
            "*": "dir:two",
            "acme/embed": "dir:one",
            "far/away": "git+https://h/{name}.git",
        },
    )
    assert [str(n) for n in sources.names()] == [
        "acme/decode",
        "acme/embed",
        "far/away",
    ]
    assert router(project, {"none/*": "dir:two"}).names() == ()


@pytest.mark.parametrize("end", ["\n", "\t", "\x1b", "\x7f", "\x85", "\u2028"])
def test_a_source_of_two_lines_or_for_a_terminal_is_refused(
    project: Path, end: str
) -> None:
    spec = f"dir:one{end}hf:acme/embed"
    for look in (
        lambda: router(project, {"*": spec}).versions(EMBED),
        lambda: check_spec(spec),
    ):
        with pytest.raises(InvalidSource) as refusal:
            look()
        assert str(refusal.value) == f"expected a source on one line, got {spec!r}"


@pytest.mark.parametrize("pattern", ["acme*", "*/embed", "a/b/c", "", "**", "Acme/*"])
def test_a_pattern_of_another_form_is_refused(project: Path, pattern: str) -> None:
    with pytest.raises(InvalidSource) as refusal:
        router(project, {pattern: "bundled"})
    assert (
        str(refusal.value)
        == f"expected a pattern of names in `[sources]`, got {pattern!r}"
    )
    assert refusal.value.hint == "Write `namespace/name`, `namespace/*` or `*`"


@pytest.mark.parametrize("spec", ["", "bundle", "/srv/ops", "https://h/x.git", "pypi"])
def test_a_source_of_another_kind_is_refused(project: Path, spec: str) -> None:
    with pytest.raises(InvalidSource) as refusal:
        router(project, {"*": spec}).versions(EMBED)
    assert str(refusal.value) == f"expected a source, got {spec!r}"
    assert (
        refusal.value.hint
        == "Write `bundled`, `dir:PATH`, `git+URL`, `hf:ORG/REPO` or `index+URL`"
    )


def test_each_spec_opens_its_kind_of_source(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = project / "cache"
    assert isinstance(open_source("bundled", cache_dir=cache), BundledSource)
    assert isinstance(open_source("git+https://h/x", cache_dir=cache), GitSource)
    folder = open_source("dir:ops", cache_dir=cache, directory=project)
    assert isinstance(folder, DirectorySource)
    assert folder.path == project / "ops"
    monkeypatch.setenv("HOME", "/home/me")
    home = open_source("dir:~/ops", cache_dir=cache, directory=project)
    assert isinstance(home, DirectorySource)
    assert str(home.path) == "/home/me/ops"


def test_a_folder_is_opened_where_trust_reads_that_it_is(
    project: Path, tmp_path: Path
) -> None:
    evil = tmp_path / "evil" / "ops"
    (evil / "in").mkdir(parents=True)
    write_files(evil / "acme" / "embed", operator_files("acme/embed", "1.0.0"))
    (project / "link").symlink_to(evil / "in")
    spec = "dir:link/.."
    assert locate(spec, project) == f"dir:{project}"
    assert not router(project, {"*": spec}).versions(EMBED)


def test_a_hostile_git_rule_is_refused_before_git_runs(project: Path) -> None:
    with pytest.raises(InvalidGitUrl):
        router(project, {"*": "git+ext::sh -c touch% x"}).versions(EMBED)
