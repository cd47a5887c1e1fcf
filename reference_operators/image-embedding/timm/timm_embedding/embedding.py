"""The operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import timm
import torch
from torch.nn.functional import normalize as scale_to_one

from plugin_spec import HubError, ModelOperator
from plugin_spec.inference.memory import memory_errors
from plugin_spec.inference.opening import open_backend
from plugin_spec.inference.threads import ThreadShare

from .conditions import resolve_conditions
from .errors import CannotRun
from .layers import Network, check_pooling, find_stage
from .preparing import Exact, Fast, measure_fast, sample_batches
from .weights import load_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


class TimmEmbedding(ModelOperator):
    """Embed images; every option has a page in ``operator.yaml``.

    Preprocessing is what timm resolves for the model: the conditions of its training.
    """

    concurrent_predict = True  # torch releases the interpreter's lock

    def __init__(  # noqa: PLR0913  (each is a choice that decides the vector)
        self,
        *,
        model_name: str | None = None,
        pretrained: bool = True,
        checkpoint_path: str | None = None,
        num_classes: int | None = None,
        layer: str | int = "penultimate",
        pooling: str | None = None,
        normalize: bool = True,
        input_size: int | None = None,
        interpolation: str | None = None,
        crop_pct: float | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        device: str | Sequence[str] | None = None,
        dtype: str = "float32",
        autocast: bool = False,
        backend: str = "eager",
        transform: str = "exact",
        batch_size: int | None = None,
    ) -> None:
        loaded = load_model(
            model_name,
            pretrained=pretrained,
            checkpoint_path=checkpoint_path,
            num_classes=num_classes,
        )
        wanted = {
            "input_size": None if input_size is None else (3, input_size, input_size),
            "interpolation": interpolation,
            "crop_pct": crop_pct,
            "mean": mean,
            "std": std,
        }
        if autocast and dtype == "float32":
            raise CannotRun(
                "There is nothing to cast to: `dtype` is float32",
                hint="Give `dtype='bfloat16'` beside `autocast`",
            )
        self.batch_size = batch_size or type(self).batch_size
        self._threads = ThreadShare()
        self._tag, self._origin = loaded.tag, loaded.origin
        self._conditions = resolve_conditions(loaded.model, loaded.tag, wanted)
        self._transform = (Fast if transform == "fast" else Exact)(self._conditions)
        self._layer, self._normalize = layer, normalize
        stage = find_stage(loaded.model, loaded.tag, layer)
        # A stage has no pooling of its own.
        self._pooling = pooling or (None if stage is None else "avg")
        check_pooling(loaded.model, loaded.tag, stage, self._pooling)
        loaded.model.reset_classifier(0)
        network = Network(loaded.model, stage, self._pooling).eval()
        self._running = {
            "dtype": dtype,
            "autocast": autocast,
            "backend": backend,
            "transform": transform,
        }
        self._differences: dict[str, Mapping[str, float]] = {}
        self._start(
            network,
            backend=backend,
            device=_one_name(device),
            dtype=dtype,
            autocast=autocast,
        )

    def _start(self, network: Network, **running: Any) -> None:  # noqa: ANN401
        """Open the backend, and embed one black image: what cannot work fails here.

        :raises CannotRun: with torch's or timm's own reason.
        """
        size = self._conditions["input_size"]
        try:
            if isinstance(self._transform, Fast):
                found = measure_fast(self._transform, self._conditions, network)
                self._differences["transform"] = found.to_dict()
            self._backend = open_backend(
                running.pop("backend"),
                network,
                lambda: sample_batches(Exact(self._conditions)),
                **running,
            )
            self.predict([torch.zeros(size)])
        except HubError:
            raise
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            raise CannotRun(
                f"`{self._tag}` cannot run on `{running['device']}` with "
                f"{size[1]} x {size[2]} pixels in torch.{running['dtype']}: "
                f"{str(error).splitlines()[0]}",
                hint="Leave out `device`, `input_size`, `dtype` or `pooling`",
            ) from error
        if self._backend.agreement is not None:
            self._differences["backend"] = self._backend.agreement.to_dict()

    def prepare(self, image: NDArray[np.uint8] | Image.Image) -> torch.Tensor:
        """Transform one image as the model's evaluation did.

        :param image: RGB, uint8, (H, W, 3); or a Pillow image.
        :returns: (3, H, W), normalised, float32.
        """
        return self._transform(image)

    def predict(self, batch: Sequence[torch.Tensor]) -> list[NDArray[np.float32]]:
        """Embed a batch.

        :returns: one (D,) an image, float32, of length 1 if ``normalize``.
        :raises OutOfMemory: if the device has no room for so many.
        """
        device = self._backend.workload.device
        with torch.inference_mode(), memory_errors(len(batch), device):
            images = torch.stack(tuple(batch))
            vectors = self._backend(images, threads=self._threads.count)
            if self._normalize:
                vectors = scale_to_one(vectors)
        return list(vectors.numpy())

    def set_threads(self, count: int) -> None:
        """Compute with so many threads when this thread calls ``predict``."""
        self._threads.count = count

    def settings(self) -> Mapping[str, Sequence[object]]:
        """Name what the backend may be set to: eager, the order that pixels lie in."""
        return self._backend.settings()

    def configure(self, **settings: Any) -> None:  # noqa: ANN401
        """Set the backend so."""
        self._backend.configure(**settings)

    def describe(self) -> dict[str, Any]:
        """What decides the vectors, as JSON values.

        ``differences`` holds the least cosine to exact preprocessing and to eager
        float32, measured on synthetic images as the operator was made.
        """
        return {
            "model": self._tag,
            "weights": self._origin,
            "layer": self._layer,
            "pooling": self._pooling or "the model's own",
            "normalize": self._normalize,
            "preprocessing": {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in self._conditions.items()
            },
            **self._running,
            "differences": self._differences,
            "timm": timm.__version__,
            "torch": torch.__version__,
        }

    def close(self) -> None:
        """Release the backend's files and threads."""
        self._backend.close()


def _one_name(device: str | Sequence[str] | None) -> str:
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device if isinstance(device, str) else ",".join(device)
