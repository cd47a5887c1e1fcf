"""A model, and how it sees images: what a heatmap is made with."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from plugin_spec.attribution.heatmap import Heatmap
from plugin_spec.attribution.methods import TARGETLESS, Question, check_method
from plugin_spec.attribution.placement import Seen
from plugin_spec.attribution.target import Target
from plugin_spec.attribution.watching import own_view

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from plugin_spec.trainable import Trainee


@runtime_checkable
class Explains(Protocol):
    """An operator that shows what its model looks at."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What may be asked for by name."""

    def explain(
        self,
        image: Any,  # noqa: ANN401  (as the operator takes it)
        target: object = None,
        *,
        method: str | None = None,
        trainee: Trainee | None = None,
    ) -> Heatmap:
        """Show which parts of an image speak for a target, as ``Subject`` does.

        :param trainee: explain this model, which is in training, not the operator's.
        """


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to explain.

    :param network: prepared images, (B, 3, H, W), to vectors, (B, D).
    :param prepare: an image, (H, W, 3) of uint8, to (3, H, W); it may resize, crop and
        pad, and scales each channel by itself.
    :param head: vectors to one output for each of ``classes``.
    :param prefix: a transformer's tokens before those of patches.
    :param from_token: the vector is that of the first token.
    """

    network: nn.Module
    prepare: Callable[[Any], Tensor]
    head: nn.Module | None = None
    classes: tuple[str, ...] = ()
    prefix: int = 1
    from_token: bool = True

    def explain(
        self,
        image: NDArray[np.uint8] | Any,  # noqa: ANN401  (or one of Pillow's)
        target: object = None,
        *,
        method: str | None = None,
    ) -> Heatmap:
        """Show which parts of an image speak for a target.

        :param target: a class by name or number; another image, or a vector, to which
            similarity is explained; None for the image itself: which parts make up its
            vector.
        :param method: one of ``METHODS``; by default the first that fits the model, and
            knows of targets if there is one.
        :raises CannotExplain: naming what does fit.
        """
        check_method(method)
        pixels = _pixels(image)
        prepared = self._prepared(pixels)
        asked = self._target(self._vector(prepared), target)
        question = Question(
            self.network,
            prepared,
            asked.score,
            has_target=target is not None,
            prefix=self.prefix,
            from_token=self.from_token,
        )
        method, found = question.answer(method)
        height, width = pixels.shape[:2]
        seen = Seen.by(self.prepare, width, height)
        placed = seen.place(found.cpu().numpy(), width, height)
        if method == TARGETLESS:
            return Heatmap(placed, pixels, method, "where it looks", None)
        return Heatmap(placed, pixels, method, asked.words, asked.answer)

    def _target(self, vector: Tensor, target: Any) -> Target:  # noqa: ANN401
        if isinstance(target, str | Integral):
            return Target.of_class(vector, target, self.head, self.classes)
        if target is None:
            return Target.similarity(vector, None)
        if getattr(target, "ndim", None) == 1:
            import torch

            return Target.similarity(vector, torch.as_tensor(target))
        return Target.similarity(vector, self._vector(self._prepared(_pixels(target))))

    def _prepared(self, image: NDArray[np.uint8]) -> Tensor:
        """One image as a batch, where the model is."""
        return self.prepare(image)[None].to(next(self.network.parameters()))

    def _vector(self, prepared: Tensor) -> Tensor:
        import torch

        with torch.no_grad():
            outputs: Tensor = own_view(self.network)(prepared)
        return outputs[0]


def _pixels(image: Any) -> NDArray[np.uint8]:  # noqa: ANN401  (or one of Pillow's)
    import numpy as np

    return np.array(image.convert("RGB") if hasattr(image, "convert") else image)
