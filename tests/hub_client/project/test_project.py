"""A project file: found, read strictly, and edited without touching anything else."""

from __future__ import annotations

import string
import tomllib
from bisect import bisect
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from hub_client.atomic_file import LeadsOut
from hub_client.lockfile import Lockfile
from hub_client.project import (
    InvalidProject,
    Project,
    ProjectChanged,
    UnlistedOperator,
)
from plugin_spec.errors import HubError
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from pathlib import Path

TIMM = Requirement.parse("image-embedding/timm>=1,<2")
CV2 = Requirement.parse("image-decode/cv2")

COMMENTED = """\
# The whole team edits this.
[build-system]
requires = ['hatchling']

[project]
name = "photos"          # not published
requires-python = ">=3.12"

[tool.hub]
# What we embed with.
operators = [
    'image-embedding/timm>=0.9',   # pinned by Ana
    # decoding
    "image-decode/cv2",
]  # keep sorted
prerelease   =   false

[tool.hub.sources]
"acme/*" = "git+https://git.acme.example/{name}.git"  # ours
"*" = "bundled"

[tool.ruff]
line-length = 88
"""


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_every_key_is_read(tmp_path: Path) -> None:
    project = Project.open(write(tmp_path, "pyproject.toml", COMMENTED))
    assert [str(each) for each in project.operators] == [
        "image-embedding/timm>=0.9",
        "image-decode/cv2",
    ]
    assert project.sources == {
        "acme/*": "git+https://git.acme.example/{name}.git",
        "*": "bundled",
    }
    assert project.requires_python == SpecifierSet(">=3.12")
    assert project.prerelease is False
    assert project.lock_path == tmp_path / "hub.lock"


def test_hub_toml_has_the_same_keys_at_its_top(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "hub.toml",
        'operators = ["image-decode/cv2"]\nprerelease = true\n'
        'requires-python = ">=3.13"\ninstall = "never"\n[sources]\n"*" = "bundled"\n',
    )
    project = Project.open(path)
    assert project.operators == (CV2,)
    assert project.prerelease is True
    assert project.requires_python == SpecifierSet(">=3.13")
    assert project.sources == {"*": "bundled"}


def test_a_project_that_names_no_python_is_for_the_oldest_that_the_hub_runs_on(
    tmp_path: Path,
) -> None:
    inside = write(tmp_path, "pyproject.toml", "[tool.hub]\n")
    alone = write(tmp_path, "hub.toml", "")
    assert Project.open(inside).requires_python == SpecifierSet(">=3.11")
    assert Project.open(alone).requires_python == SpecifierSet(">=3.11")


def test_the_hub_may_be_for_fewer_pythons_than_the_package(tmp_path: Path) -> None:
    text = (
        '[project]\nrequires-python = ">=3.9"\n[tool.hub]\nrequires-python = ">=3.12"'
    )
    project = Project.open(write(tmp_path, "pyproject.toml", text))
    assert project.requires_python == SpecifierSet(">=3.12")


def test_the_nearest_project_upwards_is_found(tmp_path: Path) -> None:
    outer = write(tmp_path / "outer", "hub.toml", "")
    inner = write(tmp_path / "outer" / "inner", "pyproject.toml", "[tool.hub]\n")
    other = tmp_path / "outer" / "other" / "deep"
    write(other, "pyproject.toml", "[project]\nname = 'no table of ours'\n")
    for directory, path in ((inner.parent, inner), (other, outer)):
        project = Project.find(directory)
        assert project is not None
        assert project.path == path


def test_no_project_is_none(tmp_path: Path) -> None:
    assert Project.find(tmp_path) is None


def test_hub_toml_wins_over_a_table_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "[tool.hub]\n")
    path = write(tmp_path, "hub.toml", "")
    assert Project.open_or_create(tmp_path).path == path


def test_a_new_project_is_hub_toml_and_is_not_there_before_it_is_written(
    tmp_path: Path,
) -> None:
    project = Project.open_or_create(tmp_path)
    assert list(tmp_path.glob("*.toml")) == []
    project.add(TIMM)
    assert (tmp_path / "hub.toml").read_text() == (
        'operators = [\n    "image-embedding/timm>=1,<2",\n]\n'
    )


