"""A published text model comes from the Hugging Face Hub, or not at all."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from installation import ROOT
from transformers import AutoModel, AutoTokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from servers.hugging_face import HuggingFaceServer

pytestmark = pytest.mark.slow  # each starts processes that import torch

OPERATOR = ROOT / "reference_operators" / "text-embedding" / "transformers"
REPOSITORY = "acme/tiny-bert"
TEXT = "the cat sat on the mat"
WAYS_ON = (
    "Connect to the network, or set HF_ENDPOINT to a mirror; or give `model_name=` "
    "a folder with config.json, model.safetensors and tokenizer.json"
)

# The clients read HF_ENDPOINT and HF_HOME as they are imported: a process a test.
PROGRAM = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from plugin_spec import HubError
from plugin_spec.manifest import Weights
from plugin_spec.pinned import pinning
from transformers_embedding import TransformersEmbedding
answers = []
for options in map(json.loads, sys.argv[3:]):
    started = time.monotonic()
    pins = [Weights({}, *each) for each in options.pop("pins", ())]
    try:
        with pinning(pins):
            embed = TransformersEmbedding(**options)
        answers.append({"vector": embed(sys.argv[2]).tolist(), **embed.describe()})
    except HubError as error:
        name = type(error).__name__
        answers.append({"error": name, "message": str(error), "hint": error.hint})
    answers[-1]["seconds"] = time.monotonic() - started
print(json.dumps(answers))
"""


def embed(*options: dict[str, Any], **environment: str) -> list[dict[str, Any]]:
    """What the operator gives or refuses for each of ``options``, in one process."""
    arguments = [str(OPERATOR), TEXT, *map(json.dumps, options)]
    variables = {"OMP_NUM_THREADS": "1", **os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model that pools as sentence-transformers says."""
    monkeypatch.syspath_prepend(OPERATOR / "tests")
    tiny_bert = importlib.import_module("tiny_bert")
    path = tmp_path / "model"
    tiny_bert.write_model(path)
    tiny_bert.write_pooling(path, pooling_mode_cls_token=True)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def vector(folder: Path) -> list[float]:
    """transformers' own recipe, with the first word's vector."""
    inputs = AutoTokenizer.from_pretrained(folder)(TEXT, return_tensors="pt")
    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        (words,) = model(**inputs).last_hidden_state
    return torch.nn.functional.normalize(words[0], dim=0).tolist()


def test_a_published_model_pools_as_its_repository_says_also_offline(
    hugging_face: HuggingFaceServer, folder: Path
) -> None:
    commit = hugging_face.create(REPOSITORY, files(folder))
    first, pinned = embed(
        {"model_name": REPOSITORY},
        {"model_name": REPOSITORY, "revision": commit},
        HF_ENDPOINT=hugging_face.url,
    )
    assert first["pooling"] == "cls"
    np.testing.assert_allclose(first["vector"], vector(folder), rtol=0, atol=1e-6)
    assert pinned["vector"] == first["vector"]
    assert first["weights"] == pinned["weights"] == f"hf-hub:{REPOSITORY}@{commit}"
    hugging_face.requests.clear()
    (offline,) = embed(
        {"model_name": REPOSITORY}, HF_ENDPOINT=hugging_face.url, HF_HUB_OFFLINE="1"
    )
    assert offline == {**first, "seconds": offline["seconds"]}
    assert hugging_face.requests == []


def test_what_cannot_be_reached_is_told_with_ways_on(
    hugging_face: HuggingFaceServer, tmp_path: Path
) -> None:
    home = tmp_path / "hf"
    options = {"model_name": REPOSITORY}
    (missing,) = embed(options, HF_ENDPOINT=hugging_face.url, HF_HOME=str(home))
    dead = "http://127.0.0.1:9"
    (cut_off,) = embed(options, HF_ENDPOINT=dead, HF_HOME=str(home))
    cache = f"its files are not all in the cache `{home / 'hub'}`"
    said = {
        f"`{REPOSITORY}` at {hugging_face.url} gave RepositoryNotFoundError": missing,
        f"`{REPOSITORY}` at {dead} gave ConnectError": cut_off,
    }
    for reason, answer in said.items():
        assert answer["error"] == "WeightsUnavailable"
        assert answer["message"] == f"Cannot load `{REPOSITORY}`: {reason}, and {cache}"
        assert answer["hint"] == WAYS_ON
        assert answer["seconds"] < 10


def test_weights_that_a_lock_pins_are_loaded_and_no_others(
    hugging_face: HuggingFaceServer, folder: Path
) -> None:
    file = "model.safetensors"
    first = hugging_face.create(REPOSITORY, files(folder))
    sha256 = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    pointer = hugging_face.store(file, b"trained again")
    hugging_face.repository(REPOSITORY).commit("main", {file: pointer}, "train again")
    found, refused = embed(
        {"model_name": REPOSITORY, "pins": [[REPOSITORY, file, first, sha256]]},
        {"model_name": REPOSITORY, "pins": [[REPOSITORY, file, first, "0" * 64]]},
        HF_ENDPOINT=hugging_face.url,
    )
    np.testing.assert_allclose(found["vector"], vector(folder), rtol=0, atol=1e-6)
    assert found["weights"] == f"hf-hub:{REPOSITORY}@{first}"
    assert refused["error"] == "PinnedFileDiffers"
    assert refused["message"] == (
        f"`{file}` of `{REPOSITORY}` at {first} is not what is locked\n"
        f"  locked sha256 {'0' * 64}\n"
        f"  found  sha256 {sha256}"
    )
