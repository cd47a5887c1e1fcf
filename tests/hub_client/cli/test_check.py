from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.hub_client.cli.conftest import Hub


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
    assert (done.returncode, value["path"]) == (1, "repository")
    assert value["findings"][0] == {
        "severity": "error",
        "place": "operator.yaml",
        "message": "missing",
        "mend": "Write the manifest, as `docs/manifest.md` describes it",
    }