def test_a_new_project_beside_a_pyproject_is_a_table_in_it(tmp_path: Path) -> None:
    before = "[project]\nname = 'photos'  # no newline after this"
    path = write(tmp_path, "pyproject.toml", before)
    project = Project.open_or_create(tmp_path)
    assert path.read_text() == before
    project.add(TIMM)
    assert path.read_text() == (
        f'{before}\n\n[tool.hub]\noperators = [\n    "image-embedding/timm>=1,<2",\n]\n'
    )


def test_a_folder_in_a_project_gets_no_project_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, "hub.toml", "")
    below = tmp_path / "notebooks"
    write(below, "pyproject.toml", "[project]\n")
    assert Project.open_or_create(below).path == path


def test_add_and_remove_change_their_lines_and_no_others(tmp_path: Path) -> None:
    path = write(tmp_path, "pyproject.toml", COMMENTED)
    project = Project.open(path)
    project = project.add(TIMM)
    assert path.read_text() == (
        replaced := COMMENTED.replace(
            "'image-embedding/timm>=0.9'", '"image-embedding/timm>=1,<2"'
        )
    )
    project = project.add(Requirement.parse("acme/sharpen"))
    assert path.read_text() == (
        added := replaced.replace(
            '    "image-decode/cv2",\n',
            '    "image-decode/cv2",\n    "acme/sharpen",\n',
        )
    )
    project = project.remove(CV2.name)
    assert path.read_text() == added.replace('    "image-decode/cv2",\n', "")
    assert project == Project.open(path)


def test_a_source_goes_with_its_operator(tmp_path: Path) -> None:
    path = write(tmp_path, "hub.toml", "operators = []\n")
    project = Project.open(path).add(CV2, "dir:operators")
    assert project.sources == {"image-decode/cv2": "dir:operators"}
    assert path.read_text() == (
        'operators = [\n    "image-decode/cv2",\n]\n\n'
        '[sources]\n"image-decode/cv2" = "dir:operators"\n'
    )
    assert project.remove(CV2.name).sources == {}


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    for text in (COMMENTED, COMMENTED.replace("\n", "\r\n")):
        path = write(tmp_path, "pyproject.toml", text)
        Project.open(path).add(TIMM).remove(TIMM.name)
        after = path.read_bytes()
        assert after.count(b"\r\n") == (after.count(b"\n") if "\r" in text else 0)


def test_each_line_keeps_its_own_end(tmp_path: Path) -> None:
    first, *others = COMMENTED.splitlines()
    text = f"{first}\n" + "".join(f"{each}\r\n" for each in others)
    path = write(tmp_path, "pyproject.toml", text)
    Project.open(path).add(Requirement.parse("acme/blur")).remove(CV2.name)
    after = path.read_bytes().decode()
    for each in others:
        assert each == '    "image-decode/cv2",' or f"{each}\r\n" in after
    assert after.startswith(f"{first}\n")
    assert after.count("\n") == after.count("\r\n") + 1


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "hub.toml", "\ufeffoperators = []\n")
    with pytest.raises(InvalidProject, match="not TOML: begins with a byte order mark"):
        Project.open(path)


def test_with_operator_leaves_the_file_alone_until_write(tmp_path: Path) -> None:
    path = write(tmp_path, "hub.toml", "operators = []\n")
    changed = Project.open(path).with_operator(TIMM)
    assert path.read_text() == "operators = []\n"
    assert changed.operators == (TIMM,)
    changed.write()
    assert Project.open(path) == changed


@pytest.mark.parametrize("before", [None, "operators = []\n"])
def test_what_somebody_else_wrote_meanwhile_is_not_undone(
    tmp_path: Path, before: str | None
) -> None:
    file = tmp_path / "hub.toml"
    if before is not None:
        file.write_text(before)
    project = Project.open_or_create(tmp_path)
    file.write_text('operators = ["acme/blur"]\n')
    with pytest.raises(ProjectChanged, match=r"^`hub\.toml` was changed meanwhile"):
        project.add(TIMM)
    assert file.read_text() == 'operators = ["acme/blur"]\n'
    assert list(tmp_path.glob(".*")) == []
    # Two changes in a row are one's own.
    both = Project.open(file).add(TIMM).add(CV2)
    assert len(Project.open(file).operators) == len(both.operators) == 3


