"""Published weights come from the Hugging Face Hub, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage.data
import timm
import torch
from installation import ROOT
from PIL import Image
from safetensors.torch import save
from timm.data import create_transform, resolve_model_data_config

if TYPE_CHECKING:
    from pathlib import Path

    from servers.hugging_face import HuggingFaceServer

pytestmark = pytest.mark.slow  # each starts processes that import torch

OPERATOR = ROOT / "reference_operators" / "image-embedding" / "timm"
REPOSITORY = "timm/test_resnet.r160_in1k"
WAYS_ON = (
    "Connect to the network, or set HF_ENDPOINT to a mirror; or give "
    "`checkpoint_path=` a file of your own; or take random weights with "
    "`pretrained=False`"
)

# The clients read HF_ENDPOINT and HF_HOME as they are imported: a process a test.
PROGRAM = """
import json, sys, time
import skimage.data
sys.path.insert(0, sys.argv[1])
from plugin_spec import HubError
from plugin_spec.manifest import Weights
from plugin_spec.pinned import pinning
from timm_embedding import TimmEmbedding
answers = []
for options in map(json.loads, sys.argv[2:]):
    started = time.monotonic()
    pins = [Weights({}, *each) for each in options.pop("pins", ())]
    try:
        with pinning(pins):
            embed = TimmEmbedding(**options)
        vector = embed(skimage.data.chelsea()).tolist()
        answers.append({"vector": vector, **embed.describe()})
    except HubError as error:
        name = type(error).__name__
        answers.append({"error": name, "message": str(error), "hint": error.hint})
    answers[-1]["seconds"] = time.monotonic() - started
print(json.dumps(answers))
"""


def embed(*options: dict[str, Any], **environment: str) -> list[dict[str, Any]]:
    """What the operator gives or refuses for each of ``options``, in one process."""
    words = [sys.executable, "-c", PROGRAM, str(OPERATOR), *map(json.dumps, options)]
    variables = {"OMP_NUM_THREADS": "1", **os.environ, **environment}
    done = subprocess.run(
        words, check=True, stdout=subprocess.PIPE, text=True, env=variables
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def model(name: str) -> torch.nn.Module:
    """A model whose weights no other seed gives."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1234)
        return timm.create_model(name, pretrained=False).eval()


def weights(model: torch.nn.Module, *, without: str | None = None) -> bytes:
    state = model.state_dict()
    state.pop(without, None)
    return save(state)


def vector(model: torch.nn.Module) -> list[float]:
    """timm's documented recipe."""
    transform = create_transform(**resolve_model_data_config(model), is_training=False)
    model.reset_classifier(0)
    image = transform(Image.fromarray(skimage.data.chelsea()))
    with torch.inference_mode():
        features = model(image.unsqueeze(0))[0]
    return torch.nn.functional.normalize(features, dim=0).tolist()


