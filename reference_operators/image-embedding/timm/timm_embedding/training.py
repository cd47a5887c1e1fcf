"""What a trainer asks of the operator: a copy to train, and a folder that holds it."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

import torch
from PIL import Image
from safetensors.torch import save
from timm.data import create_transform
from torch import nn

from .preparing import pixels_of
from .weights import HEAD, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from plugin_spec import Trainee

    from .layers import Network
    from .weights import LoadedModel

_OF_OTHER_WEIGHTS = {
    "architecture",
    "custom_load",
    "hf_hub_filename",
    "hf_hub_id",
    "label_descriptions",
    "label_names",
    "license",
    "origin_url",
    "paper_ids",
    "paper_name",
    "tag",
    "url",
}


@dataclass(frozen=True, slots=True)
class Classifier:
    """A head, and what it tells apart; neither where there is none."""

    head: nn.Module | None = None
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, loaded: LoadedModel) -> Self:
        """The one that a checkpoint of ours has: only there, outputs have names."""
        classes = tuple(loaded.config.get("label_names", ()))
        if not classes:
            return cls()
        head = loaded.model.get_classifier()
        if loaded.head is not None:
            outputs, inputs = loaded.head["weight"].shape
            head = nn.Linear(inputs, outputs)
            head.load_state_dict(loaded.head)
        return cls(deepcopy(head), classes) if isinstance(head, nn.Linear) else cls()

    @classmethod
    def copy(cls, trainee: Trainee) -> Self:
        """What was trained behind the network."""
        head = trainee.head
        return cls(None if head is None else copied(head), trainee.classes)

    def for_classes(self, classes: Sequence[str], network: nn.Module) -> Self:
        """This one if it tells ``classes`` apart, otherwise a new one."""
        if not classes or tuple(classes) == self.classes:
            return deepcopy(self) if classes else type(self)()
        length = _vector_length(network)
        return type(self)(nn.Linear(length, len(classes)), tuple(classes))


def _vector_length(network: Any) -> int:  # noqa: ANN401  (timm's models share no type)
    size = network.model.pretrained_cfg["input_size"]
    with torch.inference_mode():
        return int(network(torch.zeros(1, *size)).shape[1])


def copied(module: nn.Module) -> Any:  # noqa: ANN401  (of the same type)
    """On the CPU, float32, in evaluation mode, its weights in the usual order."""
    copy = deepcopy(module).cpu().float().eval()
    return copy.to(memory_format=torch.contiguous_format)


def augmented(
    conditions: Mapping[str, Any], augmentation: Mapping[str, Any]
) -> Callable[[Any], Tensor]:
    """timm's own transform of training, ``augmentation`` by its names."""  # noqa: D403  (a name)
    own = {key: value for key, value in conditions.items() if key != "crop_pct"}
    transform = create_transform(**{**own, **augmentation}, is_training=True)
    return lambda image: transform(Image.fromarray(pixels_of(image)))


def weights_of(
    network: Network, classifier: Classifier
) -> tuple[Any, dict[str, bytes]]:
    """timm's model with the head in its own place, and the files of its tensors.

    A head after other features than the model's own is a file of its own.
    """  # noqa: D403  (a name)
    model: Any = deepcopy(network.model)
    files = {}
    head = classifier.head
    if head is not None:
        whole = network.stage is None and network.pooling is None
        if not (whole and _put_head(model, head)):
            model.reset_classifier(0)
            files[HEAD] = _saved(head)
    return model, {WEIGHTS: _saved(model), **files}


def _put_head(model: Any, head: nn.Module) -> bool:  # noqa: ANN401
    model.reset_classifier(head.out_features)
    own = model.get_classifier()
    if not isinstance(own, nn.Linear) or own.in_features != head.in_features:
        return False
    own.load_state_dict(head.state_dict())
    return True


def _saved(module: nn.Module) -> bytes:
    state = {key: value.contiguous() for key, value in module.state_dict().items()}
    content: bytes = save(state, {"format": "pt"})
    return content


def digest(files: Mapping[str, bytes]) -> str:
    """Of the weights, as a checkpoint of them says where they are from."""
    return f"sha256:{sha256(files[WEIGHTS]).hexdigest()}"


def write_folder(
    folder: Path,
    network: Network,
    classifier: Classifier,
    conditions: Mapping[str, Any],
    said: Mapping[str, Any],
) -> None:
    """Write weights, and a ``config.json`` of timm's form that says how to use them.

    :param said: what stands beside the model's own, by the names that are read.
    """
    model, files = weights_of(network, classifier)
    own = {
        key: value
        for key, value in model.pretrained_cfg.items()
        if key not in _OF_OTHER_WEIGHTS
    }
    config = {
        "architecture": model.pretrained_cfg["architecture"],
        "num_classes": model.num_classes,
        "num_features": model.num_features,
        "pretrained_cfg": {**own, **conditions, "num_classes": model.num_classes},
        "label_names": list(classifier.classes),
        **said,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    text = json.dumps(config, indent=2)
    (folder / "config.json").write_text(f"{text}\n", encoding="utf-8")
