"""Open a backend by its name, and check it before anybody relies on it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from plugin_spec.inference.agreement import compare
from plugin_spec.inference.compiled import Compiled
from plugin_spec.inference.eager import Eager
from plugin_spec.inference.errors import BackendDiffers, BackendUnavailable
from plugin_spec.inference.onnx_runtime import OnnxRuntime
from plugin_spec.inference.open_vino import OpenVino
from plugin_spec.inference.replicas import Replicas
from plugin_spec.inference.workload import TF32, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

    from plugin_spec.inference.agreement import Agreement
    from plugin_spec.inference.backend import Backend

BACKENDS: Final[Mapping[str, type[Backend]]] = {
    kind.name: kind for kind in (Eager, Compiled, OnnxRuntime, OpenVino)
}
BOUNDS: Final = {"float32": 0.99999, "tf32": 0.99, "bfloat16": 0.99, "float16": 0.99}
"""The least cosine to eager float32 that a backend may have, by its precision."""


def open_backend(  # noqa: PLR0913  (each is a choice that a user may make)
    name: str,
    module: nn.Module,
    samples: Callable[[], Sequence[tuple[Tensor, ...]]],
    *,
    device: str = "cpu",
    dtype: str = "float32",
    autocast: bool = False,
    dynamic: Sequence[Mapping[int, str]] | None = None,
    longest: Mapping[str, int] | None = None,
) -> Backend:
    """Open a backend for a module from tensors to one tensor.

    :param name: one of ``BACKENDS``.
    :param module: in evaluation mode, float32; it is the backend's from now on.
    :param samples: gives inputs of several batch sizes, one of them 1, as varied as
        real ones. Every backend but eager float32, which asks for none, has to agree
        with that on all of them.
    :param dtype: ``float32``, which a GPU does not round either; ``tf32``, with which
        it does; ``bfloat16`` or ``float16``.
    :param device: torch's name, or several with commas: each batch is split over them.
    :param dynamic: for each input, the dimensions whose length varies by name; by
        default the first, which is the batch's.
    :param longest: the greatest length of a named dimension, where there is a limit.
    :raises BackendUnavailable: if it is not installed, or does not compute so.
    :raises BackendFailed: if it cannot take the module over.
    :raises BackendDiffers: if a cosine is below ``BOUNDS``.
    """
    exact = name == Eager.name and dtype == "float32"
    inputs = () if exact else samples()
    devices = [each.strip() for each in device.split(",")]
    others = [each for each in devices if not each.startswith("cuda")]
    if dtype == TF32 and others:
        raise BackendUnavailable(
            f"`tf32` is a way of NVIDIA's GPUs to multiply, and `{others[0]}` is none",
            hint="Leave out `dtype`, or take `bfloat16`",
        )
    workload = Workload(
        module=module,
        samples=inputs,
        device=devices[0],
        dtype=dtype,
        autocast=autocast,
        dynamic=dynamic or [{0: "batch"} for sample in inputs[:1] for _ in sample],
        longest=longest or {},
    )
    references = None if exact else _references(workload)
    # Each opening may change the weights of its module.
    workloads = [
        replace(workload, device=each, module=deepcopy(module)) for each in devices[1:]
    ]
    backends = [BACKENDS[name](each) for each in (workload, *workloads)]
    backend = backends[0] if len(backends) == 1 else Replicas(backends)
    if references is not None:
        for each in backends:
            each.agreement = _checked(each, references)
        backend.agreement = min(
            (each.agreement for each in backends if each.agreement is not None),
            key=lambda agreement: agreement.cosine,
        )
    return backend


def _references(workload: Workload) -> Tensor:
    eager = Eager(replace(workload, dtype="float32", autocast=False))
    eager.configure(batch_norm="kept")
    return _results(eager)


def _checked(backend: Backend, references: Tensor) -> Agreement:
    """How close a backend comes; one that does not come close is closed."""
    try:
        found = compare(_results(backend), references)
    except BaseException:
        backend.close()
        raise
    dtype = backend.workload.dtype
    if found.cosine < BOUNDS[dtype]:
        backend.close()
        raise BackendDiffers(backend.name, dtype, found, BOUNDS[dtype])
    return found


def _results(backend: Backend) -> Tensor:
    import torch

    return torch.cat([backend(*each).flatten(1) for each in backend.workload.samples])
