"""torch's compiler, ahead of time."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugin_spec.inference.eager import Eager
from plugin_spec.inference.export import export_program, exporting

if TYPE_CHECKING:
    from torch import Tensor

    from plugin_spec.inference.workload import Workload


class Compiled(Eager):
    """Compile the module once, for every batch size and every count of threads.

    ``torch.compile`` called as usual compiles again, for half a minute, at a batch of
    one, at another layout and at another count of threads. AOTInductor is the same
    compiler, and its result depends on none of them.
    """

    name = "compiled"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        folder = Path(tempfile.mkdtemp(prefix="compiled-"))
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        with exporting(self.name):
            self._program = self._compiled(folder / "model.pt2")

    def _compiled(self, path: Path) -> Any:  # noqa: ANN401  (torch's own)
        import torch
        from torch import _inductor as inductor

        sample = tuple(map(self.moved, self.workload.largest))
        with torch.no_grad(), self.casting():
            inductor.aoti_compile_and_package(
                export_program(self.workload, sample),
                package_path=str(path),
                inductor_configs={"cpp.dynamic_threads": True, "freezing": True},
            )
        return inductor.aoti_load_package(str(path))

    def compute(self, *inputs: Tensor) -> Tensor:
        """Compute on inputs that lie as the sample did when it was compiled."""
        result: Tensor = self._program(*inputs)
        return result

    def settings(self) -> dict[str, tuple[object, ...]]:
        """None: what is compiled has one layout."""
        return {}

    def configure(self, **settings: Any) -> None:  # noqa: ANN401
        """Change nothing."""

    def close(self) -> None:
        """Remove the file."""
        self._remove()
