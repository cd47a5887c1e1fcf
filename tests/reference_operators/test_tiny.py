"""The tiny pipeline's vectors are those that timm gives by itself."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import numpy as np
import skimage.data
import timm
import torch
from installation import ROOT
from PIL import Image

from plugin_spec import Manifest

if TYPE_CHECKING:
    import pytest

OPERATORS = ROOT / "reference_operators"
TINY = OPERATORS / "towhee" / "image-embedding-tiny"


@torch.inference_mode()
def test_the_tiny_pipeline_embeds_under_the_conditions_of_its_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(OPERATORS / "image-embedding" / "timm")
    embedding = importlib.import_module("timm_embedding")
    manifest = Manifest.from_yaml((TINY / "operator.yaml").read_bytes())
    options = dict(manifest.steps[1].options)
    options["checkpoint_path"] = str(TINY / options["checkpoint_path"]["file"])
    operator = embedding.TimmEmbedding(**options)

    model = timm.create_model(f"local-dir:{TINY / 'weights'}", pretrained=True).eval()
    config = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**config, is_training=False)
    for name in ("chelsea", "coffee", "rocket"):
        image = getattr(skimage.data, name)()
        expected = model(transform(Image.fromarray(image))[None])
        expected = torch.nn.functional.normalize(expected)[0].numpy()
        assert np.abs(operator(image) - expected).max() < 1e-6
    assert config["input_size"] == (3, 96, 96)
    assert list(config["mean"]) == [0.5, 0.5, 0.5]
