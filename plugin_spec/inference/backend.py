"""What all backends have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from plugin_spec.inference.agreement import Agreement
    from plugin_spec.inference.workload import Workload


class Backend(ABC):
    """A way to compute a module; threads may call one instance at once."""

    name: ClassVar[str]
    agreement: Agreement | None = None
    """How close it came to eager float32 on the samples; None if it is that itself."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload

    def __reduce__(self) -> tuple[Any, ...]:
        # What a backend has made is of this process; another makes it again.
        return type(self), (self.workload,), {"agreement": self.agreement}

    @abstractmethod
    def __call__(self, *inputs: Tensor, threads: int | None = None) -> Tensor:
        """Compute one batch.

        :param inputs: on the CPU, float32 where they are not integers.
        :param threads: how many threads to compute with; by default torch's own count.
        :returns: on the CPU, float32.
        :raises OutOfMemory: if the batch does not fit.
        """

    def settings(self) -> Mapping[str, Sequence[object]]:
        """Ways to run that change the speed alone; as an operator's ``settings``."""
        return {}

    def configure(self, **settings: Any) -> None:  # noqa: ANN401, B027
        """Run so from now on; as an operator's ``configure``."""

    def close(self) -> None:  # noqa: B027  (most hold nothing)
        """Release threads and files."""
