"""A decoded photograph to a model's input, held against timm's own transform.

One thread. Before anything is timed, what `image-embedding/timm` makes is compared with
timm's, bit for bit. The fastest that people write is torchvision's resize of uint8; its
furthest pixel is printed, in grey levels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import timm
import torch
from images import write_photographs
from measure import in_turn, print_table
from PIL import Image
from torchvision.transforms import v2

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATORS = Path(__file__).resolve().parent.parent / "reference_operators"
sys.path.insert(0, str(OPERATORS / "image-embedding" / "timm"))

from timm_embedding.preparing import (  # type: ignore[import-not-found]  # noqa: E402
    EvaluationTransform,
)

MODEL = "resnet50"


def main() -> None:
    """Compare, then time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=64)
    count: int = parser.parse_args().count
    torch.set_num_threads(1)
    config: dict[str, Any] = timm.data.resolve_model_data_config(
        timm.create_model(MODEL, pretrained=False)
    )
    usual = timm.data.create_transform(**config, is_training=False)
    with tempfile.TemporaryDirectory() as folder:
        photographs = [
            np.array(Image.open(path))
            for path in write_photographs(Path(folder), count)
        ]
    resize, crop, *_ = usual.transforms
    on_bytes = v2.Compose(
        [
            v2.Resize(resize.size, resize.interpolation, antialias=True),
            v2.CenterCrop(crop.size),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(config["mean"], config["std"]),
        ]
    )
    ways: dict[str, Callable[[Any], torch.Tensor]] = {
        "timm's transform, Pillow": lambda image: usual(Image.fromarray(image)),
        "torchvision, uint8": lambda image: on_bytes(
            torch.from_numpy(image).permute(2, 0, 1)
        ),
        "image-embedding/timm": EvaluationTransform(config),
    }
    expected, near, ours = (
        [way(image) for image in photographs] for way in ways.values()
    )
    assert all(map(torch.equal, ours, expected))
    scale = 255 * torch.tensor(config["std"]).reshape(3, 1, 1)
    furthest = max(
        float(((a - b) * scale).abs().max())
        for a, b in zip(near, expected, strict=True)
    )
    print(f"torchvision's furthest pixel is {furthest:.0f} off, ours none", end="\n\n")
    table = in_turn(
        {
            name: lambda way=way: [way(image) for image in photographs]  # type: ignore[misc]
            for name, way in ways.items()
        }
    )
    print_table(
        f"{count} photographs, 640 x 480, to {MODEL}'s input", table, count=count
    )


if __name__ == "__main__":
    main()
