"""JPEG files to vectors, against the arrangements that people write by hand.

A big model, and a small one where decoding takes most of the time.

The weights are random: they cost what trained ones cost. The vectors of every
alternative are compared before anything is timed.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import skimage.data
import timm
import torch
from measure import in_turn, print_table
from onnxruntime import InferenceSession
from PIL import Image
from safetensors.torch import save_file

from towhee import pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
SIZE = (640, 480)
MODELS = ("resnet50", "mobilenetv3_small_050")
THREADS = os.cpu_count() or 1
BLOCK = 32
RUNS_TO_SEARCH = 40
LOOP = "one-by-one loop"
LOADER = "DataLoader, 2 workers, batch 32"


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


class Recipe:
    """One model, and every arrangement of it that people write by hand.

    All compute timm's own preprocessing in float32, eager torch unless they say so.
    """

    def __init__(self, name: str, paths: list[Path]) -> None:
        torch.manual_seed(0)
        self.paths = paths
        self.model: Any = timm.create_model(name, num_classes=0).eval()
        config = timm.data.resolve_model_data_config(self.model)
        self.transform: Any = timm.data.create_transform(**config, is_training=False)

    def read(self, path: Path) -> torch.Tensor:
        """A file as the model takes it."""
        tensor: torch.Tensor = self.transform(Image.open(path).convert("RGB"))
        return tensor

    @torch.inference_mode()
    def embed(self, images: list[torch.Tensor], layout: torch.memory_format) -> Vectors:
        """The vectors of a batch, of length 1."""
        batch = torch.stack(images).contiguous(memory_format=layout)
        vectors: Vectors = torch.nn.functional.normalize(self.model(batch)).numpy()
        return vectors

    def lay_out(self, layout: torch.memory_format) -> None:
        """Lay out the weights as the images will be."""
        self.model = self.model.to(memory_format=layout)

    def loop(self) -> Vectors:
        """One file after the other, as every first page shows."""
        keep_memory(keep=False)
        self.lay_out(torch.contiguous_format)
        return np.concatenate(
            [
                self.embed([self.read(path)], torch.contiguous_format)
                for path in self.paths
            ]
        )

    def data_loader(self) -> Vectors:
        """The usual advice: two workers, batches of 32."""
        keep_memory(keep=False)
        self.lay_out(torch.contiguous_format)
        loader = torch.utils.data.DataLoader(
            Files(self.paths, self.transform), batch_size=32, num_workers=2
        )
        return np.concatenate(
            [self.embed(list(batch), torch.contiguous_format) for batch in loader]
        )

    def phases(self, size: int) -> Vectors:
        """All threads read a block, then the model has them all; memory is kept."""
        keep_memory()
        self.lay_out(torch.channels_last)
        found = []
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(self.paths), BLOCK):
                images = list(pool.map(self.read, self.paths[start : start + BLOCK]))
                found += [
                    self.embed(images[first : first + size], torch.channels_last)
                    for first in range(0, len(images), size)
                ]
        return np.concatenate(found)

    def export(self, path: Path) -> None:
        """Write the model as ONNX, for ``onnxruntime``, with batches of any size."""
        images = torch.zeros(2, 3, 224, 224)
        torch.onnx.export(
            self.model,
            (images,),
            path,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
        self.session = InferenceSession(path, providers=["CPUExecutionProvider"])

    def onnxruntime(self, size: int) -> Vectors:
        """All threads read a block, then onnxruntime has them all."""
        name = self.session.get_inputs()[0].name
        found = []
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(self.paths), BLOCK):
                images = list(pool.map(self.read, self.paths[start : start + BLOCK]))
                for first in range(0, len(images), size):
                    batch = torch.stack(images[first : first + size]).numpy()
                    (vectors,) = self.session.run(None, {name: batch})
                    found.append(
                        vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
                    )
        return np.concatenate(found)

    def rows(self) -> Vectors:
        """Each of two threads carries whole rows, with one thread a model call."""
        keep_memory()
        self.lay_out(torch.channels_last)

        def row(path: Path) -> Vectors:
            return self.embed([self.read(path)], torch.channels_last)

        with ThreadPoolExecutor(
            THREADS, initializer=partial(torch.set_num_threads, 1)
        ) as pool:
            found = np.concatenate(list(pool.map(row, self.paths)))
        torch.set_num_threads(THREADS)
        return found


def keep_memory(*, keep: bool = True) -> None:
    """Have glibc keep what is freed, or free it as it does by itself; Linux only."""
    if sys.platform == "linux":
        glibc = ctypes.CDLL(None)
        glibc.mallopt(-3, 1 << 30 if keep else 32 << 20)
        glibc.mallopt(-1, 2**31 - 1 if keep else 64 << 20)


def compare(name: str, paths: list[Path], folder: Path, rounds: int) -> None:
    """Check that every arrangement gives the same vectors, then time them in turn."""
    recipe = Recipe(name, paths)
    weights = folder / f"{name}.safetensors"
    save_file(recipe.model.state_dict(), weights)
    recipe.export(folder / f"{name}.onnx")

    def hub(backend: str) -> Callable[[], Vectors]:
        embed = pipeline(
            "image-embedding-resnet50",
            model_name=name,
            pretrained=False,
            checkpoint_path=str(weights),
            num_classes=0,
            backend=backend,
        )
        files = [str(path) for path in paths]
        # A plan is found once for a model and a machine.
        for _ in range(RUNS_TO_SEARCH):
            if "(measured" in str(embed.explain()):
                break
            embed(files)
        return lambda: np.stack(embed(files))

    eager: dict[str, Callable[[], Vectors]] = {
        LOOP: recipe.loop,
        LOADER: recipe.data_loader,
        **{
            f"phases, channels_last, memory kept, batch {size}": partial(
                recipe.phases, size
            )
            for size in (8, 16, 32)
        },
        "rows in two threads, channels_last, memory kept": recipe.rows,
    }
    onnxruntime: dict[str, Callable[[], Vectors]] = {
        f"phases, onnxruntime, batch {size}": partial(recipe.onnxruntime, size)
        for size in (8, 32)
    }
    ours = {"pipeline": eager, "pipeline, backend='onnxruntime'": onnxruntime}
    alternatives = {
        **eager,
        **onnxruntime,
        "pipeline": hub("eager"),
        "pipeline, backend='onnxruntime'": hub("onnxruntime"),
    }
    reference = recipe.loop()
    for label, alternative in alternatives.items():
        difference = np.abs(alternative() - reference).max()
        print(f"{label} differs by {difference:.1e} at most", file=sys.stderr)
    table = in_turn(alternatives, rounds=rounds)
    print_table(
        f"{len(paths)} JPEG files to {name} vectors, {THREADS} threads",
        table,
        count=len(paths),
    )
    seconds = {row.name: row.seconds for row in table}
    for label, peers in ours.items():
        best = min(seconds[each] for each in peers)
        print(
            f"\n`{label}` runs at {best / seconds[label]:.2f} of the best by hand with "
            "its backend,\n"
            f"{seconds[LOADER] / seconds[label]:.1f} times the DataLoader, "
            f"{seconds[LOOP] / seconds[label]:.2f} times the loop."
        )


def main() -> None:
    """Write the photographs, and print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", help=f"default: {MODELS}")
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photographs(Path(folder), arguments.count)
        for name in arguments.model or MODELS:
            compare(name, paths, Path(folder), arguments.rounds)


if __name__ == "__main__":
    main()
