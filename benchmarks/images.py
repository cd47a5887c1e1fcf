"""256 JPEG files to resnet50 vectors, against the loops people write by hand.

The weights are random: they cost what trained ones cost. The vectors of every
alternative are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import skimage.data
import timm
import torch
from measure import in_turn, print_table
from PIL import Image

from towhee import pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
SIZE = (640, 480)


def write_photographs(folder: Path, count: int) -> list[Path]:
    """Write ``count`` crops of real photographs as 640 x 480 JPEG files."""
    random = np.random.default_rng(0)
    originals = [Image.fromarray(getattr(skimage.data, n)()) for n in PHOTOGRAPHS]
    paths = []
    for number in range(count):
        original = originals[number % len(originals)]
        left, top = (int(random.integers(0, side // 4)) for side in original.size)
        box = (left, top, original.width - left // 2, original.height - top // 2)
        path = folder / f"{number:04}.jpg"
        original.resize(SIZE, Image.Resampling.BICUBIC, box).save(path, quality=90)
        paths.append(path)
    return paths


class Files(torch.utils.data.Dataset[torch.Tensor]):
    """What a DataLoader's workers do: open, convert, transform."""

    def __init__(self, paths: list[Path], transform: Callable[[Any], Any]) -> None:
        self._paths = paths
        self._transform = transform

    def __len__(self) -> int:
        """How many files there are."""
        return len(self._paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        """The file's tensor, (3, 224, 224), normalised."""
        tensor: torch.Tensor = self._transform(
            Image.open(self._paths[index]).convert("RGB")
        )
        return tensor


def main() -> None:
    """Write the photographs, check that all agree, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        paths = write_photographs(Path(folder), arguments.count)
        torch.manual_seed(0)
        model = timm.create_model(arguments.model, num_classes=0).eval()
        weights = Path(folder) / "model.safetensors"
        from safetensors.torch import save_file  # noqa: PLC0415  (beside its one use)

        save_file(model.state_dict(), weights)
        config = timm.data.resolve_model_data_config(model)
        transform = timm.data.create_transform(**config, is_training=False)
        embed = pipeline(
            "image-embedding-resnet50",
            model_name=arguments.model,
            pretrained=False,
            checkpoint_path=str(weights),
            num_classes=0,
        )

        def normalised(features: torch.Tensor) -> NDArray[np.float32]:
            vectors: NDArray[np.float32] = torch.nn.functional.normalize(
                features
            ).numpy()
            return vectors

        @torch.inference_mode()
        def loop() -> NDArray[np.float32]:
            return np.concatenate(
                [
                    normalised(model(transform(Image.open(path).convert("RGB"))[None]))
                    for path in paths
                ]
            )

        @torch.inference_mode()
        def data_loader() -> NDArray[np.float32]:
            loader = torch.utils.data.DataLoader(
                Files(paths, transform), batch_size=32, num_workers=2
            )
            return np.concatenate([normalised(model(batch)) for batch in loader])

        def hub() -> NDArray[np.float32]:
            return np.stack(embed([str(path) for path in paths]))

        reference = loop()
        for name, vectors in (("DataLoader", data_loader()), ("pipeline", hub())):
            print(f"{name} differs by {np.abs(vectors - reference).max():.1e} at most")
        print_table(
            f"{arguments.count} JPEG files to {arguments.model} vectors, "
            f"{torch.get_num_threads()} threads",
            in_turn(
                {
                    "one-by-one loop": loop,
                    "DataLoader, 2 workers, batch 32": data_loader,
                    "pipeline": hub,
                },
                rounds=arguments.rounds,
            ),
            count=arguments.count,
        )


if __name__ == "__main__":
    main()
