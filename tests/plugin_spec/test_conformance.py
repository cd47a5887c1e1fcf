"""What `hub check` finds in a repository, without running any of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_spec.conformance import check_operator
from plugin_spec.manifest import Manifest

MANIFEST = """\
spec: 1
name: acme/brightness
version: "1.0.0"
kind: operator
summary: Mean brightness
license: Apache-2.0
module: brightness
requires: {packages: ["numpy>=1.26"]}
inputs: [{name: image, type: image}]
outputs: [{name: mean, type: vector}]
"""
PACKAGE = """\
from __future__ import annotations

import json

import numpy as np
from plugin_spec import Operator, hookimpl

from .mean import Mean


@hookimpl
def operator_class() -> type[Operator]:
    return Mean
"""
PIPELINE = """\
spec: 1
name: acme/tiny
version: "1.0.0"
kind: pipeline
summary: Tiny
license: Apache-2.0
inputs: [{name: image, type: image}]
outputs: [{name: mean, type: vector}]
steps: [{operator: acme/brightness, with: {weights: {file: weights/tiny.safetensors}}}]
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "brightness"
    package = folder / "brightness"
    package.mkdir(parents=True)
    (folder / "operator.yaml").write_text(MANIFEST)
    (folder / "README.md").write_text("# acme/brightness\n")
    (folder / "LICENSE").write_text("Apache-2.0\n")
    (package / "__init__.py").write_text(PACKAGE)
    (package / "mean.py").write_text("class Mean: ...\n")
    return folder


def found(repository: Path) -> list[str]:
    return [
        f"{finding.severity}: {finding.place}: {finding.message}"
        for finding in check_operator(repository)
    ]


def test_a_good_repository_has_no_findings(repository: Path) -> None:
    assert check_operator(repository) == ()


def test_a_finding_prints_with_how_to_mend_it(repository: Path) -> None:
    (repository / "README.md").unlink()
    assert [str(finding) for finding in check_operator(repository)] == [
        "error: README.md: missing\n  Say what the operator does, with an example that can be copied"
    ]


def test_documents_have_to_say_something(repository: Path) -> None:
    for name in ("README.md", "LICENSE"):
        (repository / name).write_text("\n")
    assert found(repository) == ["error: README.md: empty", "error: LICENSE: empty"]


def test_the_head_of_a_card_is_no_page(repository: Path) -> None:
    (repository / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    assert found(repository) == ["error: README.md: empty"]


@pytest.mark.parametrize(
    ("written", "card", "problem"),
    [
        ("Apache-2.0", "apache-2.0", None),
        ("Apache-2.0", '"mit"', "its card says the licence mit, and the manifest "),
        ("GPL-3.0-only", "gpl-3.0", None),
        ("Apache-2.0", "other", None),
        ("LicenseRef-Acme", "mit", None),
    ],
)
def test_a_card_does_not_say_another_licence(
    repository: Path, written: str, card: str, problem: str | None
) -> None:
    text = MANIFEST.replace("Apache-2.0", written)
    (repository / "operator.yaml").write_text(text)
    page = f"---\r\ntags: [a]\r\nlicense: {card}\r\n---\r\n# A page\r\nlicense: x\r\n"
    (repository / "README.md").write_bytes(page.encode())
    expected = [f"warning: README.md: {problem}{written}"] if problem else []
    assert found(repository) == expected


def test_an_empty_folder_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert found(tmp_path / "empty") == [
        "error: operator.yaml: missing",
        "error: README.md: missing",
        "error: LICENSE: missing",
    ]
    assert found(Path("nowhere")) == ["error: nowhere: not a folder"]


def test_every_problem_of_the_manifest_is_a_finding(repository: Path) -> None:
    broken = MANIFEST.replace('"1.0.0"', "1.10").replace("module: b", "module: b-")
    (repository / "operator.yaml").write_text(broken)
    assert found(repository) == [
        'error: operator.yaml: line 3: version: expected a quoted string, got the number 1.10: write "1.10"',
        "error: operator.yaml: line 7: module: expected a Python identifier, got 'b-rightness'",
    ]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("BSD", "`BSD` is not on the list of SPDX: did you mean `BSD-2-Clause` or "),
        ("MIT OR GPLv3", "`GPLv3` is not on the list of SPDX: did you mean `GPL-3.0-"),
        ("GPL-2.0-only WITH Nothing", "expected an SPDX expression, got 'GPL-2.0-on"),
    ],
)
def test_a_licence_that_spdx_does_not_have_is_named_and_its_manifest_loads(
    repository: Path, written: str, problem: str
) -> None:
    text = MANIFEST.replace("Apache-2.0", written)
    (repository / "operator.yaml").write_text(text)
    (finding,) = found(repository)
    assert finding.startswith(f"error: operator.yaml: license: {problem}")
    # What was published before the check, or without it, is installed all the same.
    assert Manifest.from_yaml(text.encode()).license == written


