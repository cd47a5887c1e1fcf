"""Ports: what flows into and out of an operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PORT_TYPES: Final = frozenset(
    {
        "any",
        "array",
        "audio",
        "bytes",
        "image",
        "path",
        "results",
        "text",
        "url",
        "vector",
        "video",
    }
)
"""What a port may carry.

``image`` is (H, W, 3), RGB, uint8; ``vector`` has one dimension; ``array`` any number
of them; ``results`` is what a search returns: ids and scores.
"""


@dataclass(frozen=True, slots=True)
class Port:
    """One named input or output.

    ``types`` are alternatives: a decoder takes a path, a URL, bytes or an image. A
    dimension of ``shape`` is a length, or a name for one that is not fixed.
    """

    name: str
    types: tuple[str, ...]
    dtype: str | None = None
    shape: tuple[int | str, ...] | None = None
    color: str | None = None

    def mismatch(self, target: Port) -> str | None:
        """Say why ``target`` cannot take what this port gives; None if it can.

        >>> vector = Port("embedding", ("vector",), dtype="float32", shape=("D",))
        >>> source = Port("source", ("path", "bytes"))
        >>> vector.mismatch(source)
        '`embedding` is vector, `source` takes path or bytes'
        """
        either_any = "any" in self.types or "any" in target.types
        if not either_any and not set(self.types) & set(target.types):
            reason = f"{' or '.join(self.types)}", f"{' or '.join(target.types)}"
        elif self.dtype and target.dtype and self.dtype != target.dtype:
            reason = self.dtype, target.dtype
        elif self.color and target.color and self.color != target.color:
            reason = self.color, target.color
        elif self.shape and target.shape and not _fits(self.shape, target.shape):
            reason = _shape(self.shape), _shape(target.shape)
        else:
            return None
        return f"`{self.name}` is {reason[0]}, `{target.name}` takes {reason[1]}"


def _fits(source: tuple[int | str, ...], target: tuple[int | str, ...]) -> bool:
    return len(source) == len(target) and all(
        a == b or isinstance(a, str) or isinstance(b, str)
        for a, b in zip(source, target, strict=True)
    )


def _shape(dimensions: tuple[int | str, ...]) -> str:
    return "[" + ", ".join(map(str, dimensions)) + "]"
