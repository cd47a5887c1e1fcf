"""What a heatmap explains: a class, or what makes two vectors similar."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

from plugin_spec.attribution.errors import CannotExplain
from plugin_spec.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked, in words; how vectors are scored by it; the image's own score."""

    words: str
    score: Callable[[Tensor], Tensor]
    answer: float

    @classmethod
    def similarity(cls, vector: Tensor, other: Tensor | None) -> Self:
        """How near a vector is to another one; to itself, if there is no other.

        The cosine, in which the length of ``vector`` is held fixed: so the score is
        linear, and has a gradient where the cosine is at its greatest. Where the vector
        is a mean over positions, each position's share of the cosine is exact.

        :param vector: of the image that is explained, (D,).
        :param other: (D,), of any length.
        :raises CannotExplain: if they have not as many numbers, or one is all zeros.
        """
        import torch

        words = "similarity to itself" if other is None else "similarity"
        other = vector if other is None else other.to(vector)
        if other.shape != vector.shape:
            raise CannotExplain(
                f"The target has {other.numel()} numbers, and the vector of the image "
                f"{vector.numel()}"
            )
        lengths = torch.linalg.vector_norm(vector) * torch.linalg.vector_norm(other)
        if not lengths > 0:
            raise CannotExplain("A vector of zeros is similar to nothing")
        direction = other / lengths
        return cls(words, lambda found: found @ direction, float(vector @ direction))

    @classmethod
    def of_class(
        cls,
        vector: Tensor,
        wanted: object,
        head: nn.Module | None,
        classes: Sequence[str],
    ) -> Self:
        """The output of a classifier for one class.

        :param wanted: the class, by name or number.
        :raises CannotExplain: if the model does not tell it apart.
        """
        import torch

        if head is None or not classes:
            raise CannotExplain(
                f"This model tells no classes apart, and {wanted!r} is none of them",
                hint="Train it with classes, or give an image that it is similar to",
            )
        number = _number(wanted, classes)
        with torch.no_grad():
            answer = float(head(vector[None])[0, number])
        return cls(
            f"class {classes[number]}",
            lambda found: _output(head, found, number),
            answer,
        )


def _output(head: nn.Module, vectors: Tensor, number: int) -> Tensor:
    outputs: Tensor = head(vectors)
    return outputs[:, number]


def _number(wanted: Any, classes: Sequence[str]) -> int:  # noqa: ANN401  (what was asked)
    # What NumPy's argmax gives is a number, too.
    if isinstance(wanted, Integral) and 0 <= int(wanted) < len(classes):
        return int(wanted)
    if wanted in classes:
        return classes.index(wanted)
    known = ", ".join(f"`{each}`" for each in classes[:20])
    raise CannotExplain(
        f"There is no class {wanted!r}{did_you_mean(str(wanted), classes)}",
        hint=f"Choose one of {known}{' and others' if len(classes) > 20 else ''}",  # noqa: PLR2004  (a line)
    )
