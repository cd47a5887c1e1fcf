"""Backends compute what eager torch computes, or are refused when they are made."""

from __future__ import annotations

import pickle
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from plugin_spec.inference.eager import Eager
from plugin_spec.inference.errors import (
    BackendDiffers,
    BackendFailed,
    BackendUnavailable,
    DegenerateSamples,
    PackagesMissing,
)
from plugin_spec.inference.opening import BACKENDS, open_backend
from plugin_spec.inference.signal_stack import SignalStack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from plugin_spec.inference.backend import Backend

FAST = ["eager", "onnxruntime", pytest.param("openvino", marks=pytest.mark.slow)]
EVERY = [*FAST, pytest.param("compiled", marks=pytest.mark.slow)]


class Images(nn.Module):
    """A convolution, a normalisation and a head: what image models are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        features = torch.relu(self.norm(self.convolution(images)))
        return self.head(features.mean((2, 3)))


class Texts(nn.Module):
    """Two inputs with two free lengths: what text models are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 6)
        self.head = nn.Linear(6, 5)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        weights = mask.unsqueeze(-1).float()
        words = torch.tanh(self.head(self.words(ids))) * weights
        return words.sum(1) / weights.sum(1).clamp_min(1)


class Learnt(nn.Module):
    """Of a kind that computes otherwise where no gradients are kept."""

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        return flat if torch.compiler.is_exporting() else flat * flat


class Shapeless(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) * float(images.mean().item() > 0)


def drawn(make: type[nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval()


def images(*counts: int) -> Sequence[tuple[Tensor, ...]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.rand(n, 3, 12, 12, generator=generator),) for n in counts]


def texts(*shapes: tuple[int, int]) -> Sequence[tuple[Tensor, ...]]:
    generator = torch.Generator().manual_seed(1)
    found = []
    for shape in shapes:
        ids = torch.randint(1, 50, shape, generator=generator)
        mask = torch.ones(shape, dtype=torch.int64)
        mask[0, shape[1] // 2 :] = 0
        found.append((ids, mask))
    return found


def open_images(name: str, **options: object) -> Backend:
    return open_backend(name, drawn(Images), lambda: images(4, 1), **options)


@pytest.fixture(scope="module", params=EVERY)
def opened(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """One of each name, for the tests that leave it as it is."""
    backend = open_images(request.param)
    yield backend
    backend.close()


@pytest.mark.parametrize("name", FAST)
def test_signal_handlers_have_the_stack_that_they_had(name: str) -> None:
    # One that is freed with the model ends the process at its next signal.
    before = SignalStack.now()
    backend = open_images(name)
    backend(*images(1)[0], threads=1)
    assert SignalStack.now() == before


def test_every_batch_size_gives_what_eager_gives(opened: Backend) -> None:
    module = drawn(Images)
    for (batch,) in images(1, 2, 3, 9):
        with torch.inference_mode():
            expected = module(batch)
        torch.testing.assert_close(opened(batch), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_batch_and_length_may_both_vary(name: str) -> None:
    lengths = {0: "batch", 1: "length"}
    backend = open_backend(
        name, drawn(Texts), lambda: texts((3, 7), (1, 4)), dynamic=[lengths, lengths]
    )
    for ids, mask in texts((1, 1), (2, 30), (5, 3)):
        with torch.inference_mode():
            expected = drawn(Texts)(ids, mask)
        torch.testing.assert_close(backend(ids, mask), expected, rtol=0, atol=1e-5)
    backend.close()


def test_threads_may_call_at_once_each_with_its_own_count(opened: Backend) -> None:
    batches = [batch for (batch,) in images(1, 2, 3, 4) * 4]
    expected = [opened(batch) for batch in batches]
    before = torch.get_num_threads()
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda n: opened(batches[n], threads=1 + n % 2), range(16))
        )
    assert torch.get_num_threads() == before
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_a_backend_can_be_sent_to_another_process(opened: Backend) -> None:
    copy = pickle.loads(pickle.dumps(opened))  # noqa: S301  (our own)
    ((batch,),) = images(3)
    assert copy.agreement == opened.agreement
    torch.testing.assert_close(copy(batch), opened(batch), rtol=0, atol=1e-6)
    copy.close()


@pytest.mark.parametrize("name", EVERY)
def test_a_closed_backend_leaves_no_file_behind(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    open_images(name).close()
    assert list(tmp_path.glob(f"{name}-*")) == []


def test_a_backend_that_nobody_holds_leaves_no_file_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    open_images("onnxruntime")
    assert list(tmp_path.glob("onnxruntime-*")) == []


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_backend_that_differs_is_refused_with_the_figures(name: str) -> None:
    with pytest.raises(BackendDiffers) as caught:
        open_backend(name, Learnt().eval(), lambda: images(4, 1))
    found = caught.value.agreement
    assert found.cosine < 0.99999
    assert str(caught.value) == (
        f"The backend `{name}` in float32 differs from eager float32: "
        f"cosine {found.cosine:.6f} on sample inputs, and 0.99999 is the least"
    )
    assert caught.value.hint == "Leave out `backend`, or take another"


def test_samples_that_would_show_nothing_are_refused() -> None:
    alike = [(torch.zeros(4, 3, 12, 12),), (torch.zeros(1, 3, 12, 12),)]
    with pytest.raises(DegenerateSamples, match="All sample inputs give one vector"):
        open_backend("onnxruntime", drawn(Images), lambda: alike)


def test_a_module_that_cannot_be_exported_is_refused_with_the_reason() -> None:
    with pytest.raises(BackendFailed) as caught:
        open_backend("onnxruntime", Shapeless().eval(), lambda: images(4, 1))
    assert str(caught.value).startswith(
        "The backend `onnxruntime` cannot take this model over: "
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "onnxruntime",
            {"dtype": "bfloat16"},
            "The backend `onnxruntime` computes in float32, not bfloat16",
        ),
        (
            "onnxruntime",
            {"device": "mps"},
            "The backend `onnxruntime` does not compute on `mps` here",
        ),
        (
            "openvino",
            {"device": "mps"},
            "The backend `openvino` computes on `cpu`, not on `mps`",
        ),
    ],
)
def test_what_a_backend_does_not_compute_is_refused(
    name: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(BackendUnavailable) as caught:
        BACKENDS[name](workload(**options))
    assert str(caught.value) == message


@pytest.mark.parametrize("name", BACKENDS)
def test_a_processor_does_not_round_as_gpus_do(name: str) -> None:
    with pytest.raises(BackendUnavailable) as caught:
        open_images(name, dtype="tf32")
    assert str(caught.value) == (
        "`tf32` is a way of NVIDIA's GPUs to multiply, and `cpu` is none"
    )


def test_onnxruntime_does_not_round_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415  (seconds)

    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"]
    )
    opened: list[object] = []
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda *_, providers: opened.extend(providers) or 1 / 0,
    )
    backend = BACKENDS["onnxruntime"](workload(device="cuda:1"))
    with pytest.raises(ZeroDivisionError):
        backend(*images(1)[0])
    options = {"device_id": "1", "use_tf32": "0"}
    assert opened == [("CUDAExecutionProvider", options)]


