"""A text finds images by the other tower of one CLIP model, and of no other."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from installation import ROOT
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPModel, CLIPProcessor

if TYPE_CHECKING:
    from pathlib import Path

    from servers.hugging_face import HuggingFaceServer

TESTS = ROOT / "reference_operators" / "image-text-embedding" / "clip" / "tests"
TEXTS = ["the cat sat on the mat", "dog", "a photo of the hill"]

# The clients read HF_ENDPOINT as they are imported, and that in a process of their own.
PROGRAM = """
import json, sys
import numpy as np
sys.prefix = sys.argv[1]
from plugin_spec.spaces import SpacesDiffer
from towhee import DataCollection

images, texts = np.load("images.npy"), json.loads(sys.argv[2])
photos = DataCollection(list(images)).image_text_embedding.clip(model_name="acme/clip")
photos.to_faiss("photos")
for model in sys.argv[3:]:
    words = DataCollection(texts).image_text_embedding.clip(
        model_name=model, modality="text"
    )
    ways = (
        words.ann_search.faiss(path="photos", topk=len(images)),
        words.towhee.search_vectors(data=photos, topk=len(images)),
    )
    for found in ways:
        try:
            print(json.dumps([np.asarray(row.ids).tolist() for row in found]))
        except SpacesDiffer as error:
            print(json.dumps(str(error).splitlines()[1:]))
"""


def ranking(folder: Path, images: np.ndarray) -> list[list[int]]:
    """Each text's images, the most similar first, by transformers' own model."""
    processor = CLIPProcessor.from_pretrained(folder)
    pictures = [Image.fromarray(each) for each in images]
    given = processor(text=TEXTS, images=pictures, return_tensors="pt", padding=True)
    with torch.inference_mode():
        similar = CLIPModel.from_pretrained(folder).eval()(**given).logits_per_text
    ranked: list[list[int]] = similar.argsort(dim=1, descending=True).tolist()
    return ranked


@pytest.mark.slow
def test_a_text_finds_images_by_the_other_tower_of_the_same_model_alone(
    hugging_face: HuggingFaceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(TESTS)
    tiny_clip = importlib.import_module("tiny_clip")
    same, other = tmp_path / "same", tmp_path / "other"
    tiny_clip.write_model(same)
    tiny_clip.write_model(other, seed=1)

    def publish(name: str, folder: Path) -> str:
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        return hugging_face.create(name, files)

    commit = publish("acme/clip", same)
    publish("acme/other", other)
    # The image tower's weights are those of `acme/clip`; the text tower's are trained.
    tuned = load_file(same / "model.safetensors")
    tuned["text_projection.weight"].mul_(1.5)
    (tmp_path / "tuned").mkdir()
    for path in same.iterdir():
        (tmp_path / "tuned" / path.name).write_bytes(path.read_bytes())
    save_file(tuned, tmp_path / "tuned" / "model.safetensors", {"format": "pt"})

    generator = np.random.default_rng(3)
    small = generator.integers(0, 256, (6, 4, 4, 3), np.uint8)
    images = np.stack([each.repeat(16, 0).repeat(12, 1) for each in small])
    np.save("images.npy", images)
    (tmp_path / "environment").mkdir()
    models = ["acme/clip", str(same), "acme/other", str(tmp_path / "tuned")]
    done = subprocess.run(
        [
            *(sys.executable, "-c", PROGRAM, str(tmp_path / "environment")),
            *(json.dumps(TEXTS), *models),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_ENDPOINT": hugging_face.url},
    )
    found = list(map(json.loads, done.stdout.splitlines()))
    # In a store and in rows, from the repository and from a folder of the same weights.
    assert found[:4] == [ranking(same, images)] * 4
    assert len({tuple(ids) for ids in found[0]}) > 1
    for refused in found[4:]:
        (line,) = refused
        assert line.startswith("  joint: sha256:")
        assert f" (hf-hub:acme/clip@{commit}), sha256:" in line
    assert "(hf-hub:acme/other@" in found[4][0]