@pytest.mark.parametrize("name", ["hub.toml", "hub.lock"])
def test_a_link_out_of_the_project_is_not_written_through(
    tmp_path: Path, name: str
) -> None:
    outside = write(tmp_path / "home", ".bashrc", "operators = []\n")
    project = tmp_path / "project"
    project.mkdir()
    (project / "hub.toml").write_text("operators = []\n")
    (project / name).unlink(missing_ok=True)
    (project / name).symlink_to(outside)
    with pytest.raises(LeadsOut) as caught:
        Project.open(project / "hub.toml").add(TIMM)
    assert str(caught.value) == (
        f"`{project / name}` is not written: it is a link that leads to `{outside}`"
    )
    assert outside.read_text() == "operators = []\n"


def test_a_write_keeps_the_mode_and_follows_a_link(tmp_path: Path) -> None:
    path = write(tmp_path / "real", "hub.toml", "operators = []\n")
    path.chmod(0o640)
    link = tmp_path / "hub.toml"
    link.symlink_to(path)
    Project.open(link).add(TIMM)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in path.parent.iterdir()] == ["hub.toml"]


def test_removing_what_is_not_listed_offers_the_nearest_names(tmp_path: Path) -> None:
    project = Project.open(write(tmp_path, "pyproject.toml", COMMENTED))
    with pytest.raises(UnlistedOperator) as caught:
        project.remove(OperatorName.parse("image-embeding/timm"))
    assert (
        str(caught.value) == "`pyproject.toml` does not ask for `image-embeding/timm`"
    )
    assert caught.value.hint == "Did you mean `image-embedding/timm`?"
    with pytest.raises(UnlistedOperator) as caught:
        project.remove(OperatorName.parse("audio/whisper"))
    assert caught.value.hint is None


def test_every_problem_is_reported_with_its_place(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "hub.toml",
        """
operator = ["image-decode/cv2"]
operators = ["a//b", 7, "image-decode/cv2", "image-decode/cv2>=1"]
requires-python = "3.11"
prerelease = "no"
[sources]
"acme/*" = 3
""",
    )
    with pytest.raises(InvalidProject) as caught:
        Project.open(path)
    assert str(caught.value) == (
        "`hub.toml` does not describe a project of the hub\n"
        "  operator: unknown key, did you mean `operators`?\n"
        "  operators[0]: expected `namespace/name`, got 'a//b'\n"
        "  operators[1]: expected a requirement, got 7\n"
        "  operators[3]: `image-decode/cv2` stands twice\n"
        "  sources.acme/*: expected a source, got 3\n"
        "  requires-python: expected versions such as `>=3.11`, got '3.11'\n"
        "  prerelease: expected `true` or `false`, got 'no'"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("operators = [", "not TOML: Invalid value (at end of document)"),
        ("<<<<<<< HEAD", "line 1: an unfinished merge left `<<<<<<<`"),
        ("operators = 'a/b'", "operators: expected a list of requirements, got 'a/b'"),
        ("sources = []", "sources: expected a table, got []"),
        (
            'sources = { "*" = "dir:a\\nwarning: b" }',
            r"sources.*: expected a source, got 'dir:a\nwarning: b'",
        ),
        (
            "zzz = 1",
            "zzz: unknown key, expected one of `install`, `installer`, `offline`, `operators`, `prerelease`, `requires-python`, `sources`, `trusted`, `tune`",
        ),
    ],
)
def test_a_broken_hub_toml_says_what_is_wrong(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(InvalidProject) as caught:
        Project.open(write(tmp_path, "hub.toml", text))
    assert caught.value.problems == (problem,)


def test_a_table_must_be_a_table(tmp_path: Path) -> None:
    with pytest.raises(InvalidProject) as caught:
        Project.open(write(tmp_path, "pyproject.toml", "[tool]\nhub = 1\n"))
    assert caught.value.problems == ("tool.hub: expected a table, got 1",)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "hub.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidProject, match="not UTF-8"):
        Project.open(path)


def test_inputs_are_what_is_asked_not_how_it_is_written(
    tmp_path: Path,
) -> None:
    project = Project.open(write(tmp_path, "pyproject.toml", COMMENTED))
    same = write(
        tmp_path,
        "hub.toml",
        'requires-python = ">=3.12"\nprerelease = false\ninstall = "never"\n'
        'operators = ["image-decode/cv2", "image-embedding/timm >= 0.9"]\n[sources]\n'
        '"*" = "bundled"\n"acme/*" = "git+https://git.acme.example/{name}.git"\n',
    )
    assert Project.open(same).inputs == project.inputs
    assert project.inputs == (
        "operator image-decode/cv2",
        "operator image-embedding/timm>=0.9",
        "python >=3.12",
        "source * bundled",
        "source acme/* git+https://git.acme.example/{name}.git",
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("timm>=0.9", "timm>=0.8"),
        (">=3.12", ">=3.11"),
        ("prerelease   =   false", "prerelease = true"),
        ('"*" = "bundled"', '"*" = "dir:operators"'),
        ('    "image-decode/cv2",\n', ""),
    ],
)
def test_whatever_decides_the_lock_makes_it_stale(
    tmp_path: Path, old: str, new: str
) -> None:
    project = Project.open(write(tmp_path, "pyproject.toml", COMMENTED))
    lockfile = Lockfile(project.inputs, (), ())
    assert not project.is_stale(lockfile)
    changed = Project.parse(project.path, COMMENTED.replace(old, new))
    assert changed.is_stale(lockfile)


