"""JPEG files to vectors, against the arrangements that people write by hand.

A big model, and a small one where decoding takes most of the time.

The weights are random: they cost what trained ones cost. The vectors of every
alternative are compared before anything is timed. Each has a process of its own, in
which it waits for its turn: what one does to memory lasts, and would be another's luck.
With ``--device cuda`` the peers are those that people write for a GPU.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import os
import sys
import tempfile
from collections import ChainMap
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
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
    from multiprocessing.connection import Connection
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
UNIQUE = 256
"""Photographs that are written; more files are the same again."""


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

    def __init__(self, name: str, paths: list[Path], device: str) -> None:
        torch.manual_seed(0)
        self.paths = paths
        self.device = torch.device(device)
        self.model: Any = timm.create_model(name, num_classes=0).eval().to(device)
        self.session: InferenceSession | None = None
        self._loaders: dict[int, torch.utils.data.DataLoader[torch.Tensor]] = {}
        config = timm.data.resolve_model_data_config(self.model)
        self.transform: Any = timm.data.create_transform(**config, is_training=False)

    def read(self, path: Path) -> torch.Tensor:
        """A file as the model takes it."""
        tensor: torch.Tensor = self.transform(Image.open(path).convert("RGB"))
        return tensor

    @torch.inference_mode()
    def embed(self, batch: torch.Tensor, layout: torch.memory_format) -> Vectors:
        """The vectors of a batch, of length 1."""
        if self.device.type == "cuda" and not batch.is_pinned():
            batch = batch.pin_memory()
        batch = batch.to(self.device, non_blocking=True, memory_format=layout)
        found: Vectors = torch.nn.functional.normalize(self.model(batch)).cpu().numpy()
        return found

    def lay_out(self, layout: torch.memory_format) -> None:
        """Lay out the weights as the images will be."""
        self.model = self.model.to(memory_format=layout)

    def loop(self) -> Vectors:
        """One file after the other, as every first page shows."""
        self.lay_out(torch.contiguous_format)
        return np.concatenate(
            [
                self.embed(self.read(path)[None], torch.contiguous_format)
                for path in self.paths
            ]
        )

    def data_loader(self, workers: int = 2, size: int = 32) -> Vectors:
        """The usual advice; the workers stay from one run to the next."""
        self.lay_out(torch.contiguous_format)
        if workers not in self._loaders:
            self._loaders[workers] = torch.utils.data.DataLoader(
                Files(self.paths, self.transform),
                batch_size=size,
                num_workers=workers,
                persistent_workers=True,
                pin_memory=self.device.type == "cuda",
            )
        return np.concatenate(
            [
                self.embed(batch, torch.contiguous_format)
                for batch in self._loaders[workers]
            ]
        )

    def ahead(self, size: int) -> Vectors:
        """Threads read ahead of a GPU, which takes a batch when it is there."""
        self.lay_out(torch.channels_last)
        found, waiting = [], []
        with ThreadPoolExecutor(THREADS) as pool:
            for image in pool.map(self.read, self.paths):
                waiting.append(image)
                if len(waiting) == size:
                    found.append(self.embed(torch.stack(waiting), torch.channels_last))
                    waiting.clear()
        if waiting:
            found.append(self.embed(torch.stack(waiting), torch.channels_last))
        return np.concatenate(found)

    def phases(self, size: int) -> Vectors:
        """All threads read a block, then the model has them all; memory is kept."""
        keep_memory()
        self.lay_out(torch.channels_last)
        found = []
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(self.paths), BLOCK):
                images = list(pool.map(self.read, self.paths[start : start + BLOCK]))
                found += [
                    self.embed(
                        torch.stack(images[first : first + size]), torch.channels_last
                    )
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

    def onnxruntime(self, path: Path, size: int) -> Vectors:
        """All threads read a block, then onnxruntime has them all."""
        if self.session is None:
            providers = ["CPUExecutionProvider"]
            self.session = InferenceSession(path, providers=providers)
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
        """Each thread carries whole rows, with one thread a model call."""
        keep_memory()
        self.lay_out(torch.channels_last)

        def row(path: Path) -> Vectors:
            return self.embed(self.read(path)[None], torch.channels_last)

        with ThreadPoolExecutor(
            THREADS, initializer=partial(torch.set_num_threads, 1)
        ) as pool:
            found = np.concatenate(list(pool.map(row, self.paths)))
        torch.set_num_threads(THREADS)
        return found


def keep_memory() -> None:
    """Have glibc keep what is freed from now on; Linux only."""
    if sys.platform == "linux":
        glibc = ctypes.CDLL(None)
        glibc.mallopt(-3, 1 << 30)
        glibc.mallopt(-1, 2**31 - 1)


@dataclass(frozen=True)
class Job:
    """What every process is told."""

    model: str
    paths: list[Path]
    folder: Path
    device: str

    @property
    def weights(self) -> Path:
        """The model's."""
        return self.folder / f"{self.model}.safetensors"

    @property
    def onnx(self) -> Path:
        """The model again, for ``onnxruntime``."""
        return self.folder / f"{self.model}.onnx"

    def ours(self) -> dict[str, dict[str, str]]:
        """Pipelines, by what is printed of them, and their options."""
        if self.device == "cpu":
            names = "pipeline", "pipeline, backend='onnxruntime'"
            return {names[0]: {}, names[1]: {"backend": "onnxruntime"}}
        return {"pipeline": {}, "pipeline, dtype='bfloat16'": {"dtype": "bfloat16"}}

    def by_hand(self, recipe: Recipe) -> dict[str, dict[str, Callable[[], Vectors]]]:
        """What people write, for each of our pipelines."""
        peers: dict[str, Callable[[], Vectors]] = {
            LOOP: recipe.loop,
            LOADER: recipe.data_loader,
        }
        if self.device != "cpu":
            loader = f"DataLoader, {THREADS} workers, batch 64, pinned"
            peers[loader] = partial(recipe.data_loader, THREADS, 64)
            for size in (32, 128):
                label = f"threads ahead, channels_last, pinned, batch {size}"
                peers[label] = partial(recipe.ahead, size)
            return {"pipeline": peers}
        for size in (8, 16, 32):
            label = f"phases, channels_last, memory kept, batch {size}"
            peers[label] = partial(recipe.phases, size)
        peers["rows in threads, channels_last, memory kept"] = recipe.rows
        onnxruntime: dict[str, Callable[[], Vectors]] = {
            f"phases, onnxruntime, batch {size}": partial(
                recipe.onnxruntime, self.onnx, size
            )
            for size in (8, 32)
        }
        return dict(zip(self.ours(), (peers, onnxruntime), strict=True))

    def pipeline(self, **options: str) -> tuple[Callable[[], Vectors], str]:
        """A pipeline whose plan is found, and what it says of that."""
        embed = pipeline(
            "image-embedding-resnet50",
            model_name=self.model,
            pretrained=False,
            checkpoint_path=str(self.weights),
            num_classes=0,
            device=self.device,
            **options,
        )
        files = [str(path) for path in self.paths]
        # A plan is found once for a model and a machine.
        for _ in range(RUNS_TO_SEARCH):
            if "(measured" in str(embed.explain()):
                break
            embed(files)
        return lambda: np.stack(embed(files)), str(embed.explain())


