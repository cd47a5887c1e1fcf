"""What a new operator starts from: valid, whatever it is called."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from hub_client.scaffold import Kind, License, Skeleton, place
from plugin_spec import Manifest, OperatorName
from plugin_spec.conformance import check_operator

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = OperatorName("acme", "my-op")
AWKWARD = (
    "3d-pose",
    "class",
    "json",
    "model-operator",
    "none",
    "numpy",
    "operator",
    "plugin-spec",
    "samples",
    "tests",
    "towhee",
    "x",
    "a" * 64,
)


def python(files: Mapping[str, str]) -> dict[str, ast.Module]:
    return {
        path: ast.parse(text) for path, text in files.items() if path.endswith(".py")
    }


@pytest.mark.parametrize("license_name", get_args(License))
@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_under_every_licence_has_nothing_to_mend(
    kind: Kind, license_name: License
) -> None:
    place(Skeleton(NAME, kind, license_name).files(), Path("new"))
    assert check_operator(Path("new")) == ()
    manifest = Manifest.from_yaml(Path("new/operator.yaml").read_bytes())
    assert (manifest.name, manifest.license) == (NAME, license_name)


@pytest.mark.parametrize("name", AWKWARD)
def test_a_name_that_python_or_the_files_have_already_still_works(name: str) -> None:
    files = Skeleton(OperatorName("acme", name)).files()
    place(files, Path("new"))
    assert check_operator(Path("new")) == ()
    (package,) = (path for path in files if path.endswith("__init__.py"))
    classes = [
        node.name
        for node in ast.walk(python(files)[package])
        if isinstance(node, ast.ClassDef)
    ]
    assert len(classes) == 1
    assert classes[0] not in {"Operator", "ModelOperator", "None"}


@pytest.mark.parametrize("kind", get_args(Kind))
def test_no_file_names_a_host(kind: Kind) -> None:
    files = Skeleton(NAME, kind).files()
    del files["LICENSE"]
    assert [path for path, text in files.items() if "://" in text] == []


def test_the_files_of_an_operator() -> None:
    assert list(Skeleton(NAME).files()) == [
        ".github/workflows/check.yaml",
        ".gitignore",
        "LICENSE",
        "README.md",
        "my_op/__init__.py",
        "operator.yaml",
        "tests/conftest.py",
        "tests/test_operator.py",
    ]


def test_equal_questions_give_equal_bytes() -> None:
    assert Skeleton(NAME, "model").files() == Skeleton(NAME, "model").files()
