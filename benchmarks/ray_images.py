"""JPEG files to vectors on Ray: the engine, against what people write by hand.

An actor pool of whole-row actors; Ray Data with decode tasks and one model actor; and
Ray Data with an actor for each processor, into which it puts the decoding by itself.
Two figures for each: the whole run, in which workers start and load their model, and
the last seven eighths of the vectors, which is how a long job goes on.

The weights are random: they cost what trained ones cost. The vectors of every
alternative are compared before anything is timed, which warms everything up. Two
minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
import timm
import torch
from images import write_photographs
from measure import Row, print_table
from PIL import Image
from ray.data import ActorPoolStrategy
from ray.util import ActorPool
from safetensors.torch import load_file, save_file

from towhee import pipeline, ray_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[np.float32]
    Run: TypeAlias = Callable[[], Iterator[Vector]]

WORKERS = os.cpu_count() or 1
BATCH = 32
FIRST = 1 / 8
"""The part of the vectors that does not count for how a long job goes on."""


class Model:
    """What each hand-written worker has: timm's recipe, eager, in one thread."""

    def __init__(self, name: str, weights: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self.model: Any = timm.create_model(name, num_classes=0).eval()
        self.model.load_state_dict(load_file(weights))
        config = timm.data.resolve_model_data_config(self.model)
        self.transform: Any = timm.data.create_transform(**config, is_training=False)

    @torch.inference_mode()
    def predict(self, images: list[torch.Tensor]) -> Vector:
        """The vectors of a batch, of length 1."""
        features = self.model(torch.stack(images))
        vectors: Vector = torch.nn.functional.normalize(features).numpy()
        return vectors

    def embed(self, paths: list[str]) -> Vector:
        """Whole rows: files to vectors."""
        opened = [Image.open(path).convert("RGB") for path in paths]
        return self.predict([self.transform(image) for image in opened])

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """What Ray Data hands over: images that tasks have decoded."""
        tensors = [torch.from_numpy(image) for image in batch["image"]]
        return {"vector": self.predict(tensors)}


class Alternatives:
    """Every way to the same vectors, each starting its own workers."""

    def __init__(self, paths: list[str], name: str, weights: str) -> None:
        self.paths, self.name, self.weights = paths, name, weights
        self.embed = pipeline(
            "image-embedding-resnet50",
            engine="ray",
            model_name=name,
            pretrained=False,
            checkpoint_path=weights,
            num_classes=0,
        )

    def pool(self) -> Iterator[Vector]:
        """Whole rows in an actor for each processor."""
        actor = ray.remote(num_cpus=1)(Model)
        actors = [actor.remote(self.name, self.weights, 1) for _ in range(WORKERS)]
        chunks = [
            self.paths[first : first + BATCH]
            for first in range(0, len(self.paths), BATCH)
        ]
        called = ActorPool(actors).map(
            lambda chosen, chunk: chosen.embed.remote(chunk), chunks
        )
        for vectors in called:
            yield from vectors
        for each in actors:
            ray.kill(each)

    def tasks(self) -> Iterator[Vector]:
        """Ray Data: tasks decode, one actor has the model."""
        # Wanting something else, they are not made one with the actor.
        return self._ray_data(1, num_cpus=0.5)

    def fused(self) -> Iterator[Vector]:
        """Ray Data: decoding is made one with the model, in an actor a processor."""
        return self._ray_data(WORKERS, num_cpus=1)

    def _ray_data(self, actors: int, *, num_cpus: float) -> Iterator[Vector]:
        model = timm.create_model(self.name, num_classes=0)
        config = timm.data.resolve_model_data_config(model)
        transform = timm.data.create_transform(**config, is_training=False)

        def decode(row: dict[str, Any]) -> dict[str, Any]:
            image = Image.open(row["item"]).convert("RGB")
            return {"image": transform(image).numpy()}

        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        dataset = ray.data.from_items(self.paths, override_num_blocks=16)
        decoded = dataset.map(decode, num_cpus=num_cpus)
        embedded = decoded.map_batches(
            Model,
            fn_constructor_args=(self.name, self.weights, 1),
            batch_size=BATCH,
            compute=ActorPoolStrategy(size=actors),
            num_cpus=1,
        )
        for batch in embedded.iter_batches(batch_size=None):
            yield from batch["vector"]

    def engine(self) -> Iterator[Vector]:
        """The engine of this project."""
        for outcome in self.embed.run(self.paths):
            yield outcome.unwrap()  # type: ignore[misc]  # a vector


def timed(run: Run, count: int) -> tuple[float, float]:
    """Seconds of the whole, and of what comes after the first part."""
    start = time.perf_counter()
    early = start
    for number, _ in enumerate(run(), 1):
        if number == int(count * FIRST):
            early = time.perf_counter()
    end = time.perf_counter()
    return end - start, end - early


def rows(taken: Mapping[str, list[float]]) -> list[Row]:
    """Medians, and ratios to the first alternative, round by round."""
    peer = next(iter(taken.values()))
    return [
        Row(
            name,
            statistics.median(seconds),
            min(seconds),
            max(seconds),
            statistics.median(a / b for a, b in zip(seconds, peer, strict=True)),
        )
        for name, seconds in taken.items()
    ]


def measure(alternatives: Mapping[str, Run], rounds: int, count: int) -> None:
    """Run all in turn, and print both tables."""
    whole: dict[str, list[float]] = {name: [] for name in alternatives}
    steady: dict[str, list[float]] = {name: [] for name in alternatives}
    for _ in range(rounds):
        for name, run in alternatives.items():
            both = timed(run, count)
            whole[name].append(both[0])
            steady[name].append(both[1])
    print_table(
        "Once workers are at work", rows(steady), count=int(count * (1 - FIRST))
    )
    print_table(
        "The whole run, workers started and models loaded", rows(whole), count=count
    )


def main() -> None:
    """Write the photographs, check that all agree, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mobilenetv3_small_050")
    parser.add_argument("--files", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=2, help="how often each is read")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    ray_start(num_cpus=WORKERS)
    with tempfile.TemporaryDirectory() as folder:
        files = [str(path) for path in write_photographs(Path(folder), arguments.files)]
        torch.manual_seed(0)
        model = timm.create_model(arguments.model, num_classes=0)
        weights = str(Path(folder, "model.safetensors"))
        save_file(model.state_dict(), weights)
        few = Alternatives(files[:64], arguments.model, weights)
        reference = Model(arguments.model, weights, 1).embed(few.paths)
        for run in (few.pool, few.tasks, few.fused, few.engine):
            difference = np.abs(np.stack([*run()]) - reference).max()
            print(f"{run.__name__} differs by {difference:.1e} at most")
        many = Alternatives(files * arguments.repeat, arguments.model, weights)
        print(f"{len(many.paths)} JPEG files, {arguments.model}, {WORKERS} workers")
        alternatives = {
            "actor pool by hand, whole rows": many.pool,
            "Ray Data by hand, decode tasks, one model actor": many.tasks,
            "Ray Data by hand, whole rows": many.fused,
            "engine": many.engine,
        }
        measure(alternatives, arguments.rounds, len(many.paths))


if __name__ == "__main__":
    main()
