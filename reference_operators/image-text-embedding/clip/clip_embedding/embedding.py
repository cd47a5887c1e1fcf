"""The operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import nn
from torch.nn.functional import normalize as scale_to_one

from plugin_spec import EmbeddingSpace, HubError, ModelOperator
from plugin_spec.file_state import file_state
from plugin_spec.inference.memory import memory_errors
from plugin_spec.inference.opening import open_backend
from plugin_spec.inference.threads import ThreadShare
from plugin_spec.weights_digest import module_digest

from .errors import CannotRun
from .towers import ImageNetwork, Images, TextNetwork, Texts
from .weights import load_model

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


class ClipEmbedding(ModelOperator):
    """Embed images, or texts; every option has a page in ``operator.yaml``."""

    concurrent_predict = True  # torch releases the interpreter's lock

    def __init__(  # noqa: PLR0913  (each is a choice that a user makes)
        self,
        *,
        modality: str = "image",
        model_name: str = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        revision: str | None = None,
        normalize: bool = True,
        device: str | Sequence[str] | None = None,
        dtype: str = "float32",
        batch_size: int | None = None,
    ) -> None:
        self._read = file_state(model_name)  # of a folder; a repository is none
        loaded = load_model(model_name, revision, modality)
        self.batch_size = batch_size or type(self).batch_size
        self._threads = ThreadShare()
        self._name, self._origin = model_name, loaded.origin
        self._modality, self._normalize = modality, normalize
        self._inputs: Images | Texts
        if modality == "image":
            self._inputs = Images(loaded.processor)
        else:
            longest = loaded.model.config.text_config.max_position_embeddings
            self._inputs = Texts(model_name, loaded.processor, longest)
        towers = {
            "image": ImageNetwork(loaded.model),
            "text": TextNetwork(loaded.model),
        }
        # Before the other tower is dropped, and a lower precision changes this one.
        self._joint = module_digest(nn.ModuleDict(towers))
        self._weights = module_digest(towers[modality])
        self._start(towers[modality].eval(), _one_name(device), dtype)

    @property
    def is_current(self) -> bool:
        """Whether a folder's files are those that were loaded."""
        return file_state(self._name) == self._read

    def _start(self, network: nn.Module, device: str, dtype: str) -> None:
        """Compute a sample: what cannot work fails here.

        :raises CannotRun: with torch's or transformers' own reason.
        """
        try:
            self._backend = open_backend(
                "eager", network, self._inputs.samples, device=device, dtype=dtype
            )
            self._backend(*self._inputs.samples()[-1])
        except HubError:
            raise
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            raise CannotRun(
                f"`{self._name}` cannot run on `{device}` in {dtype}: "
                f"{str(error).splitlines()[0]}",
                hint="Leave out `device` or `dtype`",
            ) from error

    @property
    def space(self) -> EmbeddingSpace:
        """The space of the vectors; that of the other tower compares with it."""
        return EmbeddingSpace(
            operator="image-text-embedding/clip",
            model="CLIPModel",
            weights=self._weights,
            layer="projection",
            pooling=self._inputs.pooling,
            preprocessing=self._inputs.conditions,
            normalisation="L2" if self._normalize else "none",
            precision=self._backend.workload.dtype,
            joint=self._joint,
            tower=self._modality,
            origin=self._origin,
        )

    def prepare(self, content: NDArray[np.uint8] | Image.Image | str) -> Any:  # noqa: ANN401
        """Prepare an image, RGB, uint8, (H, W, 3), or a text, as the model was trained.

        :raises OtherModality: for what the other tower takes.
        """
        return self._inputs.prepare(content)  # type: ignore[arg-type]  # it looks

    def batch_key(self, prepared: Any) -> Hashable:  # noqa: ANN401
        """Images of one size share a batch, and texts of about one length."""
        return self._inputs.key(prepared)

    def predict(self, batch: Sequence[Any]) -> list[NDArray[np.float32]]:
        """Embed a batch.

        :returns: one (D,) an image or a text, float32, of length 1 if ``normalize``.
        :raises OutOfMemory: if the device has no room for so many.
        """
        device = self._backend.workload.device
        with torch.inference_mode(), memory_errors(len(batch), device):
            inputs = self._inputs.side_by_side(batch)
            vectors = self._backend(*inputs, threads=self._threads.count)
            if self._normalize:
                vectors = scale_to_one(vectors)
        return list(vectors.numpy())

    def set_threads(self, count: int) -> None:
        """Compute with so many threads when this thread calls ``predict``."""
        self._threads.count = count

    def settings(self) -> Mapping[str, Sequence[object]]:
        """Name what the backend may be set to: of images, the order pixels lie in."""
        return self._backend.settings()

    def configure(self, **settings: Any) -> None:  # noqa: ANN401
        """Set the backend so."""
        self._backend.configure(**settings)

    def describe(self) -> dict[str, Any]:
        """What decides the vectors, as JSON values.

        ``differences`` holds the least cosine to float32, measured on samples as the
        operator was made.
        """
        agreement = self._backend.agreement
        return {
            "model": self._name,
            "weights": self._origin,
            "modality": self._modality,
            "normalize": self._normalize,
            "preprocessing": dict(self.space.preprocessing),
            "dtype": self._backend.workload.dtype,
            "differences": {"backend": agreement.to_dict()} if agreement else {},
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        }

    def close(self) -> None:
        """Release the backend's files and threads."""
        self._backend.close()


def _one_name(device: str | Sequence[str] | None) -> str:
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device if isinstance(device, str) else ",".join(device)
