"""The operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch.nn.functional import normalize as scale_to_one

from plugin_spec import EmbeddingSpace, HubError, ModelOperator
from plugin_spec.file_state import file_state
from plugin_spec.inference.memory import memory_errors
from plugin_spec.inference.opening import open_backend
from plugin_spec.inference.threads import ThreadShare
from plugin_spec.inference.workload import FLOATS
from plugin_spec.weights_digest import WeightsDigest

from .configuration import own_max_length, own_pooling
from .encoder import Encoder, sample_words
from .errors import CannotRun
from .weights import Files, at_pinned_revision, load_model
from .words import Tokenizer, Words

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

_VARYING = {0: "batch", 1: "length"}


class TransformersEmbedding(ModelOperator):
    """Embed texts; every option has a page in ``operator.yaml``."""

    concurrent_predict = True  # torch releases the interpreter's lock

    def __init__(  # noqa: PLR0913  (each is a choice that decides the vector)
        self,
        *,
        model_name: str = "sentence-transformers/all-MiniLM-L6-v2",
        revision: str | None = None,
        pooling: str | None = None,
        normalize: bool = True,
        max_length: int | None = None,
        device: str | Sequence[str] | None = None,
        dtype: str = "float32",
        autocast: bool = False,
        backend: str = "eager",
        batch_size: int | None = None,
    ) -> None:
        if autocast and dtype in FLOATS:
            raise CannotRun(
                f"There is nothing to cast to: `dtype` is {dtype}",
                hint="Give `dtype='bfloat16'` beside `autocast`",
            )
        self._read = file_state(model_name)  # of a folder; a repository is none
        files = at_pinned_revision(Files(model_name, revision))
        loaded = load_model(files)
        self.batch_size = batch_size or type(self).batch_size
        self._threads = ThreadShare()
        self._name, self._origin = model_name, loaded.origin
        self._pooling = pooling or own_pooling(files)
        self._normalize = normalize
        longest = own_max_length(files, loaded.model, loaded.tokenizer)
        self._max_length = min(max_length or longest, longest)
        self._tokenizer = Tokenizer(model_name, loaded.tokenizer, self._max_length)
        self._architecture = type(loaded.model).__name__
        encoder = Encoder(loaded.model, self._pooling).eval()
        self._weights = WeightsDigest(encoder)
        if (backend, dtype) != ("eager", "float32"):
            # A backend may change the weights.
            self._weights()
        self._running = {"dtype": dtype, "autocast": autocast, "backend": backend}
        self._start(
            encoder,
            backend=backend,
            device=_one_name(device),
            dtype=dtype,
            autocast=autocast,
        )

    @property
    def is_current(self) -> bool:
        """Whether a folder's files are those that were loaded."""
        return file_state(self._name) == self._read

    def _start(self, encoder: Encoder, **running: Any) -> None:  # noqa: ANN401
        """Open the backend, and embed an empty text: what cannot work fails here.

        :raises CannotRun: with torch's or transformers' own reason.
        """
        kinds = self._tokenizer.kinds
        try:
            self._backend = open_backend(
                running.pop("backend"),
                encoder,
                lambda: sample_words(encoder.model.config.vocab_size, kinds),
                dynamic=[_VARYING] * kinds,
                longest={"length": self._max_length},
                **running,
            )
            self.predict([self.prepare("")])
        except HubError:
            raise
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            raise CannotRun(
                f"`{self._name}` cannot run on `{running['device']}` in "
                f"{running['dtype']}: {str(error).splitlines()[0]}",
                hint="Leave out `device` or `dtype`",
            ) from error

    @property
    def space(self) -> EmbeddingSpace:
        """The space of the vectors."""
        return EmbeddingSpace(
            operator="text-embedding/transformers",
            model=self._architecture,
            weights=self._weights(),
            layer="last",
            pooling=self._pooling,
            preprocessing={
                "tokenizer": self._tokenizer.digest,
                "max_length": self._max_length,
            },
            normalisation="L2" if self._normalize else "none",
            precision=str(self._running["dtype"]),
            origin=self._origin,
        )

    def prepare(self, text: str) -> Words:
        """Cut a text into tokens.

        :returns: at most ``max_length`` of them; ``TextTruncated`` warns of a cut.
        """
        return self._tokenizer(text)

    def batch_key(self, prepared: Words) -> Hashable:
        """Texts of about one length share a batch: padding costs as words do."""
        return prepared.bucket

    def predict(self, batch: Sequence[Words]) -> list[NDArray[np.float32]]:
        """Embed a batch.

        :returns: one (D,) a text, float32, of length 1 if ``normalize``.
        :raises OutOfMemory: if the device has no room for so many.
        """
        device = self._backend.workload.device
        with torch.inference_mode(), memory_errors(len(batch), device):
            inputs = self._tokenizer.side_by_side(batch)
            vectors = self._backend(*inputs, threads=self._threads.count)
            if self._normalize:
                vectors = scale_to_one(vectors)
        return list(vectors.numpy())

    def set_threads(self, count: int) -> None:
        """Compute with so many threads when this thread calls ``predict``."""
        self._threads.count = count

    def settings(self) -> Mapping[str, Sequence[object]]:
        """Name what the backend may be set to; of texts, nothing so far."""
        return self._backend.settings()

    def configure(self, **settings: Any) -> None:  # noqa: ANN401
        """Set the backend so."""
        self._backend.configure(**settings)

    def describe(self) -> dict[str, Any]:
        """What decides the vectors, as JSON values.

        ``differences`` holds the least cosine to eager float32, measured on words at
        random as the operator was made.
        """
        agreement = self._backend.agreement
        return {
            "model": self._name,
            "weights": self._origin,
            "pooling": self._pooling,
            "normalize": self._normalize,
            "max_length": self._max_length,
            **self._running,
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