class Apart:
    """An arrangement in a process of its own, which waits until it is called."""

    def __init__(self, label: str, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, label, job))
        self._process.start()
        theirs.close()
        if note := self._connection.recv():
            print(note, file=sys.stderr)

    def __call__(self, *, give: bool = False) -> Any:  # noqa: ANN401
        """Run it once, and hand its vectors over if they are wanted."""
        self._connection.send(give)
        return self._connection.recv()

    def close(self) -> None:
        """End its process."""
        self._connection.close()
        self._process.join()


def _serve(connection: Connection, label: str, job: Job) -> None:
    note = ""
    if (options := job.ours().get(label)) is not None:
        run, note = job.pipeline(**options)
    else:
        peers = job.by_hand(Recipe(job.model, job.paths, job.device))
        run = ChainMap(*peers.values())[label]
    connection.send(note)
    with suppress(EOFError):
        while True:
            give = connection.recv()
            vectors = run()
            connection.send(vectors if give else None)


def compare(job: Job, rounds: int) -> None:
    """Check that every arrangement gives the same vectors, then time them in turn."""
    recipe = Recipe(job.model, job.paths, job.device)
    save_file(recipe.model.state_dict(), job.weights)
    if job.device == "cpu":
        recipe.export(job.onnx)
    peers = job.by_hand(recipe)
    labels = [each for ours in peers for each in (*peers[ours], ours)]
    labels += [label for label in job.ours() if label not in peers]
    with ExitStack() as stack:
        ways = {label: Apart(label, job) for label in labels}
        for way in ways.values():
            stack.callback(way.close)
        reference = ways[LOOP](give=True)
        for label, way in ways.items():
            difference = np.abs(way(give=True) - reference).max()
            print(f"{label} differs by {difference:.1e} at most", file=sys.stderr)
        table = in_turn(ways, rounds=rounds)
    where = f"{THREADS} threads"
    if job.device != "cpu":
        where += f", {torch.cuda.get_device_name(job.device)}"
    count = len(job.paths)
    print_table(
        f"{count} JPEG files to {job.model} vectors, {where}", table, count=count
    )
    seconds = {row.name: row.seconds for row in table}
    for label in job.ours():
        best = min(seconds[each] for each in peers.get(label, peers["pipeline"]))
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
    parser.add_argument("--device", default="cpu", help="cpu, or cuda")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        written = write_photographs(Path(folder), min(arguments.count, UNIQUE))
        paths = [written[number % UNIQUE] for number in range(arguments.count)]
        for name in arguments.model or MODELS:
            job = Job(name, paths, Path(folder), arguments.device)
            compare(job, arguments.rounds)


if __name__ == "__main__":
    main()