def assert_same(found: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_plain_name_means_the_tag_that_timm_picks(
    hugging_face: HuggingFaceServer,
) -> None:
    served = model("resnet18.a1_in1k")
    hugging_face.create("timm/resnet18.a1_in1k", {"model.safetensors": weights(served)})
    (answer,) = embed({"model_name": "resnet18"}, HF_ENDPOINT=hugging_face.url)
    assert answer["model"] == "resnet18.a1_in1k"
    assert answer["weights"] == "hf-hub:timm/resnet18.a1_in1k"
    assert_same(answer["vector"], vector(served))


def test_a_repository_of_ones_own_says_how_it_was_trained(
    hugging_face: HuggingFaceServer, tmp_path: Path
) -> None:
    served = model("test_vit")
    changes = {"interpolation": "nearest", "mean": (0.1, 0.2, 0.3), "tag": "mine"}
    served.pretrained_cfg = {**served.pretrained_cfg, **changes}
    timm.models.save_for_hf(served, tmp_path / "mine", safe_serialization=True)
    files = {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    commit = hugging_face.create("acme/mine", files)
    config = json.loads(files["config.json"])
    del config["pretrained_cfg"]["tag"]
    files["config.json"] = json.dumps(config).encode()
    hugging_face.create("acme/untagged", files)
    first, pinned, untagged = embed(
        {"model_name": "hf-hub:acme/mine"},
        {"model_name": f"hf-hub:acme/mine@{commit}"},
        {"model_name": "hf-hub:acme/untagged"},
        HF_ENDPOINT=hugging_face.url,
    )
    assert first["model"] == "test_vit.mine"
    assert first["weights"] == "hf-hub:acme/mine"
    assert first["preprocessing"]["interpolation"] == "nearest"
    assert first["preprocessing"]["mean"] == [0.1, 0.2, 0.3]
    assert_same(first["vector"], vector(served))
    assert pinned["weights"] == f"hf-hub:acme/mine@{commit}"
    assert untagged["model"] == "test_vit"
    assert pinned["vector"] == untagged["vector"] == first["vector"]


def test_what_is_in_the_cache_needs_no_network(
    hugging_face: HuggingFaceServer,
) -> None:
    served = model("test_resnet.r160_in1k")
    hugging_face.create(REPOSITORY, {"model.safetensors": weights(served)})
    options = {"model_name": "test_resnet"}
    (online,) = embed(options, HF_ENDPOINT=hugging_face.url)
    hugging_face.requests.clear()
    (offline,) = embed(options, HF_ENDPOINT=hugging_face.url, HF_HUB_OFFLINE="1")
    (cut_off,) = embed(options, HF_ENDPOINT="http://127.0.0.1:9")
    assert offline["vector"] == cut_off["vector"] == online["vector"]
    assert hugging_face.requests == []
    assert_same(online["vector"], vector(served))


def test_offline_without_a_cache_names_it_and_three_ways_on(tmp_path: Path) -> None:
    home = tmp_path / "hf"
    (answer,) = embed(
        {"model_name": "test_resnet"}, HF_HUB_OFFLINE="1", HF_HOME=str(home)
    )
    assert answer["error"] == "WeightsUnavailable"
    assert answer["message"] == (
        "Cannot load the weights of `test_resnet`: HF_HUB_OFFLINE is set, "
        f"and nothing of `{REPOSITORY}` is in the cache `{home / 'hub'}`"
    )
    assert answer["hint"] == WAYS_ON


def test_a_dead_endpoint_is_told_within_ten_seconds(tmp_path: Path) -> None:
    home = tmp_path / "hf"
    url = "http://127.0.0.1:9"
    (answer,) = embed({"model_name": "test_resnet"}, HF_ENDPOINT=url, HF_HOME=str(home))
    assert answer["seconds"] < 10
    assert answer["error"] == "WeightsUnavailable"
    assert answer["message"] == (
        f"Cannot load the weights of `test_resnet`: `{REPOSITORY}` at {url} gave "
        f"ConnectError, and nothing of it is in the cache `{home / 'hub'}`"
    )
    assert answer["hint"] == WAYS_ON


def test_random_weights_are_never_put_in_the_place_of_published_ones(
    hugging_face: HuggingFaceServer, tmp_path: Path
) -> None:
    home = tmp_path / "hf"
    whole = model("test_resnet.r160_in1k")
    incomplete = weights(whole, without="layer1.0.conv1.weight")
    hugging_face.create(REPOSITORY, {"model.safetensors": incomplete})
    hugging_face.create(
        "timm/test_vit.r160_in1k", {"model.safetensors": weights(whole)}
    )
    hugging_face.create(
        "timm/test_convnext.r160_in1k", {"model.safetensors": b"no weights"}
    )
    names = ["test_resnet", "test_vit", "test_convnext", "test_efficientnet"]
    incomplete, another, garbage, missing = embed(
        *({"model_name": name} for name in names),
        HF_ENDPOINT=hugging_face.url,
        HF_HOME=str(home),
    )
    assert incomplete["error"] == another["error"] == "WeightsMismatch"
    assert incomplete["message"].startswith(
        f"The weights of `{REPOSITORY}` do not fit `test_resnet`: "
    )
    assert (
        'Missing key(s) in state_dict: "layer1.0.conv1.weight"'
        in (incomplete["message"])
    )
    assert garbage["error"] == "WeightsMismatch"
    assert garbage["message"] == (
        "The weights of `timm/test_convnext.r160_in1k` cannot be read: SafetensorError"
    )
    assert missing["error"] == "WeightsUnavailable"
    assert missing["message"] == (
        "Cannot load the weights of `test_efficientnet`: "
        f"`timm/test_efficientnet.r160_in1k` at {hugging_face.url} gave "
        "RepositoryNotFoundError, and nothing of it is in the cache "
        f"`{home / 'hub'}`"
    )
    assert missing["hint"] == WAYS_ON


def test_weights_that_a_lock_pins_are_loaded_and_no_others(
    hugging_face: HuggingFaceServer,
) -> None:
    name, file = REPOSITORY.partition("/")[2], "model.safetensors"
    pinned, newer = model("test_resnet"), timm.create_model("test_resnet").eval()
    first = hugging_face.create(REPOSITORY, {file: weights(pinned)})
    pointer = hugging_face.store(file, weights(newer))
    hugging_face.repository(REPOSITORY).commit("main", {file: pointer}, "train again")
    sha256 = hashlib.sha256(weights(pinned)).hexdigest()
    found, refused = embed(
        {"model_name": name, "pins": [[REPOSITORY, file, first, sha256]]},
        {"model_name": name, "pins": [[REPOSITORY, file, first, "0" * 64]]},
        HF_ENDPOINT=hugging_face.url,
    )
    assert_same(found["vector"], vector(pinned))
    assert found["weights"] == f"hf-hub:{REPOSITORY}@{first}"
    assert refused["error"] == "PinnedFileDiffers"
    assert refused["message"] == (
        f"`{file}` of `{REPOSITORY}` at {first} is not what is locked\n"
        f"  locked sha256 {'0' * 64}\n"
        f"  found  sha256 {sha256}"
    )
