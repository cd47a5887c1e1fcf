"""torch as it is."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.inference.backend import Backend
from plugin_spec.inference.memory import memory_errors
from plugin_spec.inference.products import float32_products
from plugin_spec.inference.threads import torch_threads
from plugin_spec.inference.workload import TF32

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor, memory_format, nn

    from plugin_spec.inference.folding import Folding
    from plugin_spec.inference.workload import Workload

_IMAGES: Final = 4
"""The dimensions of a batch of images; the only kind that has a memory format."""


class Eager(Backend):
    """Call the module."""

    name = "eager"

    def __init__(self, workload: Workload) -> None:
        import torch

        super().__init__(workload)
        self.device = torch.device(workload.device)
        self.dtype = torch.float32 if workload.keeps_weights else workload.precision
        self.memory_format = torch.channels_last
        self.folds = True
        self._folding: Folding | None = None
        self._lock = Lock()
        self.module = workload.module.to(self.device, self.dtype)
        self._order()

    def __call__(self, *inputs: Tensor, threads: int | None = None) -> Tensor:
        """Compute one batch; see ``Backend``."""
        import torch

        with (
            torch_threads(threads),
            memory_errors(len(inputs[0]), self.device),
            torch.inference_mode(),
            self.casting(),
        ):
            result: Tensor = self.compute(*map(self.moved, inputs))
            return result.float().cpu()

    @contextmanager
    def casting(self) -> Iterator[None]:
        """Multiply in the workload's precision."""
        import torch

        workload, kind = self.workload, self.device.type
        with (
            torch.autocast(kind, workload.precision, enabled=workload.autocast),
            float32_products(exact=workload.dtype != TF32)
            if kind == "cuda"
            else nullcontext(),
        ):
            yield

    def compute(self, *inputs: Tensor) -> Tensor:
        """Compute on inputs that lie where and as they have to."""
        result: Tensor = self._fastest(inputs)(*inputs)
        return result

    def _fastest(self, inputs: Sequence[Tensor]) -> nn.Module:
        """The module, or what computes the same to float32 rounding."""
        import torch

        if not (
            self.folds
            # On other devices float32 is often rounded otherwise.
            and self.device.type == "cpu"
            and self.dtype == torch.float32
            and not self.workload.autocast
            and all(each.dtype == torch.float32 for each in inputs)
        ):
            return self.module
        with self._lock:
            if self._folding is None:
                # It imports torch.
                from plugin_spec.inference.folding import Folding  # noqa: PLC0415

                shapes = [(1, *each.shape[1:]) for each in inputs]
                self._folding = Folding.of(self.module, *shapes)
        return self._folding.view()

    def moved(self, tensor: Tensor) -> Tensor:
        """Move an input to the device, in the module's precision and order."""
        import torch

        if self.device.type == "cuda":
            # From pinned memory the copy runs while this thread goes on.
            tensor = tensor.pin_memory()
        return tensor.to(
            self.device,
            self.dtype if tensor.is_floating_point() else tensor.dtype,
            non_blocking=True,
            memory_format=self.memory_format
            if tensor.ndim == _IMAGES
            else torch.preserve_format,
        )

    def settings(self) -> Mapping[str, Sequence[object]]:
        """The orders that pixels can lie in; which is faster, the machine says.

        And, once a batch was computed, whether convolutions do what normalisations do.
        """
        found: dict[str, Sequence[object]] = {}
        if any(weight.ndim == _IMAGES for weight in self.module.parameters()):
            found["memory_format"] = ("channels_last", "contiguous")
        if self._folding is not None and self._folding.pairs:
            found["batch_norm"] = ("folded", "kept")
        return found

    def configure(self, **settings: Any) -> None:  # noqa: ANN401
        """Lay weights, and images from now on, out in ``memory_format``.

        ``batch_norm`` says whether it is folded into convolutions or kept.
        """
        import torch

        formats: dict[str, memory_format] = {
            "channels_last": torch.channels_last,
            "contiguous": torch.contiguous_format,
        }
        self.memory_format = formats[settings.get("memory_format", "channels_last")]
        self.folds = settings.get("batch_norm", "folded") == "folded"
        self._order()

    def _order(self) -> None:
        self.module.to(memory_format=self.memory_format)
