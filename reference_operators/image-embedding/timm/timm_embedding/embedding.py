"""The operator."""

from __future__ import annotations

from copy import copy, deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import timm
import torch
from torch.nn.functional import normalize as scale_to_one

from plugin_spec import EmbeddingSpace, HubError, TrainableOperator, Trainee
from plugin_spec.domain import Domain, DomainWatch
from plugin_spec.file_state import file_state
from plugin_spec.inference.memory import memory_errors
from plugin_spec.inference.opening import open_backend
from plugin_spec.inference.threads import ThreadShare
from plugin_spec.inference.workload import FLOATS
from plugin_spec.weights_digest import WeightsDigest

from .conditions import resolve_conditions
from .errors import CannotRun, NoDomain
from .explaining import subject_of
from .layers import (
    PENULTIMATE,
    Network,
    check_pooling,
    find_stage,
    resolve_taking,
    stage_names,
)
from .preparing import EvaluationTransform, sample_batches
from .training import Classifier, augmented, copied, digest, weights_of, write_folder
from .weights import load_model

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from torch import nn

    from plugin_spec.attribution.heatmap import Heatmap

    from .weights import LoadedModel


class TimmEmbedding(TrainableOperator):
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
        layer: str | int | None = None,
        pooling: str | None = None,
        normalize: bool | None = None,
        input_size: int | None = None,
        interpolation: str | None = None,
        crop_pct: float | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        device: str | Sequence[str] | None = None,
        dtype: str = "float32",
        autocast: bool = False,
        backend: str = "eager",
        batch_size: int | None = None,
        check_domain: bool = False,
    ) -> None:
        self._source: dict[str, Any] = {
            "name": model_name,
            "pretrained": pretrained,
            "checkpoint_path": checkpoint_path,
            "num_classes": num_classes,
        }
        self._read = self._state_of_checkpoint()
        loaded = load_model(**self._source)
        wanted = {
            "input_size": None if input_size is None else (3, input_size, input_size),
            "interpolation": interpolation,
            "crop_pct": crop_pct,
            "mean": mean,
            "std": std,
        }
        if autocast and dtype in FLOATS:
            raise CannotRun(
                f"There is nothing to cast to: `dtype` is {dtype}",
                hint="Give `dtype='bfloat16'` beside `autocast`",
            )
        self.batch_size = batch_size or type(self).batch_size
        self._threads = ThreadShare()
        self._tag, self._origin = loaded.tag, loaded.origin
        arguments = loaded.config.get("model_args")
        self._arguments = {"model_args": arguments} if arguments else {}
        self._conditions = resolve_conditions(loaded.model, loaded.tag, wanted)
        self._transform = EvaluationTransform(self._conditions)
        self._asked = {"layer": layer, "pooling": pooling, "normalize": normalize}
        self._taken = resolve_taking(self._asked, loaded.config)
        network, self._classifier = self._cut(loaded)
        self._pooling = network.pooling
        self._running = {
            "dtype": dtype,
            "autocast": autocast,
            "backend": backend,
        }
        self._device = _one_name(device)
        self._differences: dict[str, Mapping[str, float]] = {}
        self.domain = _domain(loaded)
        self._start(network)
        if check_domain:
            self.watch = self._watching()

    def _watching(self) -> DomainWatch:
        if self.domain is None:
            raise NoDomain(
                f"Nothing says what images `{self._tag}` was trained on looked like",
                hint="Leave out `check_domain`, or give a `checkpoint_path` that holds "
                "what `measure_domain` found",
            )
        return DomainWatch(self.domain.within(self.space.fingerprint), self._tag)

    def _cut(self, loaded: LoadedModel) -> tuple[Network, Classifier]:
        """The model up to where vectors are taken, and what stood behind that."""
        network = self._network_of(loaded.model)
        classifier = Classifier.of(loaded)
        loaded.model.reset_classifier(0)
        return network.eval(), classifier

    def _network_of(self, model: nn.Module) -> Network:
        stage = find_stage(model, self._tag, self._taken["layer"])
        # A stage has no pooling of its own.
        pooling = self._taken["pooling"] or (None if stage is None else "avg")
        check_pooling(model, self._tag, stage, pooling)
        return Network(model, stage, pooling)

    def _start(self, network: Network) -> None:
        """Open the backend, and embed one black image: what cannot work fails here.

        :raises CannotRun: with torch's or timm's own reason.
        """
        size = self._conditions["input_size"]
        dtype, autocast = str(self._running["dtype"]), bool(self._running["autocast"])
        kept = not self._changes_weights
        self._layer = _layer(network)
        self._weights = WeightsDigest(network)
        if not kept:
            self._weights()
        try:
            self._backend = open_backend(
                str(self._running["backend"]),
                network,
                lambda: sample_batches(self._transform),
                device=self._device,
                dtype=dtype,
                autocast=autocast,
            )
            self.predict([torch.zeros(size)])
        except HubError:
            raise
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            raise CannotRun(
                f"`{self._tag}` cannot run on `{self._device}` with "
                f"{size[1]} x {size[2]} pixels in {dtype}: "
                f"{str(error).splitlines()[0]}",
                hint="Leave out `device`, `input_size`, `dtype` or `pooling`",
            ) from error
        if self._backend.agreement is not None:
            self._differences["backend"] = self._backend.agreement.to_dict()
        self._network = network if kept else None

    @property
    def is_current(self) -> bool:
        """Whether the checkpoint is the one that was loaded."""
        return self._state_of_checkpoint() == self._read

    def _state_of_checkpoint(self) -> Hashable:
        path = self._source["checkpoint_path"]
        return None if path is None else file_state(str(path))

    @property
    def _changes_weights(self) -> bool:
        """Whether the backend changes the weights that it is given, or keeps none."""
        kept = self._running["dtype"] in FLOATS or self._running["autocast"]
        return not (self._running["backend"] == "eager" and kept)

    @property
    def space(self) -> EmbeddingSpace:
        """The space of the vectors, as its weights are now."""
        return EmbeddingSpace(
            operator="image-embedding/timm",
            model=self._tag.partition(".")[0],
            weights=self._weights(),
            layer=self._layer,
            pooling=self._pooling or "the model's own",
            preprocessing={**self._conditions, "colour": "RGB"},
            normalisation="L2" if self._taken["normalize"] else "none",
            precision=str(self._running["dtype"]),
            origin=self._origin,
        )

    def weights_changed(self) -> None:
        """Say that those of ``network`` were changed; ``adopt`` does so itself."""
        self._weights.changed()

    @property
    def network(self) -> Network:
        """The model up to where vectors are taken; loaded anew for another backend."""
        if self._network is None:
            self._network, _ = self._cut(load_model(**self._source))
        return self._network

    def layer_names(self) -> tuple[str, ...]:
        """Where vectors can be taken, from the input on."""
        return (*stage_names(self.network.model), PENULTIMATE)

    def at_layer(self, layer: str) -> Self:
        """The same with its vectors taken there; both have the same weights.

        :raises UnknownLayer: if there is no such layer, or it cannot be pooled so.
        """
        other = copy(self)
        other._move(layer, self.network.model)  # noqa: SLF001  (of our own kind)
        return other

    def _move(self, layer: str, model: nn.Module) -> None:
        self._taken = resolve_taking({**self._asked, "layer": layer}, {})
        self._differences = {}
        network = self._network_of(model).eval()
        self._pooling = network.pooling
        self._embed_with(network)

    def _embed_with(self, network: Network) -> None:
        self._start(deepcopy(network) if self._changes_weights else network)
        self._network = network

    @property
    def classes(self) -> tuple[str, ...]:
        """What the model was trained to tell apart here; empty if it was not."""
        return self._classifier.classes

    def trainee(self, classes: Sequence[str] = ()) -> Trainee:
        """Copy the network, with a head for ``classes``."""
        network = copied(self.network)
        classifier = self._classifier.for_classes(classes, network)
        return Trainee(network, classifier.head, classifier.classes)

    def adopt(self, trainee: Trainee) -> None:
        """Embed with these weights from now on; not while ``predict`` runs.

        What images looked like in the training before is forgotten.
        """
        network = copied(trainee.network)
        self._classifier = Classifier.copy(trainee)
        self._origin = digest(weights_of(network, self._classifier)[1])
        before = self._backend
        self._embed_with(network)
        before.close()
        self.domain = self.watch = None

    def save(self, folder: Path) -> None:
        """Write weights, classes, preprocessing, and where vectors are taken."""
        said = {"embedding": self._taken, **self._arguments}
        if self.domain is not None:
            said["domain"] = self.domain.to_dict()
        write_folder(
            Path(folder), self.network, self._classifier, self._conditions, said
        )

    def restore(self, folder: Path) -> None:
        """Adopt what ``save`` wrote."""
        loaded = load_model(**{**self._source, "checkpoint_path": str(folder)})
        network, classifier = self._cut(loaded)
        watched = self.watch is not None
        self.adopt(Trainee(network, classifier.head, classifier.classes))
        self.domain = _domain(loaded)
        if watched and self.domain is not None:
            self.watch = self._watching()

    def explain(
        self,
        image: NDArray[np.uint8] | Image.Image,
        target: object = None,
        *,
        method: str | None = None,
        trainee: Trainee | None = None,
    ) -> Heatmap:
        """Show which parts of an image speak for a target.

        :param target: a class that the model was trained to tell apart, by name or
            number; an image or a vector, to which similarity is explained; None for the
            image's own vector.
        :param method: ``gradcam``, ``attention-rollout`` or ``integrated-gradients``;
            by default the first that fits.
        :param trainee: a model in training, to be explained in place of this one.
        :raises CannotExplain: naming what fits.
        """
        own = Trainee(self.network, self._classifier.head, self.classes)
        subject = subject_of(trainee or own, self.prepare)
        return subject.explain(image, target, method=method)

    def training_transform(
        self, augmentation: Mapping[str, Any] | None = None
    ) -> Callable[[Any], torch.Tensor]:
        """What prepares an image to train on.

        :param augmentation: arguments of ``timm.data.create_transform``, such as
            ``{"scale": (0.5, 1), "hflip": 0.5}``; None for evaluation's.
        """
        if augmentation is None:
            return self.prepare
        return augmented(self._conditions, augmentation)

    def prepare(self, image: NDArray[np.uint8] | Image.Image) -> torch.Tensor:
        """Transform one image as the model's evaluation did.

        :param image: RGB, uint8, (H, W, 3); or a Pillow image.
        :returns: (3, H, W), normalised, float32.
        :raises InvalidImage: if it is another array.
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
            if self._taken["normalize"]:
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
            **({"classes": list(self.classes)} if self.classes else {}),
            "layer": self._taken["layer"],
            "pooling": self._pooling or "the model's own",
            "normalize": self._taken["normalize"],
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


def _domain(loaded: LoadedModel) -> Domain | None:
    said = loaded.config.get("domain")
    return None if said is None else Domain.from_dict(said)


def _layer(network: Network) -> str:
    if network.stage is None:
        return PENULTIMATE
    return stage_names(network.model)[network.stage]


def _one_name(device: str | Sequence[str] | None) -> str:
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device if isinstance(device, str) else ",".join(device)
