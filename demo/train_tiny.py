"""Train the weights of ``image-embedding-tiny``, and judge them on unseen photographs.

    python demo/train_tiny.py            # the table, and then the shipped weights
    python demo/train_tiny.py --quick    # the shipped weights alone

Pieces of one photograph are to lie near each other, and apart from those of others
(supervised contrastive loss). A photograph with its channels exchanged, inverted or
turned counts as another one, so that a few of them teach more than their colours.

Judged by precision@5: queries are changed pieces of photographs that were not trained
on; the nearest are sought among pieces of all photographs, seen and unseen.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import timm
import torch
from photographs import (
    EVERYTHING,
    HELD_OUT,
    TRAINING,
    change,
    crop,
    dataset,
    load,
    queries,
)
from PIL import Image, ImageOps
from timm.data import create_transform
from timm.models import save_for_hf
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

ARCHITECTURE: Final = "test_resnet"
CONDITIONS: Final[dict[str, Any]] = {
    "input_size": (3, 96, 96),
    "interpolation": "bicubic",
    "crop_pct": 1.0,
    "crop_mode": "center",
    "mean": (0.5, 0.5, 0.5),
    "std": (0.25, 0.25, 0.25),
}
STEPS: Final = 250
PHOTOGRAPHS_A_STEP: Final = 16
PIECES_A_PHOTOGRAPH: Final = 4
TEMPERATURE: Final = 0.1
LEARNING_RATE: Final = 2e-3
VARIANTS: Final = 24
CHANNELS: Final = ("RGB", "RBG", "GRB", "GBR", "BRG", "BGR")
OUTPUT: Final = Path(__file__).parent.parent.joinpath(
    "reference_operators", "towhee", "image-embedding-tiny", "weights"
)


def variant(photograph: Image.Image, number: int) -> Image.Image:
    """The photograph, or one of 23 others made of it; 0 is itself."""
    bands = dict(zip("RGB", photograph.split(), strict=True))
    order = CHANNELS[number % 6]
    image = Image.merge("RGB", [bands[band] for band in order])
    if number // 6 % 2:
        image = ImageOps.invert(image)
    return image.transpose(Image.Transpose.ROTATE_90) if number // 12 else image


def batches(
    names: Sequence[str], seed: int
) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
    """Endless batches: images under the conditions of inference, and whose they are."""
    chance, transform = random.Random(seed), create_transform(**CONDITIONS)
    photographs = {name: load(name) for name in names}
    pool = [(name, number) for name in names for number in range(VARIANTS)]
    while True:
        images, owners = [], []
        for owner, (name, number) in enumerate(chance.sample(pool, PHOTOGRAPHS_A_STEP)):
            photograph = variant(photographs[name], number)
            for _ in range(PIECES_A_PHOTOGRAPH):
                piece = change(crop(photograph, chance), chance)
                images.append(transform(piece))
                owners.append(owner)
        yield torch.stack(images), torch.tensor(owners)


def loss_of(features: torch.Tensor, owners: torch.Tensor) -> torch.Tensor:
    """Supervised contrastive loss over one batch."""
    unit = normalize(features)
    itself = torch.eye(len(owners), dtype=torch.bool)
    likeness = (unit @ unit.T / TEMPERATURE).masked_fill(itself, -torch.inf)
    own = (owners[:, None] == owners[None]) & ~itself
    logarithms = likeness - torch.logsumexp(likeness, dim=1, keepdim=True)
    return -logarithms.masked_fill(~own, 0).sum(1).div(own.sum(1)).mean()


def train(names: Sequence[str], seed: int) -> Any:  # noqa: ANN401  (timm's models share no type)
    """Train on these photographs alone."""
    torch.manual_seed(seed)
    model = timm.create_model(ARCHITECTURE, num_classes=0)
    head = torch.nn.Sequential(
        torch.nn.Linear(model.num_features, 128),
        torch.nn.ReLU(),
        torch.nn.Linear(128, 64),
    )
    parameters = [*model.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.2
    )
    for _, (images, owners) in zip(range(STEPS), batches(names, seed), strict=False):
        loss = loss_of(head(model(images)), owners)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def embedding(model: Any) -> Callable[[Image.Image], NDArray[np.float32]]:  # noqa: ANN401  (as above)
    """What the operator does with the model."""
    transform = create_transform(**CONDITIONS)

    @torch.inference_mode()
    def embed(image: Image.Image) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = normalize(model(transform(image)[None]))[
            0
        ].numpy()
        return vector

    return embed


def raw_pixels(image: Image.Image) -> NDArray[np.float32]:
    """The image itself as a vector, under the same geometry."""
    size = CONDITIONS["input_size"][1:]
    fitted = ImageOps.fit(image, size, Image.Resampling.BICUBIC)
    return np.asarray(fitted, np.float32).ravel() / 255


def colours(image: Image.Image) -> NDArray[np.float32]:
    """A histogram of 6 x 6 x 6 colours: how far colour alone leads."""
    pixels = np.asarray(image).reshape(-1, 3)
    counts, _ = np.histogramdd(pixels, bins=(6, 6, 6), range=[(0, 256)] * 3)
    return np.sqrt(counts.ravel() / len(pixels)).astype(np.float32)


def precision(
    embed: Callable[[Image.Image], NDArray[np.float32]], unseen: Sequence[str]
) -> float:
    """Precision@5 of changed pieces of unseen photographs among pieces of all."""
    data = list(dataset(EVERYTHING, each=8, seed=1))
    vectors = np.stack([embed(piece.image) for piece in data])
    owners = np.array([piece.photograph for piece in data])
    hits = []
    for query in queries(unseen, each=4, seed=2):
        distances = np.linalg.norm(vectors - embed(query.image), axis=1)
        nearest = np.argsort(distances, kind="stable")[:5]
        hits.append((owners[nearest] == query.photograph).mean())
    return float(np.mean(hits))


def untrained(seed: int) -> Any:  # noqa: ANN401  (timm's models share no type)
    """The architecture with random weights."""
    torch.manual_seed(seed)
    return timm.create_model(ARCHITECTURE, num_classes=0).eval()


def judge(unseen: Sequence[str], seeds: Sequence[int]) -> None:
    """Train with each seed on all the others, and print a row of the table."""
    training = [name for name in EVERYTHING if name not in unseen]
    trained = [precision(embedding(train(training, seed)), unseen) for seed in seeds]
    random_ones = [precision(embedding(untrained(seed)), unseen) for seed in range(5)]
    cells = (
        ", ".join(unseen),
        f"{precision(raw_pixels, unseen):.3f}",
        f"{precision(colours, unseen):.3f}",
        f"{min(random_ones):.3f} to {max(random_ones):.3f}",
        ", ".join(f"{figure:.3f}" for figure in trained),
    )
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the table; write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    # One thread: the sums are then the same on any number of cores.
    torch.set_num_threads(1)
    if not arguments.quick:
        print("| unseen | raw pixels | colours | untrained, 5 seeds | trained |")
        print("|---|---|---|---|---|")
        for fold in range(4):
            judge(EVERYTHING[fold::4], seeds=[0])
        judge(HELD_OUT, seeds=[0, 1, 2])
    start = time.perf_counter()
    model = train(TRAINING, seed=0)
    # These weights are no published ones of timm's, whatever the architecture's are.
    for key in ("hf_hub_id", "url", "tag", "origin_url", "license"):
        model.pretrained_cfg.pop(key, None)
    model.pretrained_cfg.update(CONDITIONS, num_classes=0)
    save_for_hf(
        model,
        OUTPUT,
        model_config={"pretrained_cfg": model.pretrained_cfg},
        safe_serialization=True,
    )
    (OUTPUT / "model.safetensors").chmod(0o644)
    print(f"trained in {time.perf_counter() - start:.0f} s, wrote {OUTPUT}")


if __name__ == "__main__":
    main()