def test_the_package_must_be_a_folder_with_an_init_file(repository: Path) -> None:
    (repository / "brightness" / "__init__.py").unlink()
    assert found(repository) == ["error: brightness/__init__.py: missing"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("import brightness", "brightness"),
        ("import brightness.mean as m", "brightness.mean"),
        ("from brightness.mean import Mean", "brightness.mean"),
        ("def f():\n    from brightness import mean", "brightness"),
    ],
)
def test_an_absolute_import_of_itself_is_refused_at_any_depth(
    repository: Path, line: str, name: str
) -> None:
    (repository / "brightness" / "mean.py").write_text(f"{line}\n")
    number = line.count("\n") + 1
    assert found(repository) == [
        f"error: brightness/mean.py line {number}: imports `{name}`, but the package runs under a private name"
    ]


def test_a_package_whose_name_only_starts_the_same_is_another(
    repository: Path,
) -> None:
    (repository / "brightness" / "mean.py").write_text("import brightness_extra\n")
    assert found(repository) == [
        "warning: brightness/mean.py line 1: imports `brightness_extra`, which `requires.packages` does not name"
    ]


@pytest.mark.parametrize(
    "hook",
    [
        "@hookimpl\ndef operator_class(): ...",
        "@plugin_spec.hookimpl\ndef operator_class(): ...",
        "@hookimpl(tryfirst=True)\ndef operator_class(): ...",
    ],
)
def test_the_hook_is_found_however_it_is_decorated(repository: Path, hook: str) -> None:
    (repository / "brightness" / "__init__.py").write_text(f"{hook}\n")
    assert found(repository) == []


def test_the_hook_may_be_imported_from_a_module_beside(repository: Path) -> None:
    package = repository / "brightness"
    (package / "hooks.py").write_text("@hookimpl\ndef operator_class(): ...\n")
    (package / "__init__.py").write_text("from .hooks import operator_class\n")
    assert found(repository) == []


@pytest.mark.parametrize(
    "code",
    ["", "def operator_class(): ...", "class A:\n  @hookimpl\n  def operator_class(): ..."],
)  # fmt: skip
def test_a_package_without_the_hook_is_refused(repository: Path, code: str) -> None:
    (repository / "brightness" / "__init__.py").write_text(f"{code}\n")
    assert found(repository) == [
        "error: brightness/__init__.py: does not implement the hook `operator_class`"
    ]


def test_code_that_does_not_parse_is_a_finding(repository: Path) -> None:
    (repository / "brightness" / "mean.py").write_text("x = 1\ndef (:\n")
    assert found(repository) == [
        "error: brightness/mean.py line 2: not Python: invalid syntax"
    ]


@pytest.mark.parametrize("code", [b"\x00", b"x = '\xff'", b"-" * 100_000 + b"1"])
def test_code_that_no_parser_can_read_is_a_finding(
    repository: Path, code: bytes
) -> None:
    (repository / "brightness" / "mean.py").write_bytes(code)
    # The reason is Python's own and differs between its versions.
    (finding,) = found(repository)
    assert finding.startswith("error: brightness/mean.py")
    assert ": not Python: " in finding


def test_nothing_of_the_repository_is_run(repository: Path) -> None:
    package = repository / "brightness"
    code = PACKAGE + f"\nopen({str(repository / 'ran')!r}, 'w')\nraise SystemExit\n"
    (package / "__init__.py").write_text(code)
    assert found(repository) == []
    assert not (repository / "ran").exists()


