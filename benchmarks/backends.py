"""Ways to compute one model: how fast each is, and how far from eager on exact pixels.

Files are decoded and prepared by all threads, a block at a time, and then the model
runs with all threads: what a pipeline does, without anything that could hide a backend.
Unless a checkpoint is given, weights are random, with every block in use and the
normalisations fitted to the photographs: as deep in effect as trained ones are.
Where torch finds a GPU, models run there, and what does not run there is said.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import timm
import torch
from images import write_photographs
from measure import in_turn
from PIL import Image
from safetensors.torch import save_file

from plugin_spec import HubError
from plugin_spec.inference.agreement import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

OPERATORS: Final = Path(__file__).parent.parent / "reference_operators"
sys.path[:0] = [
    str(OPERATORS / "image-decode" / "cv2"),
    str(OPERATORS / "image-embedding" / "timm"),
]
BATCH: Final = 64 if torch.cuda.is_available() else 8
VARIANTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "eager, contiguous": {},
    "eager, channels last": {},
    "compiled": {"backend": "compiled"},
    "onnxruntime": {"backend": "onnxruntime"},
    "OpenVINO": {"backend": "openvino"},
    "eager, tf32": {"dtype": "tf32"},
    "compiled, tf32": {"backend": "compiled", "dtype": "tf32"},
    "eager, bfloat16 autocast": {"dtype": "bfloat16", "autocast": True},
    "eager, bfloat16": {"dtype": "bfloat16"},
    "eager, float16": {"dtype": "float16"},
    "OpenVINO, bfloat16": {"backend": "openvino", "dtype": "bfloat16"},
}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way, and how long it took to make it."""

    embed: Any
    seconds: float

    @classmethod
    def made(cls, name: str, **options: Any) -> Variant:  # noqa: ANN401
        """Make the operator."""
        from timm_embedding import TimmEmbedding  # noqa: PLC0415  (after its path)

        start = time.perf_counter()
        embed = TimmEmbedding(**options, **VARIANTS[name])
        if name.endswith("contiguous"):
            embed.configure(memory_format="contiguous")
        return cls(embed, time.perf_counter() - start)

    def vectors(self, prepared: list[Any]) -> NDArray[np.float32]:
        """Embed what is prepared, in batches."""
        batches = (prepared[n : n + BATCH] for n in range(0, len(prepared), BATCH))
        return np.stack(
            [each for batch in batches for each in self.embed.predict(batch)]
        )


def main() -> None:
    """Make every variant, compare the vectors, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--checkpoint", help="a folder with trained weights")
    parser.add_argument("--only", help="variants whose names hold this, and the first")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    first, *others = VARIANTS
    names = [first, *(name for name in others if (arguments.only or "") in name)]
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photographs(Path(folder), arguments.count)
        checkpoint = arguments.checkpoint or fitted(arguments.model, paths)
        variants = {}
        for name in names:
            try:
                variants[name] = Variant.made(name, checkpoint_path=checkpoint)
            except HubError as error:
                print(f"{name}: {error}", file=sys.stderr)
        print_variants(variants, paths, arguments.rounds)


def fitted(name: str, paths: list[Path]) -> str:
    """Write a checkpoint of random weights beside the photographs."""
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=0)
    config = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**config, is_training=False)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # timm starts the last of a block at zero, and the block would do nothing.
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            module.momentum = None
    images = [transform(Image.open(path).convert("RGB")) for path in paths[:16]]
    with torch.no_grad():
        model.train()(torch.stack(images))
    folder = paths[0].parent
    config = {"architecture": name, "num_classes": 0}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "model.safetensors")
    return str(folder)


def print_variants(
    variants: Mapping[str, Variant], paths: list[Path], rounds: int
) -> None:
    """Measure all in turn, twice: the model alone, and from files."""
    from cv2_decode import Decode  # noqa: PLC0415  (after its path)

    decode = Decode()
    pixels = [decode(path) for path in paths]
    prepared = {
        name: [variant.embed.prepare(image) for image in pixels]
        for name, variant in variants.items()
    }
    found = {
        name: variant.vectors(prepared[name]) for name, variant in variants.items()
    }
    models = in_turn(
        {name: _model(variants[name], prepared[name]) for name in variants},
        rounds=rounds,
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        files = in_turn(
            {name: _files(variants[name], decode, paths, pool) for name in variants},
            rounds=rounds,
        )
    exact = torch.from_numpy(next(iter(found.values())))
    print(
        f"\n{variants[next(iter(variants))].embed.describe()['model']}, "
        f"{len(paths)} photographs, batches of {BATCH}, "
        f"{_machine()}\n"
    )
    print("| | model, images/s | files, images/s | cosine | centred | made in |")
    print("|---|---|---|---|---|---|")
    for model, whole in zip(models, files, strict=True):
        apart = compare(torch.from_numpy(found[model.name]), exact)
        print(
            f"| {model.name} | {len(paths) / model.seconds:.1f} "
            f"| {len(paths) / whole.seconds:.1f} | {apart.cosine:.6f} "
            f"| {apart.centred:.4f} | {variants[model.name].seconds:.1f} s |"
        )


def _machine() -> str:
    threads = f"{torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        return f"{threads}, {torch.cuda.get_device_name()}"
    return threads


def _model(variant: Variant, prepared: list[Any]) -> Callable[[], object]:
    return lambda: variant.vectors(prepared)


def _files(
    variant: Variant,
    decode: Callable[[Path], Any],
    paths: list[Path],
    pool: ThreadPoolExecutor,
) -> Callable[[], object]:
    def prepare(path: Path) -> Any:  # noqa: ANN401  (what the operator takes)
        return variant.embed.prepare(decode(path))

    return lambda: variant.vectors(list(pool.map(prepare, paths)))


if __name__ == "__main__":
    main()