requirements = st.builds(
    lambda name, specifier: Requirement.parse(f"n/{name}{specifier}"),
    st.text(string.ascii_lowercase, min_size=1, max_size=2),
    st.sampled_from(("", ">=1", "==1.*", ">=1,<2", "~=1.4,!=1.5")),
)
layouts = st.sampled_from(
    (
        COMMENTED,
        COMMENTED.replace("\n", "\r\n"),
        "[tool.hub]\n",
        "[tool.hub]\noperators = []",
        "[tool.hub.sources]\n'*' = 'bundled'\n",
        "tool.hub.operators = [ 'a/b' ,\n\n 'c/d' ]\n[other]\n",
        "tool = { hub = { operators = ['a/b'] } }\n",
        "[tool.a]\n[tool.hub] # here\noperators=['a/b',] # there\n\n\n[tool.z]\nx=1\n",
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=layouts, changes=st.lists(st.tuples(requirements, st.booleans())))
def test_any_series_of_changes_gives_what_it_says(
    tmp_path: Path, text: str, changes: list[tuple[Requirement, bool]]
) -> None:
    project = Project.parse(tmp_path / "pyproject.toml", text)
    expected = list(project.operators)
    rest = tomllib.loads(text)
    for requirement, with_source in changes:
        names = [each.name for each in expected]
        if requirement.name not in names:
            place = bisect(names, requirement.name)
            expected.insert(
                place if names == sorted(names) else len(names), requirement
            )
        elif with_source:
            expected[names.index(requirement.name)] = requirement
        else:
            del expected[names.index(requirement.name)]
            project = project.without_operator(requirement.name)
            continue
        project = project.with_operator(requirement, "dir:x" if with_source else None)
        assert project.sources.get(str(requirement.name)) == (
            "dir:x" if with_source else None
        )
    assert list(project.operators) == expected
    after = tomllib.loads(project.text)
    for document in (rest, after):
        for key in ("operators", "sources"):
            document["tool"]["hub"].pop(key, None)
    assert after == rest


def test_a_form_that_cannot_be_edited_is_refused_and_left_alone(tmp_path: Path) -> None:
    dotted = "[tool]\nhub.operators = ['a/b']\nhub.prerelease = true\n"
    path = write(tmp_path, "pyproject.toml", dotted)
    with pytest.raises(InvalidProject) as caught:
        Project.open(path).add(CV2, "dir:operators")
    assert str(caught.value) == (
        "`pyproject.toml` does not describe a project of the hub\n"
        "  its form is too unusual to edit: write `[tool.hub]` as a table"
    )
    assert path.read_text() == dotted


@given(st.text())
def test_any_text_is_a_project_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("hub.toml", "pyproject.toml"):
        with suppress(HubError):
            Project.parse(folder / name, text)
