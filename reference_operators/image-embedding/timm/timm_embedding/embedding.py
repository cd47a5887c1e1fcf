"""The operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import timm
import torch
from PIL import Image
from torch.nn.functional import normalize as scale_to_one

from plugin_spec import HubError, ModelOperator
from plugin_spec.inference.memory import memory_errors
from plugin_spec.inference.threads import ThreadShare, torch_threads

from .conditions import make_transform, resolve_conditions
from .errors import CannotRun
from .layers import check_pooling, find_stage, last_features, stage_features
from .weights import load_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


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
        device: str | None = None,
        dtype: str = "float32",
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
        self.batch_size = batch_size or type(self).batch_size
        self._threads = ThreadShare()
        self._memory_format = torch.channels_last
        self._tag, self._origin = loaded.tag, loaded.origin
        self._conditions = resolve_conditions(loaded.model, loaded.tag, wanted)
        self._transform = make_transform(self._conditions)
        self._layer, self._normalize = layer, normalize
        self._stage = find_stage(loaded.model, loaded.tag, layer)
        # A stage has no pooling of its own.
        self._pooling = pooling or (None if self._stage is None else "avg")
        check_pooling(loaded.model, loaded.tag, self._stage, self._pooling)
        self._dtype = getattr(torch, dtype)
        loaded.model.reset_classifier(0)
        self._model = loaded.model.eval()
        self._start(device or _best_device())

    def _start(self, device: str) -> None:
        """Move the model, and embed one black image: what cannot work fails here.

        :raises CannotRun: with torch's or timm's own reason.
        """
        try:
            self._device = torch.device(device)
            self._model = self._model.to(
                self._device, self._dtype, memory_format=self._memory_format
            )
            self.predict([torch.zeros(self._conditions["input_size"])])
        except HubError:
            raise
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            size = " x ".join(map(str, self._conditions["input_size"][1:]))
            raise CannotRun(
                f"`{self._tag}` cannot run on `{device}` with {size} pixels "
                f"in {self._dtype}: {str(error).splitlines()[0]}",
                hint="Leave out `device`, `input_size`, `dtype` or `pooling`",
            ) from error

    def prepare(self, image: NDArray[np.uint8] | Image.Image) -> torch.Tensor:
        """Transform one image as the model's evaluation did.

        :param image: RGB, uint8, (H, W, 3); or a Pillow image.
        :returns: (3, H, W), normalised, float32.
        """
        if isinstance(image, Image.Image):
            return self._transform(image.convert("RGB"))
        return self._transform(Image.fromarray(image))

    @torch.inference_mode()
    def predict(self, batch: Sequence[torch.Tensor]) -> list[NDArray[np.float32]]:
        """Embed a batch.

        :returns: one (D,) an image, float32, of length 1 if ``normalize``.
        :raises OutOfMemory: if the device has no room for so many.
        """
        with (
            torch_threads(self._threads.count),
            memory_errors(len(batch), self._device),
        ):
            images = torch.stack(tuple(batch)).to(
                self._device, self._dtype, memory_format=self._memory_format
            )
            vectors = self._features(images).float()
            if self._normalize:
                vectors = scale_to_one(vectors)
            return list(vectors.cpu().numpy())

    def set_threads(self, count: int) -> None:
        """Compute with so many threads when this thread calls ``predict``."""
        self._threads.count = count

    def settings(self) -> Mapping[str, Sequence[object]]:
        """Name the orders that pixels can lie in; which is faster, the machine says."""
        return {"memory_format": ("channels_last", "contiguous")}

    def configure(self, *, memory_format: str = "channels_last") -> None:
        """Lay the model's weights, and the images from now on, out in this order."""
        formats = {
            "channels_last": torch.channels_last,
            "contiguous": torch.contiguous_format,
        }
        self._memory_format = formats[memory_format]
        self._model = self._model.to(memory_format=self._memory_format)

    def describe(self) -> dict[str, Any]:
        """What decides the vectors, as JSON values."""
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
            "dtype": str(self._dtype).removeprefix("torch."),
            "timm": timm.__version__,
            "torch": torch.__version__,
        }

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        if self._stage is not None:
            features = stage_features(self._model, images, self._stage)
            return features.pooled(str(self._pooling))
        if self._pooling is not None:
            return last_features(self._model, images).pooled(self._pooling)
        vectors: torch.Tensor = self._model(images)
        return vectors


def _best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
