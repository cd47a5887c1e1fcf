"""Every code block of every page runs, top to bottom, as a new user would type it.

The reader has the built wheel in a virtual environment, photographs, and a Hugging
Face-compatible server whose weights are random. Python packages come from the registry.
What is typed as ``pip install`` is done by ``uv pip install``, but for the first page's.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import skimage.data
from docs.reader import Block, Reader, blocks
from installation import ROOT, Installation
from PIL import Image
from servers.hugging_face import HuggingFaceServer
from uv import find_uv_bin

from hub_client.lockfile import Lockfile
from plugin_spec import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = sorted(
    page.relative_to(ROOT)
    for page in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "reference_operators").rglob("README.md"),
    )
    if any(blocks(page.read_text(encoding="utf-8")))
)
PHOTOGRAPHS = {"cat": "chelsea", "coffee": "coffee", "rocket": "rocket"}
PUBLISHED = "https://git.example.org/towhee-hub.git"
TEXT_MODEL_SETTINGS = {
    "modules.json": b"""[
  {"type": "sentence_transformers.models.Transformer", "path": ""},
  {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
  {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}
]""",
    "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
    "sentence_bert_config.json": b'{"max_seq_length": 32}',
}
"""What sentence-transformers writes beside a model."""
BY_PIP = "quick-start.md"
UV_FOR_PIP = f"""pip() {{ "{find_uv_bin()}" pip "$@"; }}"""
"""Installs torch in a second, from the cache that ``hub`` has of it; pip in a minute."""
MAKE = re.compile(r"^make (?P<target>[\w-]+)", re.MULTILINE)


def write_photographs(folder: Path) -> None:
    for name, source in PHOTOGRAPHS.items():
        photograph = Image.fromarray(getattr(skimage.data, source)())
        queries = folder / "queries"
        photos = folder / "photos"
        for where in (photos, queries):
            where.mkdir(parents=True, exist_ok=True)
        photograph.save(photos / f"{name}.jpg", quality=90)
        photograph.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
            queries / f"{name}.jpg", quality=60
        )
    photograph.save(folder / "query.jpg")


@pytest.fixture(scope="module")
def model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Random weights under the names that the operators' defaults have."""
    import safetensors.torch  # noqa: PLC0415  (seconds)
    import timm  # noqa: PLC0415

    with HuggingFaceServer(tmp_path_factory.mktemp("models")) as server:
        for tag in ("resnet50.a1_in1k", "resnet18.a1_in1k"):
            state = timm.create_model(tag, pretrained=False).state_dict()
            weights = safetensors.torch.save(state)
            server.create(f"timm/{tag}", {"model.safetensors": weights})
        texts = "sentence-transformers/all-MiniLM-L6-v2"
        server.create(texts, text_model(tmp_path_factory.mktemp("text-model")))
        both = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
        server.create(both, clip_model(tmp_path_factory.mktemp("clip-model")))
        yield server.url


def text_model(folder: Path) -> dict[str, bytes]:
    """The files of a tiny model of texts, by name."""
    return {
        **written_model("text-embedding/transformers", "tiny_bert", folder),
        **TEXT_MODEL_SETTINGS,
    }


def clip_model(folder: Path) -> dict[str, bytes]:
    """The files of a tiny model of images and texts, by name."""
    return written_model("image-text-embedding/clip", "tiny_clip", folder)


def written_model(operator: str, module: str, folder: Path) -> dict[str, bytes]:
    """What a module of an operator's tests writes into an empty folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "reference_operators" / operator / "tests")
        importlib.import_module(module).write_model(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def desk() -> Iterator[Path]:
    """An empty folder that has one name for all pages.

    So Python finds what it compiled of the packages that several pages install.
    """
    folder = Path(tempfile.gettempdir(), "desk")
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def reader(
    page: Path, desk: Path, wheel: Path, package_cache: Path, model_server: str
) -> Iterator[Reader]:
    environment = {
        "UV_CACHE_DIR": str(package_cache),
        "PYTHONPYCACHEPREFIX": f"{desk}-compiled",
        "HF_ENDPOINT": model_server,
        # The real service's own storage; the server takes large files as git-lfs does.
        "HF_HUB_DISABLE_XET": "1",
        # The published repository's address leads to this checkout.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": PUBLISHED,
    }
    folder = desk / "reader"
    write_photographs(folder)
    installation = Installation.create(desk / "venv", wheel, **environment)
    profile = "" if page.name == BY_PIP else UV_FOR_PIP
    reader = Reader(folder, installation.environment, profile)
    yield reader
    reader.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_of_a_page_runs(page: Path, reader: Reader) -> None:
    for block in blocks((ROOT / page).read_text(encoding="utf-8")):
        if targets := MAKE.findall(block.text):
            # Making the tests from within the tests would not end.
            dry = ["make", "--dry-run", "--always-make", "-C", ROOT, *targets]
            subprocess.run(dry, check=True, capture_output=True)
        else:
            reader.follow(block)


def all_blocks(language: str) -> Iterator[tuple[str, Block]]:
    for page in PAGES:
        for block in blocks((ROOT / page).read_text(encoding="utf-8")):
            if block.language == language:
                yield f"{page}:{block.line}", block


@pytest.mark.parametrize(
    "block", [pytest.param(block, id=where) for where, block in all_blocks("yaml")]
)
def test_a_manifest_shown_whole_is_valid(block: Block) -> None:
    if block.text.startswith("spec:"):
        Manifest.from_yaml(block.text.encode())


@pytest.mark.parametrize(
    "block", [pytest.param(block, id=where) for where, block in all_blocks("toml")]
)
def test_a_lock_shown_whole_is_valid(block: Block) -> None:
    if block.text.startswith("version = "):
        Lockfile.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    # In code, brackets and parentheses are columns and options.
    prose = re.sub(r"```.*?```|`[^`\n]*`", "`code`", text, flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", prose)
    missing = [
        link for link in links if not (ROOT / page.parent / link).resolve().exists()
    ]
    assert missing == []
