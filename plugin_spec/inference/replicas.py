"""One model on several devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugin_spec.inference.backend import Backend
from plugin_spec.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor


class Replicas(Backend):
    """Split a batch over backends that hold one model each, a thread for each."""

    name = "replicas"

    def __init__(self, backends: Sequence[Backend]) -> None:
        super().__init__(backends[0].workload)
        self.backends = backends
        self._pool = Pool(len(backends))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.backends,), {"agreement": self.agreement}

    def __call__(self, *inputs: Tensor, threads: int | None = None) -> Tensor:
        """Compute one batch, in input order; see ``Backend``.

        :param threads: for each device, not for all together.
        """
        import torch

        def compute(share: tuple[Backend, tuple[Tensor, ...]]) -> Tensor:
            backend, part = share
            return backend(*part, threads=threads)

        parts = zip(
            *(tensor.tensor_split(len(self.backends)) for tensor in inputs), strict=True
        )
        answers = [
            self._pool.submit(compute, (backend, part))
            for backend, part in zip(self.backends, parts, strict=True)
            if len(part[0])
        ]
        return torch.cat([answer.result() for answer in answers])

    def settings(self) -> Mapping[str, Sequence[object]]:
        """What each of them may be set to."""
        return self.backends[0].settings()

    def configure(self, **settings: Any) -> None:  # noqa: ANN401
        """Set all of them alike."""
        for backend in self.backends:
            backend.configure(**settings)

    def close(self) -> None:
        """End the threads, and close the backends."""
        self._pool.close()
        for backend in self.backends:
            backend.close()
