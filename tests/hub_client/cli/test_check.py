from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.hub_client.cli.conftest import Hub


@pytest.fixture
def whole_hub(hub: Hub) -> Hub:
    """The command with what runs operators."""
    return replace(hub, module="towhee")


def test_a_bundled_operator_can_be_published(hub: Hub, root: Path) -> None:
    repository = root / "reference_operators" / "image-decode" / "cv2"
    done = hub("check", repository)
    assert done.returncode == 0
    assert done.stderr == f"`{repository}` can be published\n"


def test_findings_are_the_result_and_the_verdict_is_status_1(hub: Hub) -> None:
    done = hub("check")
    assert done.returncode == 1
    assert done.stdout.startswith("error: operator.yaml: missing\n  Write the manifest")
    assert done.stderr == "\n`.` has 3 errors\n"


def test_findings_as_json(hub: Hub) -> None:
    Path("repository").mkdir()
    done = hub("check", "repository", "--json")
    value = json.loads(done.stdout)
    assert (done.returncode, value["path"], value["ran"]) == (1, "repository", False)
    assert value["findings"][0] == {
        "severity": "error",
        "place": "operator.yaml",
        "message": "missing",
        "mend": "Write the manifest, as `docs/manifest.md` describes it",
    }


def test_looking_at_a_repository_never_runs_it(whole_hub: Hub) -> None:
    whole_hub("init", "acme/my-op")
    with Path("my-op/my_op/__init__.py").open("a") as package:
        package.write("\nprint('this ran', file=open('/dev/stderr', 'w'))\n")
    assert "this ran" not in whole_hub.said("check", "my-op")


def test_an_operator_that_runs_as_it_should_can_be_published(whole_hub: Hub) -> None:
    whole_hub("init", "acme/my-op", "--kind", "model")
    assert whole_hub.said("check", "my-op", "--run") == (
        "Running `my-op`\n`my-op` can be published\n"
    )


def test_what_is_read_and_what_runs_is_one_list(whole_hub: Hub) -> None:
    whole_hub("init", "acme/my-op")
    Path("my-op/README.md").unlink()
    package = Path("my-op/my_op/__init__.py")
    package.write_text(package.read_text().replace("np.float32", "np.float64"))
    done = whole_hub("check", "my-op", "--option", "scale=2")
    assert done.stdout == (
        "error: README.md: missing\n"
        "  Say what the operator does, with an example that can be copied\n"
        "error: call: its output is float64 of shape (3,), "
        "but `color` is vector float32 [3]\n"
        "  Return what `outputs` says, or say there what it returns\n"
    )
    assert done.stderr == "Running `my-op`\n\n`my-op` has 2 errors\n"


def test_what_cannot_be_read_is_not_run(whole_hub: Hub) -> None:
    whole_hub("init", "acme/my-op")
    Path("my-op/my_op/__init__.py").write_text("import my_op\n")
    done = whole_hub("check", "my-op", "--run")
    assert done.stderr.endswith("`my-op` has 2 errors\n")
    assert "construction" not in done.stdout


def test_running_takes_the_floor_that_runs(hub: Hub) -> None:
    hub("init", "acme/my-op")
    assert hub.refused("check", "my-op", "--run").endswith(
        "error: Nothing here runs operators\n\n"
        "hint: Run `hub`, or `python -m towhee`, rather than this part of it\n"
    )


def test_what_stays_at_home_is_no_part_of_a_check(whole_hub: Hub) -> None:
    whole_hub("init", "acme/my-op")
    Path("my-op/.gitignore").write_text("data\nweights/\n")
    Path("my-op/data").symlink_to("/etc")
    Path("my-op/weights").mkdir()
    Path("my-op/weights/model.pt").touch()
    words = "`my-op` can be published\n"
    assert whole_hub.said("check", "my-op") == words
    package = Path("my-op/my_op/__init__.py")
    reading = "import os\nos.stat(__file__ + '/../../weights/model.pt')\n"
    package.write_text(
        package.read_text().replace("import numpy", f"{reading}import numpy")
    )
    done = whole_hub("check", "my-op", "--run")
    assert done.stdout.startswith("error: import: fails: ")


def test_what_is_committed_is_checked_whatever_is_ignored(
    hub: Hub,
) -> None:
    hub("init", "acme/my-op", ".hidden/my-op")
    git = ("git", "-c", "user.name=A", "-c", "user.email=a@acme.example")
    subprocess.run([*git, "init", "--quiet"], check=True)
    folder = Path(".hidden/my-op")
    for file in ("model.pt", "other.pt"):
        (folder / "weights").mkdir(exist_ok=True)
        (folder / "weights" / file).touch()
    (folder / ".gitignore").write_text("weights/\n")
    words = ("add", "--force", str(folder / "weights" / "model.pt"))
    subprocess.run([*git, *words], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=Weights"], check=True)
    assert hub("check", folder).stdout.splitlines()[::2] == [
        "warning: weights/model.pt: may be a pickle, which runs code when it is loaded"
    ]


def test_a_document_that_no_tree_may_hold_is_told_and_nothing_runs(
    whole_hub: Hub,
) -> None:
    whole_hub("init", "acme/my-op")
    Path("my-op/README.md").unlink()
    Path("my-op/README.md").symlink_to("nowhere")
    done = whole_hub("check", "my-op", "--run")
    assert done.stdout == (
        "error: README.md: is a symbolic link\n"
        "  Put a regular file there, or remove it\n"
        "error: README.md: missing\n"
        "  Say what the operator does, with an example that can be copied\n"
    )
