"""torch as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plugin_spec.inference.backend import Backend
from plugin_spec.inference.memory import memory_errors
from plugin_spec.inference.threads import torch_threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, memory_format

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
        self.dtype = torch.float32 if workload.autocast else workload.precision
        self.memory_format = torch.channels_last
        self.module = workload.module.to(self.device, self.dtype)
        self._order()

    def __call__(self, *inputs: Tensor, threads: int | None = None) -> Tensor:
        """Compute one batch; see ``Backend``."""
        import torch

        with (
            torch_threads(threads),
            memory_errors(len(inputs[0]), self.device),
            torch.inference_mode(),
            torch.autocast(
                self.device.type,
                self.workload.precision,
                enabled=self.workload.autocast,
            ),
        ):
            result: Tensor = self.compute(*map(self.moved, inputs))
            return result.float().cpu()

    def compute(self, *inputs: Tensor) -> Tensor:
        """Compute on inputs that lie where and as they have to."""
        result: Tensor = self.module(*inputs)
        return result

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
        """The orders that pixels can lie in; which is faster, the machine says."""
        if any(weight.ndim == _IMAGES for weight in self.module.parameters()):
            return {"memory_format": ("channels_last", "contiguous")}
        return {}

    def configure(self, **settings: Any) -> None:  # noqa: ANN401
        """Lay weights, and images from now on, out in ``memory_format``."""
        import torch

        formats: dict[str, memory_format] = {
            "channels_last": torch.channels_last,
            "contiguous": torch.contiguous_format,
        }
        self.memory_format = formats[settings.get("memory_format", "channels_last")]
        self._order()

    def _order(self) -> None:
        self.module.to(memory_format=self.memory_format)