def test_an_import_that_no_requirement_gives_is_a_warning(repository: Path) -> None:
    package = repository / "brightness"
    (package / "mean.py").write_text("import PIL.Image\nimport cv2\nimport PIL\n")
    assert found(repository) == [
        "warning: brightness/mean.py line 1: imports `PIL`, which `requires.packages` does not name",
        "warning: brightness/mean.py line 2: imports `cv2`, which `requires.packages` does not name",
    ]
    named = MANIFEST.replace(
        '["numpy', '["Pillow", "opencv-contrib-python-headless", "numpy'
    )
    (repository / "operator.yaml").write_text(named)
    assert found(repository) == []


def test_a_symbolic_link_is_refused_and_not_followed(repository: Path) -> None:
    (repository / "passwd").symlink_to("/etc/passwd")
    (repository / "brightness" / "outside.py").symlink_to("/etc/passwd")
    (repository / "folder").symlink_to("/etc")
    assert found(repository) == [
        "error: brightness/outside.py: is a symbolic link",
        "error: folder: is a symbolic link",
        "error: passwd: is a symbolic link",
    ]


@pytest.mark.parametrize(
    ("path", "place", "message"),
    [
        ("con.txt", "con.txt", "has the name of a Windows device"),
        ("a\\b", "a\\b", "has a character that Windows forbids"),
        ("name.", "name.", "has a name that ends with a dot or a space"),
        ("a\nb", "'a\\nb'", "has a control, invisible or undecodable character"),
        ("x/.GIT/hooks", "x/.GIT/hooks", "is inside a `.git` folder"),
        ("readme.md", "README.md", "and 'readme.md' differ only in case"),
    ],
)
def test_a_path_that_some_system_cannot_store_is_refused(
    repository: Path, path: str, place: str, message: str
) -> None:
    (repository / path).parent.mkdir(parents=True, exist_ok=True)
    (repository / path).touch()
    assert found(repository) == [f"error: {place}: {message}"]


def test_git_bytecode_and_an_environment_are_not_looked_at(repository: Path) -> None:
    for path in (".git/hooks", "brightness/__pycache__", ".venv/bin"):
        (repository / path).mkdir(parents=True)
        (repository / path / "con.txt").touch()
    (repository / ".venv" / "pyvenv.cfg").touch()
    (repository / ".venv" / "bin" / "python").symlink_to("/usr/bin/python3")
    assert found(repository) == []


def test_pickled_weights_are_a_warning(repository: Path) -> None:
    (repository / "model.PT").touch()
    weights = "weights: [{repo: acme/x, file: pytorch_model.bin}]\n"
    (repository / "operator.yaml").write_text(MANIFEST + weights)
    assert found(repository) == [
        "warning: model.PT: may be a pickle, which runs code when it is loaded",
        "warning: operator.yaml: weights[0].file: may be a pickle, which runs code when it is loaded",
    ]


def test_a_file_that_a_step_names_must_be_there(repository: Path) -> None:
    (repository / "operator.yaml").write_text(PIPELINE)
    (repository / "weights").mkdir()
    (repository / "weights" / "tiny.safetensor").touch()
    assert found(repository) == [
        "error: operator.yaml: steps[0].with.weights: no file `weights/tiny.safetensors` here: did you mean `weights/tiny.safetensor`?"
    ]
    (repository / "weights" / "tiny.safetensors").touch()
    assert found(repository) == []


def test_a_file_that_is_here_and_ignored_is_not_called_missing(
    repository: Path,
) -> None:
    ignored = {"README.md", "brightness/"}
    shown = "is ignored, so that it would not be published"
    findings = check_operator(repository, ignored=ignored)
    assert [(each.place, each.message) for each in findings] == [
        ("README.md", shown),
        ("brightness/__init__.py", shown),
    ]
    (finding,) = check_operator(repository, ignored={"operator.yaml"})
    assert finding.mend == (
        "Take it out of `.gitignore`, or add it with `git add --force`"
    )
    (repository / "README.md").rename(repository / "page")
    (repository / "README.md").symlink_to("page")
    assert found(repository) == [
        "error: README.md: is a symbolic link",
        "error: README.md: missing",
    ]
