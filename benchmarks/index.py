"""An index of 10,000 operators with 10 versions each: fetched, searched, resolved.

Everything is made in a temporary folder, by ``git fast-import``, and is removed again.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from measure import command, in_turn, print_table
from packaging.version import Version

from hub_client.index.entry import IndexedVersion, IndexEntry, entry_path
from hub_client.resolver import resolve
from hub_client.sources.index import IndexSource
from hub_client.sources.router import SourceRouter
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATORS: Final = 10_000
VERSIONS: Final = 10
NAMESPACES: Final = (
    "image-embedding",
    "text-embedding",
    "audio-embedding",
    "image-decode",
    "video-decode",
    "object-detection",
    "ann-search",
    "ann-insert",
    "rerank",
    "caption",
)
SYLLABLES: Final = (
    "bar",
    "den",
    "fol",
    "gim",
    "hat",
    "kor",
    "lus",
    "mon",
    "pel",
    "ras",
)
WORDS: Final = (
    "embed images texts sounds with a small large model trained on photographs "
    "documents speech music and give vectors scores captions fast on every machine"
)


def names() -> list[OperatorName]:
    """Ten thousand names, the same in every run."""
    return [
        OperatorName(
            NAMESPACES[n % len(NAMESPACES)],
            "".join(SYLLABLES[int(digit)] for digit in f"{n // 10:03}") + f"-{n % 97}",
        )
        for n in range(OPERATORS)
    ]


def entry(name: OperatorName, others: list[OperatorName]) -> IndexEntry:
    """Ten versions, each of which needs what an operator further down has."""
    chance = random.Random(str(name))  # noqa: S311  (no secret)
    summary = " ".join(chance.choices(WORDS.split(), k=10)).capitalize()
    needs = [f"{other}>=1.{chance.randrange(VERSIONS)}" for other in others]
    return IndexEntry(
        name,
        tuple(
            IndexedVersion(
                version=Version(f"1.{minor}.0"),
                source=f"git+https://git.example.org/{name}.git",
                ref=f"refs/tags/v1.{minor}.0",
                commit=hashlib.sha1(f"{name} {minor}".encode()).hexdigest(),  # noqa: S324
                tree=f"sha256:{hashlib.sha256(f'{name} {minor}'.encode()).hexdigest()}",
                operator={
                    "spec": 1,
                    "name": str(name),
                    "version": f"1.{minor}.0",
                    "kind": "operator",
                    "summary": summary,
                    "license": chance.choice(("Apache-2.0", "MIT", "BSD-3-Clause")),
                    "module": name.name.replace("-", "_"),
                    "requires": {
                        "python": ">=3.11",
                        "operators": needs,
                        "packages": ["numpy>=1.26", f"pillow>={minor}"],
                    },
                    "inputs": [{"name": "image", "type": "image", "color": "RGB"}],
                    "outputs": [
                        {"name": "vector", "type": "array", "dtype": "float32"}
                    ],
                },
            )
            for minor in range(VERSIONS)
        ),
    )


def write_index(folder: Path) -> None:
    """Make the repository, in one commit."""
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--initial-branch=main", folder],
        check=True,
    )
    stream = b"".join(_commands())
    importing = ["git", f"--git-dir={folder}", "fast-import", "--quiet"]
    subprocess.run(importing, input=stream, check=True)
    subprocess.run(["git", f"--git-dir={folder}", "repack", "-adq"], check=True)


def _commands() -> Iterator[bytes]:
    yield b"commit refs/heads/main\ncommitter B <b@example.org> 0 +0000\n"
    yield b"data 5\nindex\n"
    listed = names()
    for number, name in enumerate(listed):
        # Needs go down to the next tenth operator, which needs nothing.
        others = listed[number - number % 10 : number][-2:]
        text = entry(name, others).to_bytes()
        yield f"M 100644 inline {entry_path(name)}\ndata {len(text)}\n".encode()
        yield text + b"\n"


def measure(folder: Path) -> None:
    """Print a table a question."""
    index, cache = folder / "index.git", folder / "cache"
    write_index(index)
    url = f"file://{index}"
    size = sum(each.stat().st_size for each in index.rglob("*") if each.is_file())
    print(f"{OPERATORS:,} operators, {VERSIONS} versions each: {size / 2**20:.1f} MiB")

    def fetch() -> None:
        assert IndexSource(url, cache_dir=folder / "fresh").commit

    def clear() -> None:
        for name in ("clone", "fresh"):
            shutil.rmtree(folder / name, ignore_errors=True)

    git = ("git", "clone", "--quiet", "--bare", "--depth=1", url, str(folder / "clone"))
    print_table(
        "Fetch", in_turn({"git clone": command(*git), "hub": fetch}, before=clear)
    )

    name = names()[5009]

    def resolve_one() -> None:
        router = SourceRouter({"*": f"index+{url}"}, cache_dir=cache, offline=True)
        requirement = Requirement.parse(str(name))
        assert resolve([requirement], router, python=Version("3.11.9")).candidates

    def read_one() -> None:
        source = IndexSource(url, cache_dir=cache, offline=True)
        assert len(source.versions(name)) == VERSIONS

    assert IndexSource(url, cache_dir=cache).commit
    print_table(
        "Resolve, offline",
        in_turn({"one entry read": read_one, "one operator resolved": resolve_one}),
    )

    hub = (sys.executable, "-m", "hub_client.cli")
    (folder / "config").mkdir()
    (folder / "config" / "config.toml").write_text(
        f'[sources]\n"*" = "index+{url}"\n"towhee/*" = "bundled"\n'
    )
    env = {
        "HUB_CACHE_DIR": str(cache),
        "HUB_CONFIG_DIR": str(folder / "config"),
        "PYTHONPATH": os.pathsep.join([*sys.path[1:], str(Path.cwd())]),
    }
    print_table(
        "Search, the whole process, warm",
        in_turn(
            {
                "python -c pass": command(sys.executable, "-c", "pass"),
                "hub --version": command(*hub, "--version", env=env),
                "hub search photographs": command(
                    *hub, "search", "photographs", env=env
                ),
                "hub search by name": command(*hub, "search", name.name, env=env),
                "hub search, three words": command(
                    *hub, "search", "image", "small", "model", env=env
                ),
            },
            rounds=11,
        ),
    )


if __name__ == "__main__":
    with TemporaryDirectory(prefix="hub-benchmark-") as temporary:
        measure(Path(temporary))
