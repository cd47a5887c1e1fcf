"""Operator names: ``namespace/name``, and the attribute path users type for one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from plugin_spec.errors import InvalidName

DEFAULT_NAMESPACE: Final = "towhee"
"""The namespace of a name written without one, such as ``image-embedding-resnet50``."""

_PART = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MAX_LENGTH = 64

# Windows refuses these as file names, whatever their extension.
_DEVICES = frozenset(
    {"aux", "con", "nul", "prn"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)

# An attribute of DataCollection must never be shadowed by an operator's namespace.
# tests/towhee checks that every public method stands here.
RESERVED_NAMESPACES: Final = frozenset(
    """
    api append arrow as-entity as-function as-json as-raw batch cate-one-hot-encoder
    clear cmap columns combine copy count decision-tree df drop-empty dropna
    evaluate exception-safe explain extend fill-empty fill-entity filter flatten
    from-arrow from-df from-glob from-json from-parquet get-executor get-state
    group-by head insert is-safe is-stream kmeans linear-regression
    logistic-regression map min-max-scaler num-discretizer over parse-json pca
    pipeline pop profile random-forest range read-audio read-camera read-csv
    read-json read-parquet read-video read-zip rearranged remove rename replace
    report reverse
    rolling run runas-op safe sample select select-from serve set-chunksize
    set-engine set-evaluating set-jit set-parallel set-training show shuffle sort
    space split-train-test standard-scaler stream svc then to-arrow to-column to-csv
    to-df to-faiss to-lancedb to-list to-milvus to-parquet to-video unset-parallel
    unstream with-metrics zip
    """.split()  # noqa: SIM905  (a list of one name a line is four screens long)
)


@dataclass(frozen=True, slots=True, order=True)
class OperatorName:
    """A normalised operator name, for example ``image-embedding/timm``.

    >>> OperatorName.parse("image-embedding/timm").attribute_path
    'image_embedding.timm'
    """

    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``namespace/name``, or ``name`` alone in the namespace ``towhee``.

        >>> str(OperatorName.parse("image-embedding-resnet50"))
        'towhee/image-embedding-resnet50'

        :raises InvalidName: if a part is empty, too long, holds anything but lower-case
            ASCII letters, digits and single hyphens, or is reserved.
        """
        namespace, slash, name = text.partition("/")
        if not slash:
            namespace, name = DEFAULT_NAMESPACE, text
        if not _PART.fullmatch(namespace) or not _PART.fullmatch(name):
            raise InvalidName(
                f"expected `namespace/name`, got {text!r}",
                hint="Use lower-case letters, digits and single hyphens, "
                "as in `image-embedding/timm`",
            )
        for part in (namespace, name):
            if part in _DEVICES or len(part) > _MAX_LENGTH:
                raise InvalidName(
                    f"`{part}` in {text!r} cannot be a folder name on every system",
                    hint=f"Choose at most {_MAX_LENGTH} characters "
                    "and no device name such as `con` or `nul`",
                )
        if namespace in RESERVED_NAMESPACES:
            raise InvalidName(
                f"the namespace `{namespace}` of {text!r} is reserved",
                hint=f"`DataCollection.{namespace.replace('-', '_')}` is a method; "
                "choose another namespace",
            )
        return cls(namespace, name)

    @classmethod
    def from_attributes(cls, namespace: str, name: str) -> Self:
        """Parse the two attributes of ``ops.image_embedding.timm``.

        >>> str(OperatorName.from_attributes("image_embedding", "timm"))
        'image-embedding/timm'
        """
        return cls.parse(f"{namespace}/{name}".replace("_", "-"))

    @property
    def attribute_path(self) -> str:
        """The dotted form used in Python, hyphens written as underscores."""
        return f"{self.namespace}.{self.name}".replace("-", "_")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