def workload(*, device: str = "cpu", dtype: str = "float32") -> object:
    from plugin_spec.inference.workload import Workload  # noqa: PLC0415

    return Workload(
        module=drawn(Images),
        samples=images(4, 1),
        device=device,
        dtype=dtype,
        autocast=False,
        dynamic=[{0: "batch"}],
        longest={},
    )


def test_missing_packages_are_all_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PackagesMissing) as caught:
        open_images("openvino")
    assert str(caught.value) == (
        "The backend `openvino` needs `openvino`, `onnx`, `onnxscript`, "
        "which operators do not bring"
    )
    assert caught.value.hint == "Run `pip install openvino onnx onnxscript`"


@pytest.mark.parametrize(
    "options",
    [
        {"name": "eager", "dtype": "bfloat16"},
        {"name": "eager", "dtype": "bfloat16", "autocast": True},
        {"name": "openvino", "dtype": "bfloat16"},
    ],
)
def test_lower_precision_is_measured(options: dict[str, object]) -> None:
    backend = open_images(**options)
    assert backend.agreement is not None
    assert 0.99 < backend.agreement.cosine < 1
    assert backend(*images(2)[0]).dtype == torch.float32


def test_eager_float32_is_the_measure_itself() -> None:
    assert open_images("eager").agreement is None


def test_several_devices_share_a_batch_in_order() -> None:
    one, three = open_images("eager"), open_images("eager", device="cpu,cpu,cpu")
    for (batch,) in images(1, 2, 3, 8):
        torch.testing.assert_close(three(batch, threads=1), one(batch))
    assert three.settings() == one.settings()
    three.configure(memory_format="contiguous")
    ((batch,),) = images(5)
    torch.testing.assert_close(three(batch), one(batch), rtol=0, atol=1e-6)
    three.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("replica")]


def test_a_replica_that_fails_fails_the_batch() -> None:
    backend = open_images("eager", device="cpu,cpu")
    with pytest.raises(RuntimeError, match="expected input"):
        backend(torch.zeros(4, 7, 12, 12))
    backend.close()


def test_a_gpu_copies_from_pinned_memory_while_the_thread_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend = open_images("eager")
    assert isinstance(backend, Eager)
    seen: list[object] = []

    def pin_memory(tensor: Tensor) -> Tensor:
        seen.append("pinned")
        return tensor

    def to(tensor: Tensor, device: torch.device, *_: object, **how: object) -> Tensor:
        seen.append((device.type, how["non_blocking"]))
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin_memory)
    monkeypatch.setattr(torch.Tensor, "to", to)
    for kind in ("cpu", "cuda"):
        backend.device = torch.device(kind)
        backend.moved(torch.zeros(1, 3, 12, 12))
    assert seen == [("cpu", True), "pinned", ("cuda", True)]


def test_settings_are_offered_only_where_they_mean_something() -> None:
    lengths = {0: "batch", 1: "length"}
    backend = open_backend(
        "eager",
        drawn(Texts),
        lambda: texts((3, 7), (1, 4)),
        dynamic=[lengths, lengths],
    )
    assert backend.settings() == {}
    assert open_images("eager").settings() == {
        "memory_format": ("channels_last", "contiguous")
    }
