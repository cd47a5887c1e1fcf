"""onnxruntime, by way of an ONNX file."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugin_spec.inference.backend import Backend
from plugin_spec.inference.errors import BackendUnavailable
from plugin_spec.inference.export import check_packages, exporting, write_onnx
from plugin_spec.inference.memory import memory_errors
from plugin_spec.inference.sessions import Sessions

if TYPE_CHECKING:
    from torch import Tensor

    from plugin_spec.inference.workload import Workload


class OnnxRuntime(Backend):
    """Compute in float32 with onnxruntime, on the CPU or on its CUDA provider."""

    name = "onnxruntime"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        check_packages(self.name, "onnxruntime", "onnx", "onnxscript")
        if workload.dtype != "float32":
            raise BackendUnavailable(
                f"The backend `onnxruntime` computes in float32, not {workload.dtype}",
                hint="Leave out `dtype`, or take `openvino` or `compiled`",
            )
        self._provider = _provider(workload.device)
        folder = Path(tempfile.mkdtemp(prefix="onnxruntime-"))
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = folder / "model.onnx"
        with exporting(self.name):
            workload.module.to("cpu")
            write_onnx(workload, path)
        provider = self._provider
        self._sessions = Sessions(lambda threads: _open(path, threads, provider))

    def __call__(self, *inputs: Tensor, threads: int | None = None) -> Tensor:
        """Compute one batch; see ``Backend``."""
        import torch

        session = self._sessions[threads]
        names = (each.name for each in session.get_inputs())
        arrays = (tensor.numpy() for tensor in inputs)
        with memory_errors(len(inputs[0]), self.workload.device):
            (result,) = session.run(None, dict(zip(names, arrays, strict=True)))
        return torch.from_numpy(result)

    def close(self) -> None:
        """Remove the file."""
        self._remove()


def _provider(device: str) -> Any:  # noqa: ANN401  (a name, or with its options)
    """The name that onnxruntime gives a device.

    :raises BackendUnavailable: if what is installed does not compute there.
    """
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415

    kind, _, number = device.partition(":")
    names = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    if names.get(kind) not in onnxruntime.get_available_providers():
        raise BackendUnavailable(
            f"The backend `onnxruntime` does not compute on `{device}` here",
            hint="Install `onnxruntime-gpu` in the place of `onnxruntime`"
            if kind == "cuda"
            else "Leave out `device`",
        )
    # By itself it rounds there.
    on_a_gpu = {"device_id": number or "0", "use_tf32": "0"}
    return (names[kind], on_a_gpu if kind == "cuda" else {})


def _open(path: Path, threads: int, provider: Any) -> Any:  # noqa: ANN401
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait by spinning would take the cores from those that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=[provider])
