"""The article's code, as written; only the model is small and its weights random."""

from __future__ import annotations

import http.server
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from plugin_spec import HubError
from towhee import DataCollection, ops, pipeline, ray_start
from towhee.binding import PortMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")

# The article's code, with the weights that a test without network can have.
REVERSE_IMAGE_SEARCH = """
from towhee.functional import DataCollection
dataset = DataCollection.from_glob('./image_dataset/dataset/*.JPEG').unstream()
query = DataCollection.from_glob('./image_dataset/query/*.JPEG').unstream()
dc_data = (
   dataset.image_decode.cv2()
       .image_embedding.timm(model_name='test_resnet', pretrained=False)
)
result = (
    query.image_decode.cv2()                                    # decode all images in the query set
        .image_embedding.timm(model_name='test_resnet', pretrained=False)
        .towhee.search_vectors(data=dc_data, cal='{cal}', topk=5)  # search the dataset
        .map(lambda x: x.ids)                                   # acquire IDs (file paths) of similar results
        .select_from(dataset)                                   # get the result image
)
"""


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receipts go to an environment of the test's own; packages are this one's."""
    prefix = tmp_path / "environment"
    prefix.mkdir()
    monkeypatch.setattr(sys, "prefix", str(prefix))


@pytest.fixture
def photographs() -> list[str]:
    """The article's folders: four photographs, and a brighter crop of each to ask."""
    dataset, query = (Path("image_dataset") / name for name in ("dataset", "query"))
    for folder in (dataset, query):
        folder.mkdir(parents=True)
    for name in PHOTOGRAPHS:
        image = Image.fromarray(getattr(skimage.data, name)()).resize((256, 192))
        image.save(dataset / f"{name}.JPEG", quality=95)
        image.crop((4, 4, 252, 188)).save(query / f"{name}.JPEG", quality=60)
    return [f"./image_dataset/dataset/{name}.JPEG" for name in PHOTOGRAPHS]


@pytest.mark.parametrize("cal", ["L2", "IP", "cosine"])
def test_reverse_image_search(photographs: list[str], cal: str) -> None:
    scope: dict[str, Any] = {}
    exec(REVERSE_IMAGE_SEARCH.format(cal=cal), scope)  # noqa: S102  (the article)
    found = scope["result"].to_list()
    assert [len(rows) for rows in found] == [4, 4, 4, 4]
    assert [sorted(rows) for rows in found] == [sorted(photographs)] * 4
    if cal != "IP":  # longer vectors win there, whatever they show
        assert [rows[0] for rows in found] == photographs


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves this folder and writes no log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def website(photographs: list[str]) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_pipeline_embeds_every_form_of_an_image(
    photographs: list[str], website: str
) -> None:
    embedding_pipeline = pipeline("image-embedding-resnet50", pretrained=False)
    path = photographs[0]
    image = Image.open(path)
    forms = [path, f"{website}/{path}", Path(path).read_bytes(), image]
    embedding = embedding_pipeline(np.asarray(image))
    assert (embedding.shape, embedding.dtype) == ((2048,), np.float32)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    for form in forms:
        np.testing.assert_array_equal(embedding_pipeline(form), embedding)
    listed = embedding_pipeline(forms)
    assert isinstance(listed, list)
    np.testing.assert_allclose(np.stack(listed), np.stack([embedding] * 4), atol=1e-6)


def test_an_operator_alone(photographs: list[str]) -> None:
    embed = ops.image_embedding.timm(model_name="resnet18", pretrained=False)
    assert embed(Image.open(photographs[0])).shape == (512,)


def test_decoding_what_was_embedded_is_refused_before_loading() -> None:
    chain = DataCollection(["a.jpg"]).image_embedding.timm().image_decode.cv2()
    with pytest.raises(PortMismatch, match="`image-decode/cv2` cannot follow"):
        chain.to_list()


def test_a_file_that_is_missing_is_named(photographs: list[str]) -> None:
    rows = DataCollection([*photographs, "none.jpg"]).image_decode.cv2()
    with pytest.raises(HubError) as caught:
        rows.to_list()
    assert str(caught.value) == (
        "`image-decode/cv2` failed on row 4, 'none.jpg': Cannot decode `none.jpg`: no such file"
    )
    outcomes = list(rows.run())
    assert [outcome.error is None for outcome in outcomes] == [True] * 4 + [False]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_the_search_of_the_article_runs_on_ray(
    photographs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def embedded(rows: DataCollection) -> DataCollection:
        return rows.image_decode.cv2().image_embedding.timm(
            model_name="resnet18", pretrained=False
        )

    dataset = DataCollection(photographs)
    vectors = embedded(dataset)
    query = DataCollection(photographs[:2])

    def search(query: DataCollection) -> list[list[str]]:
        found = embedded(query).towhee.search_vectors(data=vectors, cal="L2", topk=2)
        return found.map(lambda x: x.ids).select_from(dataset).to_list()

    # The names of Ray's sockets, which lie in it, may not be long.
    with TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        ray_start(num_cpus=2)
        import ray  # noqa: PLC0415  (`ray_start` decides how it runs, before)

        try:
            assert search(query.set_engine("ray")) == search(query)
            assert [near[0] for near in search(query)] == photographs[:2]
        finally:
            ray.shutdown()


def test_completion_lists_the_bundled_operators() -> None:
    assert {"image_decode", "image_embedding", "towhee"} <= set(dir(ops))
    assert "timm" in dir(DataCollection([]).image_embedding)
    assert "search_vectors" in dir(ops.towhee)
