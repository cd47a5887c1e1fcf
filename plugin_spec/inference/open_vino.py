"""OpenVINO, by way of an ONNX file."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.inference.backend import Backend
from plugin_spec.inference.errors import BackendUnavailable
from plugin_spec.inference.export import check_packages, exporting, write_onnx
from plugin_spec.inference.memory import memory_errors
from plugin_spec.inference.sessions import Sessions
from plugin_spec.inference.signal_stack import kept_signal_stack

if TYPE_CHECKING:
    from torch import Tensor

    from plugin_spec.inference.workload import Workload

_PRECISIONS: Final = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


class OpenVino(Backend):
    """Compute on the CPU with OpenVINO, in float32 or with lower precision inside."""

    name = "openvino"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        check_packages(self.name, "openvino", "onnx", "onnxscript")
        if workload.device != "cpu":
            raise BackendUnavailable(
                f"The backend `openvino` computes on `cpu`, not on `{workload.device}`",
                hint="Leave out `device`, or take another backend",
            )
        with exporting(self.name):
            self._model = _read(workload)
        self._sessions = Sessions(self._open)

    def __call__(self, *inputs: Tensor, threads: int | None = None) -> Tensor:
        """Compute one batch; see ``Backend``."""
        import torch

        arrays = [tensor.contiguous().numpy() for tensor in inputs]
        with memory_errors(len(inputs[0]), "cpu"):
            result = self._sessions[threads].infer(arrays)
        return torch.from_numpy(result)

    def _open(self, threads: int) -> _Requests:
        import openvino  # type: ignore[import-untyped]  # noqa: PLC0415

        # A stream computes one batch at a time: there must be one for each thread that
        # may call with this count.
        streams = max(1, (os.cpu_count() or 1) // threads)
        config = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[self.workload.dtype],
            "INFERENCE_NUM_THREADS": threads * streams,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,
        }
        with kept_signal_stack():
            compiled = openvino.Core().compile_model(self._model, "CPU", config)
        return _Requests(compiled)


class _Requests:
    """Requests of a compiled model, each of which serves one thread at a time."""

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401  (openvino's own)
        self._compiled = compiled
        self._idle: list[Any] = []

    def infer(self, arrays: list[Any]) -> Any:  # noqa: ANN401  (an array)
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            request.infer(arrays, share_inputs=True)
            return request.get_output_tensor().data.copy()
        finally:
            self._idle.append(request)


def _read(workload: Workload) -> Any:  # noqa: ANN401  (openvino's own)
    import openvino  # noqa: PLC0415

    workload.module.to("cpu")
    with TemporaryDirectory(prefix="openvino-") as folder:
        path = Path(folder, "model.onnx")
        write_onnx(workload, path)
        return openvino.Core().read_model(path)
