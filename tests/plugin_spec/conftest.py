"""A manifest that uses every key, as an author would write it."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def example() -> bytes:
    return b"""\
spec: 1
name: image-embedding/timm
version: "1.0.0"
kind: operator
summary: Embed images with any timm model
license: Apache-2.0
module: timm_embedding
requires:
  python: ">=3.11"
  operators: ["image-decode/cv2>=1,<2"]
  packages: ["timm>=1.0.9,<2", "torch>=2.4"]
inputs: [{name: image, type: image, dtype: uint8, shape: [H, W, 3], color: RGB}]
outputs: [{name: embedding, type: vector, dtype: float32, shape: [D]}]
parameters:
  model_name: {type: string, default: resnet50}
weights:
  - {for: {model_name: resnet50}, repo: timm/resnet50.a1_in1k, file: model.safetensors}
"""
