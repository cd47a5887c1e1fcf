"""Rows to try an operator on: the repository's own, or made from its ports."""

from __future__ import annotations

import io
import json
import struct
import wave
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from plugin_spec.manifest import Manifest
    from plugin_spec.port import Port

FOLDER: Final = "samples"
OPTIONS: Final = "options.json"
_ROWS: Final = 3
_PREFERRED: Final = (
    *("image", "text", "vector", "array", "audio", "bytes", "path", "any"),
)
_LENGTHS: Final[Mapping[str, int]] = {"H": 48, "W": 64}
_UPRIGHT: Final[Mapping[str, int]] = {"H": 60, "W": 40}
_RATE: Final = 16_000
_ARRAYS: Final[Mapping[str, tuple[tuple[int | str, ...], str]]] = {
    "image": (("H", "W", 3), "uint8"),
    "vector": (("D",), "float32"),
    "array": (("M", "N"), "float32"),
    "audio": ((_RATE,), "float32"),
}
_TEXTS: Final = (
    "A cat lies on a red sofa.",
    "Two people carry a boat along the beach at sunrise.",
    "Coffee",
)


class UnreadableSample(HubError, ValueError):
    """A file in ``samples/`` cannot become a value of its port."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row."""

    inputs: tuple[Any, ...]
    origin: str
    """What to call it in a message."""
    is_certain: bool
    """Whether an operator that refuses it breaks its manifest's word."""

    @property
    def value(self) -> object:
        """The row as an operator of the chain takes it."""
        return self.inputs[0] if len(self.inputs) == 1 else self.inputs


def own_options(repository: Path) -> dict[str, object]:
    """The options that the repository's own samples are for.

    :raises UnreadableSample: if the file is no JSON object.
    """
    file = repository / FOLDER / OPTIONS
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_bytes()))
    except (TypeError, ValueError, RecursionError) as error:
        raise UnreadableSample(f"`{FOLDER}/{OPTIONS}` is no JSON object") from error


def find_samples(manifest: Manifest, repository: Path, scratch: Path) -> list[Sample]:
    """The repository's own rows; if it has none, rows made from its input ports.

    :param scratch: a folder for files that samples are the paths of.
    :returns: nothing if no row can be made, as for a port that is ``results``.
    """
    folder = repository / FOLDER
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    own = [
        _read_row(entry, manifest.inputs)
        for entry in entries
        if entry.name != OPTIONS and not entry.name.startswith(".")
    ]
    return own or list(_made(manifest, scratch))


def _read_row(entry: Path, ports: Sequence[Port]) -> Sample:
    """A file, or for several ports a folder of files that are called as they are."""
    try:
        if entry.is_dir():
            files = {file.stem: file for file in entry.iterdir()}
            inputs = tuple(_read(files[port.name], port) for port in ports)
        else:
            (port,) = ports
            inputs = (_read(entry, port),)
    except (KeyError, OSError, ImportError, ValueError) as error:
        raise UnreadableSample(
            f"`{FOLDER}/{entry.name}` cannot be read: {type(error).__name__}: {error}"
        ) from error
    return Sample(inputs, f"`{FOLDER}/{entry.name}`", is_certain=True)


def _read(file: Path, port: Port) -> object:
    types, ending = set(port.types), file.suffix.lower()
    if ending == ".npy":
        import numpy as np

        return np.load(file, allow_pickle=False)
    if ending == ".json" and not types & {"path", "bytes"}:
        return _read_json(file, port)
    if ending == ".txt" and types & {"text", "any", "url"}:
        return file.read_text(encoding="utf-8").rstrip("\n")
    if "path" in types:
        return str(file)
    if "bytes" in types:
        return file.read_bytes()
    import numpy as np
    from PIL import Image

    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _read_json(file: Path, port: Port) -> object:
    value = json.loads(file.read_bytes())
    if not {"vector", "array"}.issuperset(port.types):
        return value
    import numpy as np

    return np.asarray(value, port.dtype or "float32")


def _made(manifest: Manifest, scratch: Path) -> Iterator[Sample]:
    makers = [_Maker(port, manifest, scratch) for port in manifest.inputs]
    if not all(maker.kinds for maker in makers):
        return
    for row in range(_ROWS):
        inputs = tuple(maker.make(maker.kinds[0], row) for maker in makers)
        kinds = " and ".join(maker.kinds[0] for maker in makers)
        certain = all(maker.is_certain(maker.kinds[0]) for maker in makers)
        yield Sample(inputs, f"a made-up {kinds}", is_certain=certain)
    if len(makers) == 1:
        for kind in makers[0].kinds[1:]:
            yield Sample(
                (makers[0].make(kind, 0),), f"a made-up {kind}", is_certain=False
            )


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes values of one port."""

    port: Port
    manifest: Manifest
    scratch: Path

    @property
    def kinds(self) -> list[str]:
        return [kind for kind in _PREFERRED if kind in self.port.types]

    def is_certain(self, kind: str) -> bool:
        if kind in {"vector", "array"}:
            shape = self.port.shape or ("D",)
            return all(isinstance(each, int) for each in shape)
        return kind in {"image", "text"}

    def make(self, kind: str, row: int) -> object:
        if kind in {"text", "any"}:
            return _TEXTS[row]
        if kind == "bytes":
            return self._file(row)[0]
        if kind == "path":
            content, ending = self._file(row)
            file = self.scratch / f"{self.port.name}-{row}{ending}"
            file.write_bytes(content)
            return str(file)
        return self._array(*_ARRAYS[kind], row)

    def _array(self, shape: tuple[int | str, ...], dtype: str, row: int) -> object:
        import numpy as np

        # The last is upright, so that sizes differ.
        lengths = _UPRIGHT if row == _ROWS - 1 else _LENGTHS
        random = np.random.default_rng(row)
        size = [
            each if isinstance(each, int) else lengths.get(each, 16)
            for each in self.port.shape or shape
        ]
        wanted = np.dtype(self.port.dtype or dtype)
        if wanted.kind == "f":
            return random.standard_normal(size).astype(wanted)
        return random.integers(0, 2 if wanted.kind == "b" else 256, size).astype(wanted)

    def _file(self, row: int) -> tuple[bytes, str]:
        """What a path leads to, by what else the manifest speaks of."""
        ports = (*self.manifest.inputs, *self.manifest.outputs)
        spoken = {kind for port in ports for kind in port.types}
        if "image" not in spoken and "audio" in spoken:
            return _wav(row), ".wav"
        if "image" not in spoken and "text" in spoken:
            return _TEXTS[row].encode(), ".txt"
        return _png(row), ".png"


def _png(row: int) -> bytes:
    """A picture of 64 by 48 pixels, without a library."""
    width, height = _LENGTHS["W"], _LENGTHS["H"]
    lines = b"".join(
        b"\0" + bytes((x * 3 + y * 5 + row * 40) % 256 for x in range(width * 3))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + tag
        + data
        + struct.pack(">I", zlib.crc32(tag + data))
        for tag, data in chunks
    )


def _wav(row: int) -> bytes:
    """A second of a tone."""
    buffer = io.BytesIO()
    period = 40 + row
    tone = (2000 * (n % period) // period - 1000 for n in range(_RATE))
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(b"".join(struct.pack("<h", each) for each in tone))
    return buffer.getvalue()
