"""The wheel as a user has it: in a fresh environment, with packages of the registry."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import skimage.data
from installation import Installation
from PIL import Image

from hub_client.tree_digest import tree_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PHOTOGRAPHS = ("chelsea", "coffee", "rocket")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("user")


@pytest.fixture(scope="module")
def user(home: Path, wheel: Path, package_cache: Path) -> Installation:
    return Installation.create(
        home / "venv",
        wheel,
        HOME=str(home),
        HUB_CACHE_DIR=str(home / "cache"),
        HUB_CONFIG_DIR=str(home / "config"),
        UV_CACHE_DIR=str(package_cache),
    )


@pytest.fixture(scope="module")
def photographs(home: Path) -> Path:
    folder = home / "photos"
    folder.mkdir()
    for name in PHOTOGRAPHS:
        image = Image.fromarray(getattr(skimage.data, name)())
        image.save(folder / f"{name}.jpg")
    return folder


def files_of(wheel: Path) -> Iterator[str]:
    with zipfile.ZipFile(wheel) as archive:
        yield from archive.namelist()


def test_the_wheel_holds_the_operators_and_no_leavings(wheel: Path) -> None:
    files = set(files_of(wheel))
    bundled = "hub_client/bundled_operators"
    assert f"{bundled}/image-embedding/timm/operator.yaml" in files
    assert f"{bundled}/towhee/image-embedding-tiny/weights/model.safetensors" in files
    assert "plugin_spec/manifest.schema.json" in files
    assert {"plugin_spec/py.typed", "hub_client/py.typed", "towhee/py.typed"} <= files
    assert not [each for each in files if "__pycache__" in each or ".pyc" in each]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_new_user_installs_locks_and_embeds(
    user: Installation, home: Path, photographs: Path
) -> None:
    project = home / "project"
    project.mkdir()
    header = '[project]\nname = "search"\nversion = "0"\n'
    (project / "pyproject.toml").write_text(header, encoding="utf-8")

    user.run("hub", "install", "image-embedding-tiny", folder=project)
    again = user.run("hub", "install", "image-embedding-tiny", folder=project)
    assert again.stderr == "towhee/image-embedding-tiny 1.0.0 is already installed\n"
    user.run("hub", "lock", "--check", folder=project)

    words = [str(photographs / f"{name}.jpg") for name in PHOTOGRAPHS]
    missing = str(photographs / "missing.jpg")
    output = str(home / "vectors.npy")
    ran = user.run(
        *(
            "hub",
            "run",
            "image-embedding-tiny",
            *words,
            missing,
            "-o",
            output,
            "--json",
        ),
        folder=project,
        succeed=False,
    )
    assert ran.returncode == 1
    report = json.loads(ran.stdout)
    assert [failure["file"] for failure in report["failures"]] == [missing]
    vectors = np.load(output)
    assert (vectors.shape, vectors.dtype) == ((3, 96), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_second_environment_gets_the_same_bytes(
    user: Installation, home: Path, wheel: Path
) -> None:
    project, second_home = home / "project", home / "second"
    second = Installation.create(
        second_home / "venv",
        wheel,
        **{**user.environment, "HUB_CACHE_DIR": str(second_home / "cache")},
    )
    lock = (project / "hub.lock").read_bytes()
    second.run("hub", "sync", "--locked", folder=project)
    second.run("hub", "sync", "--frozen", folder=project)
    assert (project / "hub.lock").read_bytes() == lock

    def trees(cache: Path) -> dict[str, str]:
        folders = (cache / "store" / "sha256").iterdir()
        return {folder.name: tree_digest(folder) for folder in folders}

    assert trees(second_home / "cache") == trees(home / "cache")
    listed = second.run("hub", "list", "--json").stdout
    assert listed == user.run("hub", "list", "--json").stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_operator_is_installed_on_demand_once_and_announced(
    user: Installation, home: Path, photographs: Path
) -> None:
    code = (
        "import numpy as np\nfrom towhee import ops\n"
        "search = ops.towhee.search_vectors(data=[[0.0, 1.0]])\n"
        "print(search(np.array([0.0, 1.0])).ids)\n"
    )
    first = user.run("python", "-c", code, folder=home)
    second = user.run("python", "-c", code, folder=home)
    assert first.stdout == second.stdout == "[0]\n"
    assert "`towhee/search-vectors`" in first.stderr
    assert second.stderr == ""
