"""The server is what the real clients take it for."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from servers.hugging_face import HuggingFaceServer

FILES = {
    "config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 64,
    "empty.txt": b"",
}


def test_the_client_reads_what_a_commit_holds(
    hugging_face: HuggingFaceServer, tmp_path: Path
) -> None:
    commit = hugging_face.create("acme/model", FILES)
    api = HfApi(endpoint=hugging_face.url)
    assert api.model_info("acme/model").sha == commit
    folder = snapshot_download(
        "acme/model", endpoint=hugging_face.url, local_dir=tmp_path / "copy"
    )
    read = {name: (tmp_path / "copy" / name).read_bytes() for name in FILES}
    assert folder == str(tmp_path / "copy")
    assert read == FILES


def test_git_and_the_api_see_the_same_repository(
    hugging_face: HuggingFaceServer, tmp_path: Path
) -> None:
    hugging_face.create("acme/model")
    clone = tmp_path / "clone"
    for words in (
        ("clone", "--quiet", f"{hugging_face.url}/acme/model", clone),
        ("-C", clone, "commit", "--quiet", "--allow-empty", "--message", "By git"),
        ("-C", clone, "tag", "v1.0.0"),
        ("-C", clone, "push", "--quiet", "origin", "main", "v1.0.0"),
    ):
        subprocess.run(["git", *words], check=True, capture_output=True)
    refs = HfApi(endpoint=hugging_face.url).list_repo_refs("acme/model")
    assert [tag.name for tag in refs.tags] == ["v1.0.0"]


# huggingface_hub 2.4 uploads in a way that its HTTP library will drop.
@pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")
def test_what_the_api_uploads_comes_back_by_commit(
    hugging_face: HuggingFaceServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    api = HfApi(endpoint=hugging_face.url, token="hf_test")  # noqa: S106  (a test's)
    api.create_repo("acme/model")
    source = tmp_path / "source"
    source.mkdir()
    for name, content in FILES.items():
        (source / name).write_bytes(content)
    commit = api.upload_folder(repo_id="acme/model", folder_path=source).oid
    api.create_tag("acme/model", tag="v1.0.0", tag_message="First")
    path = hf_hub_download(
        "acme/model",
        "model.safetensors",
        revision="v1.0.0",
        endpoint=hugging_face.url,
        local_dir=tmp_path / "copy",
    )
    with open(path, "rb") as file:  # noqa: PTH123  (the client gives a str)
        assert file.read() == FILES["model.safetensors"]
    (tag,) = api.list_repo_refs("acme/model").tags
    assert tag.target_commit == commit


def test_what_is_missing_is_a_typed_error(hugging_face: HuggingFaceServer) -> None:
    hugging_face.create("acme/model", FILES)
    api = HfApi(endpoint=hugging_face.url)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("acme/nothing")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("acme/model", revision="v9")
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download("acme/model", "nothing.json")
