"""``hub.lock``: the same bytes for the same lock, and no damage goes unnoticed."""

from __future__ import annotations

import json
import subprocess
import tomllib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement as PackageRequirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hub_client.candidate import Candidate, Release
from hub_client.lockfile import (
    InvalidLockfile,
    LockedOperator,
    LockedPackage,
    Lockfile,
)
from hub_client.project import Project
from plugin_spec.errors import HubError
from plugin_spec.manifest import Manifest, Step, Weights
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED = r"""version = 1
# Written by `hub lock`. Do not edit; do commit.
inputs = [
    "operator image-embedding/timm>=1,<2",
    "python >=3.11",
]

[[operator]]
name = "image-decode/cv2"
version = "1.0.0"
source = "bundled"
revision = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
tree = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
manifest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
requires = []
requires-python = ">=3.11"
packages = ["opencv-python-headless>=4.9"]

[[operator]]
name = "image-embedding/timm"
version = "1.2.0"
source = "git+https://git.example.org/timm.git"
ref = "refs/tags/v1.2.0"
revision = "cccccccccccccccccccccccccccccccccccccccc"
tree = "sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
manifest = "sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
requires = ["image-decode/cv2<2,>=1"]
requires-python = ">=3.11"
packages = ["timm<2,>=1.0.9", "torch>=2.4"]
yanked = "says \"no\", \\ and\nbreaks lines"
signer = "SHA256:key"
space = { fingerprint = "543230cc4c4a", operator = "image-embedding/timm", model = "the 'tiny' one", weights = "sha256:8888888888888888888888888888888888888888888888888888888888888888", preprocessing = { mean = [0.5, 1.0], crop = 1, "a b" = { c = true } } }
weights = [
    { for = { model_name = "resnet50" }, repo = "timm/resnet50.a1_in1k", file = "m.safetensors", revision = "main", sha256 = "9999999999999999999999999999999999999999999999999999999999999999", size = 102 },
    { repo = "timm/resnet18", file = "m.safetensors" },
]

[python]
packages = [
    { name = "numpy", version = "2.1.0", hashes = ["sha256:1111111111111111111111111111111111111111111111111111111111111111"] },
    { name = "opencv-python-headless", version = "4.9", hashes = ["sha256:5555555555555555555555555555555555555555555555555555555555555555"] },
    { name = "timm", version = "1.0.22", hashes = ["sha256:6666666666666666666666666666666666666666666666666666666666666666"] },
    { name = "torch", version = "2.4.1", marker = "sys_platform != \"darwin\"", hashes = ["sha256:3333333333333333333333333333333333333333333333333333333333333333", "sha256:4444444444444444444444444444444444444444444444444444444444444444"] },
    { name = "torch", version = "2.4.1", marker = "sys_platform == \"darwin\"", hashes = ["sha256:2222222222222222222222222222222222222222222222222222222222222222"] },
]
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(InvalidLockfile) as caught:
        Lockfile.loads(text)
    return caught.value.problems


def test_a_lock_is_these_bytes(lockfile: Lockfile, tmp_path: Path) -> None:
    lockfile.write(tmp_path / "hub.lock")
    assert (tmp_path / "hub.lock").read_bytes() == EXPECTED.encode()


def test_a_lock_reads_back_equal_and_writes_the_same_bytes(lockfile: Lockfile) -> None:
    assert Lockfile.loads(EXPECTED) == lockfile
    assert Lockfile.loads(EXPECTED).dumps() == EXPECTED


def test_the_order_of_entries_leaves_the_bytes_alone(lockfile: Lockfile) -> None:
    shuffled = replace(
        lockfile,
        operators=lockfile.operators[::-1],
        packages=tuple(
            replace(package, hashes=package.hashes[::-1])
            for package in lockfile.packages[::-1]
        ),
    )
    assert shuffled.dumps() == EXPECTED


def test_an_empty_lock_is_a_lock(lockfile: Lockfile) -> None:
    empty = Lockfile(lockfile.inputs, (), ())
    assert empty.dumps().endswith("\n\n[python]\npackages = []\n")
    assert Lockfile.loads(empty.dumps()) == empty


def test_a_checkout_with_windows_line_ends_reads_the_same(lockfile: Lockfile) -> None:
    assert Lockfile.loads(EXPECTED.replace("\n", "\r\n")) == lockfile


def test_an_entry_has_all_that_a_source_needs_to_fetch_it(lockfile: Lockfile) -> None:
    timm = lockfile.operator(OperatorName.parse("image-embedding/timm"))
    assert timm is not None
    assert timm.release == Release(
        Version("1.2.0"), "c" * 40, "refs/tags/v1.2.0", timm.yanked, tree=timm.tree
    )
    assert lockfile.operator(OperatorName.parse("a/b")) is None


def test_a_candidate_is_locked_with_what_its_manifest_says() -> None:
    manifest = Manifest(
        name=OperatorName.parse("acme/pipeline"),
        version=Version("1.0"),
        kind="pipeline",
        summary="",
        license="MIT",
        module=None,
        requires_python=SpecifierSet(">=3.12"),
        operators=(Requirement.parse("b/two"),),
        packages=(PackageRequirement("torch >= 2.4"), PackageRequirement("numpy")),
        inputs=(),
        outputs=(),
        parameters={},
        steps=(
            Step(Requirement.parse("a/one>=1"), {}),
            Step(Requirement.parse("b/two"), {}),
        ),
        weights=(Weights({}, "acme/weights", "w.safetensors"),),
    )
    release = Release(Version("1.0"), "f" * 40, "refs/tags/v1.0", "too slow")
    candidate = Candidate(manifest.name, release, "git+https://x.example/", manifest)
    tree, digest = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
    locked = LockedOperator.from_candidate(candidate, tree=tree, manifest=digest)
    assert locked == LockedOperator(
        name=manifest.name,
        version=Version("1.0"),
        source="git+https://x.example/",
        ref="refs/tags/v1.0",
        revision="f" * 40,
        tree=tree,
        manifest=digest,
        requires=(Requirement.parse("a/one>=1"), Requirement.parse("b/two")),
        requires_python=SpecifierSet(">=3.12"),
        packages=("numpy", "torch>=2.4"),
        yanked="too slow",
        weights=manifest.weights,
    )


def test_a_lock_that_could_not_be_read_is_not_written(
    lockfile: Lockfile, tmp_path: Path
) -> None:
    path = tmp_path / "hub.lock"
    lockfile.write(path)
    short = replace(lockfile.operators[0], revision="abc1234")
    with pytest.raises(InvalidLockfile):
        replace(lockfile, operators=(short,)).write(path)
    assert path.read_text() == EXPECTED
    assert list(tmp_path.glob(".hub.lock*")) == []


def test_a_file_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidLockfile) as caught:
        Lockfile.load(tmp_path / "hub.lock")
    assert str(caught.value) == "There is no `hub.lock`"
    assert caught.value.hint == "Run `hub lock`"


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "hub.lock").write_bytes(EXPECTED.encode("utf-16"))
    with pytest.raises(InvalidLockfile, match="not UTF-8"):
        Lockfile.load(tmp_path / "hub.lock")


def test_merge_markers_are_named_with_their_lines() -> None:
    note = EXPECTED.splitlines(keepends=True)[1]
    merged = EXPECTED.replace(
        note, f"<<<<<<< HEAD\n{note}=======\n{note}>>>>>>> upgrade\n"
    )
    with pytest.raises(InvalidLockfile) as caught:
        Lockfile.loads(merged)
    assert str(caught.value) == (
        "`hub.lock` does not read\n"
        "  line 2: an unfinished merge left `<<<<<<<`\n"
        "  line 4: an unfinished merge left `=======`\n"
        "  line 6: an unfinished merge left `>>>>>>>`"
    )
    assert caught.value.hint == (
        "Run `hub lock`: what either side pins is kept where it fits"
    )


@pytest.mark.parametrize(
    "end", [*range(1, len(EXPECTED) - 2, 37), EXPECTED.index("[python]")]
)
def test_a_lock_that_ends_too_soon_is_refused(end: int) -> None:
    assert problems(EXPECTED[:end])


@pytest.mark.parametrize("number", range(1, EXPECTED.count("\n") + 1))
def test_a_line_that_was_lost_is_noticed_or_was_optional(
    number: int, lockfile: Lockfile
) -> None:
    lines = EXPECTED.splitlines(keepends=True)
    lost = lines.pop(number - 1)
    optional = ("\n", "#", "ref", "yanked", "signer", "space", "    {", '    "')
    needed = ('    { name = "opencv-python-headless"', '    { name = "timm"')
    if lost.startswith(optional) and not lost.startswith(needed):
        assert lost[0] in "\n#" or Lockfile.loads("".join(lines)) != lockfile
    else:
        assert problems("".join(lines))


def test_a_newer_format_is_left_to_a_newer_hub() -> None:
    with pytest.raises(InvalidLockfile) as caught:
        Lockfile.loads(EXPECTED.replace("version = 1\n", "version = 2\nnew = true\n"))
    assert str(caught.value) == (
        "`hub.lock` does not read\n"
        "  format 2 was written by a newer hub; this one reads 1"
    )
    assert caught.value.hint == "Upgrade `towhee-hub`"


DIGEST = "expected `sha256:` and 64 hexadecimal digits, got "


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("version = 1\n", "version = 0\n", "line 1: version: expected 1, got 0"),
        ("version = 1\n", 'version = "1"\n', "line 1: version: expected a whole number, got '1'"),
        ("version = 1\n", "version = true\n", "line 1: version: expected a whole number, got True"),
        ("version = 1\n", "", "version: missing"),
        ("version = 1\n", "version = 1\nresolver = 3\n", "line 2: resolver: unknown key"),
        ('    "python >=3.11",\n', "    3,\n", "line 3: inputs: expected text, got 3"),
        ("c" * 40, "c" * 7, "line 24: operator[1].revision: expected a full commit or `sha256:…`, got 'ccccccc'"),
        ("c" * 40, "main", "line 24: operator[1].revision: expected a full commit or `sha256:…`, got 'main'"),
        ("refs/tags/v1.2.0", "--output=x", "line 23: operator[1].ref: expected `refs/…`, got '--output=x'"),
        (f'tree = "sha256:{"d" * 64}"\n', "", "line 19: operator[1].tree: missing"),
        ("e" * 64, "E" * 64, f"line 26: operator[1].manifest: {DIGEST}'sha256:{'E' * 64}'"),
        ('"image-decode/cv2<2,>=1"', '"image-decode/cv2<2,>=1", "../x"', "line 27: operator[1].requires: expected `namespace/name`, got '../x'"),
        ('"torch>=2.4"', '"torch @ file:///etc/passwd"', "line 29: operator[1].packages: URL requirements are not allowed, got 'torch @ file:///etc/passwd'"),
        ('"torch>=2.4"', '"--index-url=x"', None),
        ('"torch>=2.4"', r"""'x; os_name == "a\n-r x"'""", """line 29: operator[1].packages: expected a PEP 508 requirement such as `timm>=1,<2`, got 'x; os_name == "a\\\\n-r x"'"""),
        ('sys_platform == \\"darwin\\"', r'sys_platform == \"a\\n-r x\"', """line 44: packages[4].marker: expected a marker of PEP 508, got 'sys_platform == "a\\\\n-r x"'"""),
        ("size = 102", "size = 102, mode = 7", "line 33: operator[1].weights: mode: unknown key"),
        ("9" * 64, "9" * 63, f"line 33: operator[1].weights: sha256: expected 64 hexadecimal digits, got '{'9' * 63}'"),
        ('file = "', 'file = "../', None),
        ('repo = "', 'repo = "../', None),
        ('revision = "', 'revision = "-', None),
        ("mean = [0.5, 1.0]", "mean = 2026-11-24", "line 32: operator[1].space: A preprocessing is JSON values: Object of type date is not JSON serializable"),
        ('weights = "sha256', 'weight = "sha256', "line 32: operator[1].space: A space has no field `weight`"),
        ("mean = [0.5, 1.0]", "mean = [0.5, 1]", "line 32: operator[1].space: it is not the space '543230cc4c4a'"),
        ('source = "', 'source = "dir:a\\n', "line 11: operator[0].source: expected text on one line, got 'dir:a\\nbundled'"),
        ('signer = "', 'signer = "a\\u2028', None),
        ('signer = "', 'signature = "', "line 31: operator[1].signature: unknown key"),
        ('name = "numpy"', 'name = "NumPy"', "line 40: packages[0].name: expected a canonical name, got 'NumPy'"),
        ('"2.1.0"', '"2.x"', "line 40: packages[0].version: Invalid version: '2.x'"),
        (f'hashes = ["sha256:{"1" * 64}"]', "hashes = []", "line 40: packages[0].hashes: expected at least one"),
        (f', hashes = ["sha256:{"1" * 64}"]', "", "line 40: packages[0].hashes: missing"),
        ("[python]", "[python]\nindex = 'x'", "line 39: python.index: unknown key"),
        ('"image-decode/cv2"', '"image-embedding/timm"', "operator `image-embedding/timm` stands twice"),
        ('name = "image-decode/cv2"\nversion = "1.0.0"', 'name = "image-decode/cv2"\nversion = "2.0.0"', "image-embedding/timm 1.2.0 requires `image-decode/cv2<2,>=1`, and the lock has 2.0.0"),
        ('name = "image-decode/cv2"', 'name = "image-decode/pil"', "image-embedding/timm 1.2.0 requires `image-decode/cv2<2,>=1`, and the lock has none"),
        ('sys_platform == \\"darwin\\"', 'sys_platform != \\"darwin\\"', "package `torch` stands twice"),
        (', marker = "sys_platform == \\"darwin\\""', "", "package `torch` stands twice"),
        ('name = "timm"', 'name = "tim"', "image-embedding/timm 1.2.0 requires `timm<2,>=1.0.9`, and the lock has none"),
        ('version = "1.0.22"', 'version = "2.0"', "image-embedding/timm 1.2.0 requires `timm<2,>=1.0.9`, and the lock has 2.0"),
        ('"2.4.1", marker = "sys_platform == ', '"2.3", marker = "sys_platform == ', "image-embedding/timm 1.2.0 requires `torch>=2.4`, and the lock has 2.3"),
        ("operator image-embedding/timm>=1,<2", "operator ../x", "inputs: expected `namespace/name`, got '../x'"),
        ("python >=3.11", "python 3.x", "inputs: Invalid specifier: '3.x'"),
        ("[[operator]]", "[operator]", None),
        ("requires = []", "requires = ", None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(
    old: str, new: str, problem: str | None
) -> None:
    assert old in EXPECTED
    found = problems(EXPECTED.replace(old, new, 1))
    if problem is not None:
        assert problem in found


def test_every_entry_tells_its_own_problem() -> None:
    damaged = EXPECTED.replace('source = "', 'from = "').replace("sha256:1", "sha1:1")
    assert problems(damaged) == (
        "line 11: operator[0].from: unknown key",
        "line 22: operator[1].from: unknown key",
        f"line 40: packages[0].hashes: {DIGEST}'sha1:{'1' * 64}'",
    )


def test_values_without_a_text_are_checked_the_same() -> None:
    data = tomllib.loads(EXPECTED)
    assert Lockfile.from_dict(data).dumps() == EXPECTED
    del data["operator"][0]["tree"]
    with pytest.raises(InvalidLockfile) as caught:
        Lockfile.from_dict(data)
    assert caught.value.problems == ("operator[0].tree: missing",)


@pytest.mark.parametrize(
    "text",
    [
        "a=" + "[" * 5000,
        "version = " + "1" * 5000,
        EXPECTED.replace('sys_platform != \\"darwin\\"', "(" * 5000),
        "version = 1\noperator = [1]\ninputs = 2\n[python]\npackages = [3]",
        "version = 1\noperator = 3\n",
        "python = 1\nversion = 1",
    ],
)
def test_hostile_text_is_an_error_like_any_other(text: str) -> None:
    assert problems(text)


@given(st.text())
def test_any_text_is_refused_and_never_crashes(text: str) -> None:
    assert problems(text)


@given(st.data())
def test_a_lock_with_any_value_in_any_place_reads_or_is_refused(data: Any) -> None:  # noqa: ANN401
    document = tomllib.loads(EXPECTED)
    tables = [
        document,
        document["python"],
        *document["operator"],
        *document["python"]["packages"],
        document["operator"][1]["weights"][0],
    ]
    table = data.draw(st.sampled_from(tables))
    key = data.draw(st.sampled_from(sorted(table)))
    table[key] = data.draw(
        st.none()
        | st.integers()
        | st.text()
        | st.lists(st.text() | st.integers() | st.dictionaries(st.text(), st.text()))
    )
    with suppress(HubError):
        Lockfile.from_dict(document)


digests = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
texts = st.text(st.characters(exclude_categories=["Cs"]))
lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))
options = st.dictionaries(
    texts,
    texts | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.lists(texts),
    max_size=3,
)
weights = st.builds(
    Weights,
    when=options,
    repo=st.from_regex(r"[A-Za-z0-9]{1,8}/[A-Za-z0-9][a-z._-]{0,8}", fullmatch=True),
    file=st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?\.bin", fullmatch=True),
    revision=st.none() | st.sampled_from(["main", "v1.0", "0" * 40]),
    sha256=st.none() | st.just("0" * 64),
    size=st.none() | st.integers(0, 2**40),
)
operators = st.builds(
    LockedOperator,
    name=st.from_regex(r"[a-z]{1,8}-x/[a-z]{1,8}-x", fullmatch=True).map(
        OperatorName.parse
    ),
    version=st.builds("{}.{}".format, st.integers(0, 9), st.integers(0, 9)).map(
        Version
    ),
    source=lines,
    ref=st.none() | st.just("refs/tags/v1.0"),
    revision=digests | st.just("0" * 40),
    tree=digests,
    manifest=digests,
    requires=st.just(()),
    requires_python=st.sampled_from((">=3.11", "", ">=3.11,<4")).map(SpecifierSet),
    packages=st.lists(
        st.sampled_from(
            ('numpy; os_name == "nt"', 'torch>=2.4; python_version < "3.12"')
        )
    ).map(tuple),
    yanked=st.none() | texts,
    weights=st.lists(weights, max_size=2).map(tuple),
    signer=st.none() | lines,
)
packages = st.builds(
    LockedPackage,
    name=st.from_regex(r"[a-z]{1,5}(-[0-9a-z]{1,5})?", fullmatch=True),
    version=st.just("1.0"),
    marker=st.none() | st.just('sys_platform == "win32"'),
    hashes=st.lists(digests, min_size=1, max_size=3).map(sorted).map(tuple),
)


def unique(strategy: Any, key: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    return st.lists(strategy, max_size=3, unique_by=key).map(
        lambda entries: tuple(sorted(entries, key=key))
    )


@given(
    st.builds(
        Lockfile,
        st.lists(lines, max_size=3).map(sorted).map(tuple),
        unique(operators, lambda operator: operator.name),
        unique(packages, lambda package: package.name),
    )
)
def test_any_lock_survives_its_text(lockfile: Lockfile) -> None:
    text = lockfile.dumps()
    assert Lockfile.loads(text) == lockfile
    assert Lockfile.loads(text).dumps() == text
    assert "\r" not in text


def git(folder: Path, *arguments: str) -> int:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=False, capture_output=True
    ).returncode


def branches(folder: Path, base: str, ours: str, theirs: str) -> int:
    """Commit ``base``, change it on two branches, and merge them."""
    path = folder / "hub.lock"
    git(folder, "init", "-q", "-b", "main")
    for branch, text in (("main", base), ("theirs", theirs), ("ours", ours)):
        git(folder, "checkout", "-q", "main")
        git(folder, "checkout", "-q", "-B", branch)
        path.write_text(text)
        git(folder, "add", "hub.lock")
        assert git(folder, "commit", "-q", "-m", branch) == 0
    return git(folder, "merge", "-q", "theirs")


def test_upgrades_on_two_branches_merge_by_themselves(
    tmp_path: Path, lockfile: Lockfile
) -> None:
    cv2, timm = lockfile.operators
    numpy, *others = lockfile.packages
    ours = replace(
        lockfile,
        operators=(replace(cv2, version=Version("1.1.0"), revision="1" * 40), timm),
    )
    theirs = replace(lockfile, packages=(replace(numpy, version="2.2.0"), *others))
    assert branches(tmp_path, lockfile.dumps(), ours.dumps(), theirs.dumps()) == 0
    merged = Lockfile.load(tmp_path / "hub.lock")
    assert merged == replace(ours, packages=theirs.packages)


def test_additions_on_two_branches_merge_by_themselves(
    tmp_path: Path, lockfile: Lockfile
) -> None:
    first = replace(lockfile.operators[0], name=OperatorName.parse("acme/first"))
    last = replace(lockfile.operators[0], name=OperatorName.parse("zeta/last"))
    asked = ("operator acme/first", *lockfile.inputs)
    ours = replace(lockfile, inputs=asked, operators=(first, *lockfile.operators))
    theirs = replace(
        lockfile,
        inputs=(*lockfile.inputs, "source zeta/* bundled"),
        operators=(*lockfile.operators, last),
    )
    assert branches(tmp_path, lockfile.dumps(), ours.dumps(), theirs.dumps()) == 0
    merged = Lockfile.load(tmp_path / "hub.lock")
    assert merged.inputs == (*asked, "source zeta/* bundled")
    assert merged.operators == (first, *lockfile.operators, last)


PAGE = Path(__file__).parents[3] / "docs" / "lock.md"


def shown(what: str) -> str:
    """The block of the page that stands below ``<!-- what -->``."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(
        f"<!-- {what} -->\n```toml\n"
    )
    block, _, _ = rest.partition("```")
    return block


def test_the_lock_that_the_page_shows_is_one(tmp_path: Path) -> None:
    lockfile = Lockfile.loads(shown("lock"))
    assert [str(operator.name) for operator in lockfile.operators] == [
        "acme/sharpen",
        "image-decode/cv2",
        "image-embedding/timm",
    ]
    lines = [line.partition("     #")[0] for line in shown("lock").splitlines()]
    assert lockfile.dumps().splitlines() == lines


def test_the_lock_that_the_page_shows_belongs_to_its_project(tmp_path: Path) -> None:
    project = Project.parse(tmp_path / "pyproject.toml", shown("project"))
    assert not project.is_stale(Lockfile.loads(shown("lock")))


def test_json_is_no_dependency_of_the_format(lockfile: Lockfile) -> None:
    """Strings are written as JSON writes them: every one must be TOML's too."""
    for code in [*range(0x20), 0x22, 0x5C, 0x7F, 0x85, 0xA0, 0x2028, 0xFEFF, 0x1F600]:
        text = f"a{chr(code)}b"
        changed = replace(lockfile.operators[0], yanked=text)
        again = Lockfile.loads(replace(lockfile, operators=(changed,)).dumps())
        assert again.operators[0].yanked == text, json.dumps(text)
