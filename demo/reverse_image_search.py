"""Reverse image search over real photographs: what ``make demo`` runs.

Writes pieces of photographs, embeds and searches them with a DataCollection, and draws
the article's table as a page. The queries are changed pieces of photographs that the
embedding was not trained on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from photographs import EVERYTHING, HELD_OUT, Piece, dataset, queries
from PIL import Image, ImageOps

from plugin_spec import HubError
from towhee import DataCollection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

TOPK: Final = 5
SHOWN: Final = 8
RAW_SIDE: Final = 96


@dataclass(frozen=True, slots=True)
class Found:
    """One query and what was found for it, nearest first."""

    query: str
    nearest: list[str]
    distances: list[float]

    @property
    def right(self) -> list[bool]:
        """Which of the results are of the query's photograph."""
        return [photograph(path) == photograph(self.query) for path in self.nearest]


def main() -> None:
    """Write, embed, search, draw, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a timm model, instead of the tiny one")
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    parser.add_argument("--each", type=int, default=8, help="pieces of a photograph")
    arguments = parser.parse_args()
    try:
        show(arguments.output, arguments.model, arguments.each)
    except HubError as error:
        hint = f"\n\nhint: {error.hint}" if error.hint else ""
        sys.exit(f"error: {error}{hint}")


def show(output: Path, model: str | None, each: int) -> None:
    """Do it all, below one folder."""
    write(output / "dataset", dataset(EVERYTHING, each=each, seed=1))
    write(output / "query", queries(HELD_OUT, each=max(1, each // 2), seed=2))
    start = time.perf_counter()
    found = search(output, model)
    seconds = time.perf_counter() - start
    images = len(list((output / "dataset").iterdir())) + len(found)
    results = {
        "model": model or "image-embedding-tiny",
        "precision_at_5": precision(found),
        "precision_at_5_of_raw_pixels": precision(search_plainly(output, raw_pixels)),
        "precision_at_5_of_colours": precision(search_plainly(output, colours)),
        "images": images,
        "seconds": seconds,
        "found": [asdict(each) for each in found],
    }
    text = json.dumps(results, indent=2)
    (output / "results.json").write_text(text, encoding="utf-8")
    page = output / "index.html"
    page.write_text(draw(results, found), encoding="utf-8")
    print(f"precision@5   {results['precision_at_5']:.3f}")
    print(f"  raw pixels  {results['precision_at_5_of_raw_pixels']:.3f}")
    print(f"  colours     {results['precision_at_5_of_colours']:.3f}")
    print(
        f"time          {seconds:.1f} s for {images} images, loading the model included"
    )
    print(f"page          {page.resolve()}")


def search(output: Path, model: str | None) -> list[Found]:
    """The main job, in the article's words."""
    data = DataCollection.from_glob(output / "dataset" / "*.jpg").unstream()
    query = DataCollection.from_glob(output / "query" / "*.jpg").unstream()
    results = embed(query, model).towhee.search_vectors(
        data=embed(data, model), cal="L2", topk=TOPK
    )
    return [
        Found(path, [data[number] for number in result.ids], result.scores)
        for path, result in zip(query, results, strict=True)
    ]


def embed(paths: DataCollection, model: str | None) -> DataCollection:
    """The tiny pipeline, whose weights come with it; or any timm model."""
    if model is None:
        return paths.towhee.image_embedding_tiny()
    return paths.image_decode.cv2().image_embedding.timm(model_name=model)


def search_plainly(
    output: Path, vector_of: Callable[[str], NDArray[np.float32]]
) -> list[Found]:
    """The same over vectors that need no model: what an embedding has to beat."""
    data = DataCollection.from_glob(output / "dataset" / "*.jpg").unstream()
    query = DataCollection.from_glob(output / "query" / "*.jpg").unstream()
    vectors = np.stack(data.map(vector_of).to_list())
    found = []
    for path, vector in zip(query, query.map(vector_of), strict=True):
        distances = np.linalg.norm(vectors - vector, axis=1)
        nearest = np.argsort(distances, kind="stable")[:TOPK]
        paths = [data[int(number)] for number in nearest]
        found.append(Found(path, paths, distances[nearest].tolist()))
    return found


def raw_pixels(path: str) -> NDArray[np.float32]:
    """The image itself as a vector."""
    with Image.open(path) as image:
        fitted = ImageOps.fit(image, (RAW_SIDE, RAW_SIDE), Image.Resampling.BICUBIC)
    return np.asarray(fitted, np.float32).ravel() / 255


def colours(path: str) -> NDArray[np.float32]:
    """How often each of 6 x 6 x 6 colours occurs."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    counts, _ = np.histogramdd(pixels, bins=(6, 6, 6), range=[(0, 256)] * 3)
    return np.sqrt(counts.ravel() / len(pixels)).astype(np.float32)


def write(folder: Path, pieces: Iterable[Piece]) -> None:
    """Write pieces as JPEG files, named after their photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.jpg"):
        file.unlink()
    for number, piece in enumerate(pieces):
        path = folder / f"{piece.photograph}-{number:03}.jpg"
        piece.image.save(path, quality=92)


def photograph(path: str) -> str:
    """The photograph that a file is a piece of."""
    return Path(path).stem.rpartition("-")[0]


def precision(found: Sequence[Found]) -> float:
    """The share of results that are of their query's photograph."""
    return float(np.mean([each.right for each in found]))


def draw(results: dict[str, Any], found: Sequence[Found]) -> str:
    """The page: a query a row, its nearest beside it."""
    template = Template(
        Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    )
    one_each = {photograph(each.query): each for each in reversed(found)}
    return template.substitute(
        model=escape(results["model"]),
        precision=f"{results['precision_at_5']:.0%}",
        raw=f"{results['precision_at_5_of_raw_pixels']:.0%}",
        colours=f"{results['precision_at_5_of_colours']:.0%}",
        images=results["images"],
        rows="\n".join(draw_row(each) for each in list(one_each.values())[:SHOWN]),
    )


def draw_row(found: Found) -> str:
    """One query and its results."""
    cells = [draw_cell(found.query, "query", f"query: {photograph(found.query)}")]
    for path, distance, right in zip(
        found.nearest, found.distances, found.right, strict=True
    ):
        kind = "right" if right else "wrong"
        cells.append(draw_cell(path, kind, f"{distance:.3f}"))
    return f"<tr>{''.join(cells)}</tr>"


def draw_cell(path: str, kind: str, caption: str) -> str:
    """One image with its caption; a mark says in words what the colour says."""
    source = escape(f"{Path(path).parent.name}/{Path(path).name}")
    mark = {"query": "", "right": " ✓", "wrong": " ✗"}[kind]
    described = escape(f"{kind}: {photograph(path)}")
    return (
        f'<td class="{kind}"><figure><img src="{source}" alt="{described}">'
        f"<figcaption>{escape(caption)}{mark}</figcaption></figure></td>"
    )


if __name__ == "__main__":
    main()
