"""The methods by name, and which of them fit a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plugin_spec.attribution.attention_rollout import attention_rollout
from plugin_spec.attribution.errors import CannotExplain
from plugin_spec.attribution.grad_cam import grad_cam
from plugin_spec.attribution.integrated_gradients import integrated_gradients
from plugin_spec.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

METHODS: Final = ("gradcam", "attention-rollout", "integrated-gradients")
"""Ways to explain, in the order in which they are tried."""
TARGETLESS: Final = "attention-rollout"
"""The one that shows where attention goes, whatever is asked."""
_CELLS: Final = 16
"""Places along a side over which gradients of pixels are summed."""


@dataclass(frozen=True, slots=True)
class Question:
    """A model, a prepared image, (1, 3, H, W), and what is asked of them."""

    network: nn.Module
    image: Tensor
    score: Callable[[Tensor], Tensor]
    has_target: bool
    prefix: int
    from_token: bool

    def answer(self, method: str | None) -> tuple[str, Tensor]:
        """The method, and how much each place speaks for it: (h, w), 0 or more.

        :param method: None for the first that fits.
        :raises CannotExplain: naming those that fit.
        """
        if method is not None:
            try:
                return method, self._by(method)
            except CannotExplain as error:
                raise CannotExplain(str(error), hint=self._others(method)) from None
        for each in METHODS[:-1]:
            try:
                return each, self._by(each)
            except CannotExplain:
                continue
        return METHODS[-1], self._by(METHODS[-1])

    def _by(self, method: str) -> Tensor:
        if method == "gradcam":
            return grad_cam(self.network, self.image, self.score)[0]
        if method == "integrated-gradients":
            shares = integrated_gradients(self.network, self.image, self.score)
            return _in_cells(shares.sum(dim=1))[0]
        if self.has_target:
            raise CannotExplain(
                "Attention rollout shows where a model looks, whatever the target"
            )
        return attention_rollout(
            self.network, self.image, prefix=self.prefix, from_token=self.from_token
        )[0]

    def _others(self, method: str) -> str:
        fitting = [each for each in METHODS if each != method and self._fits(each)]
        return f"Choose {' or '.join(f'`{each}`' for each in fitting)}"

    def _fits(self, method: str) -> bool:
        if method == METHODS[-1]:
            return True
        try:
            self._by(method)
        except CannotExplain:
            return False
        return True


def check_method(method: str | None) -> None:
    """Refuse a method that is not known.

    >>> check_method("grad-cam")
    Traceback (most recent call last):
    ...
    plugin_spec.attribution.errors.CannotExplain: There is no method `grad-cam`: ...

    :raises CannotExplain: with those that are.
    """
    if method is not None and method not in METHODS:
        raise CannotExplain(
            f"There is no method `{method}`{did_you_mean(str(method), METHODS)}",
            hint=f"Choose one of {', '.join(f'`{each}`' for each in METHODS)}",
        )


def _in_cells(shares: Tensor) -> Tensor:
    """Shares of pixels, (B, H, W), summed over squares, without what speaks against.

    Shares of neighbours alternate in sign, and cancel as they do in the score.
    """
    from torch.nn.functional import adaptive_avg_pool2d

    height, width = shares.shape[-2:]
    grid = min(_CELLS, height), min(_CELLS, width)
    return adaptive_avg_pool2d(shares[:, None], grid)[:, 0].relu()
