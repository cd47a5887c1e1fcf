"""A model with its weights: published, one's own, or random where one asks for it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from pickle import UnpicklingError
from threading import Lock
from typing import TYPE_CHECKING, Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from plugin_spec import HubError, fetch_pinned, pinned_weights

from .errors import UnknownModel, WeightsMismatch, WeightsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


DEFAULT_MODEL = "resnet50"
WEIGHTS = "model.safetensors"
HEAD = "head.safetensors"
_HUB = ("hf-hub:", "hf_hub:")
_SEED = 0
_DRAWING = Lock()
_SECONDS = 10
_FILES = (WEIGHTS, "pytorch_model.bin")
_NESTED = ("state_dict_ema", "state_dict", "model_ema", "model")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model, the name of exactly this one, and where its weights are from."""

    model: Any
    tag: str
    origin: str
    config: Mapping[str, Any] = field(default_factory=dict)
    """What stands beside a checkpoint; empty without one."""
    head: Mapping[str, torch.Tensor] | None = None
    """Of classes, where it is none of the model's own."""


def load_model(
    name: str | None,
    *,
    pretrained: bool,
    checkpoint_path: str | None,
    num_classes: int | None,
) -> LoadedModel:
    """Make a model and fill every one of its weights.

    :raises UnknownModel: with the nearest names.
    :raises WeightsUnavailable: if published weights cannot be reached.
    :raises WeightsMismatch: if weights do not fit.
    """
    if checkpoint_path is not None:
        return _from_checkpoint(name, Path(checkpoint_path), num_classes)
    name = name or DEFAULT_MODEL
    if pretrained:
        return _published(name)
    classes = {} if num_classes is None else {"num_classes": num_classes}
    return LoadedModel(_made(name, **classes), _tag(name), f"random, seed {_SEED}")


def _published(name: str) -> LoadedModel:
    repository = _repository(name)
    pins = pinned_weights(repository)
    if pins:
        repository = f"{repository}@{pins[0].revision}"
        if name.startswith(_HUB):
            name = f"hf-hub:{repository}"
    try:
        _check_reachable(repository)
        for pin in pins:
            fetch_pinned(pin)
        with _own_random_numbers():
            # With its classifier, so that every weight has to be there.
            own = {"hf_hub_id": repository}
            overlay = own if pins and not name.startswith(_HUB) else {}
            model = timm.create_model(
                name, pretrained=True, pretrained_cfg_overlay=overlay
            )
    except HubError:
        raise
    except (SafetensorError, UnpicklingError) as error:
        raise WeightsMismatch(
            f"The weights of `{repository}` cannot be read: {type(error).__name__}"
        ) from error
    except Exception as error:
        if isinstance(error, RuntimeError) and "loading state_dict" in str(error):
            raise WeightsMismatch(
                f"The weights of `{repository}` do not fit `{name}`: {error}"
            ) from error
        raise WeightsUnavailable(
            f"Cannot load the weights of `{name}`: {_tried(repository, error)}",
            hint="Connect to the network, or set HF_ENDPOINT to a mirror; or give "
            "`checkpoint_path=` a file of your own; or take random weights with "
            "`pretrained=False`",
        ) from error
    config = model.pretrained_cfg
    parts = config.get("architecture"), config.get("tag")
    return LoadedModel(model, ".".join(filter(None, parts)), f"hf-hub:{repository}")


def _repository(name: str) -> str:
    """The repository that holds a model's weights, with its ``@revision``, if any."""
    if name.startswith(_HUB):
        return name.partition(":")[2]
    config = timm.get_pretrained_cfg(_known(name))
    if config is None or not config.hf_hub_id:
        raise WeightsUnavailable(
            f"timm publishes no weights for `{name}`",
            hint="Choose another model or tag, give `checkpoint_path=` a file of your "
            "own, or take random weights with `pretrained=False`",
        )
    return str(config.hf_hub_id)


def _check_reachable(repository: str) -> None:
    """Ask once for what is not in the cache: a download would ask for a minute."""
    from huggingface_hub import (  # noqa: PLC0415  (after HF_ENDPOINT is set)
        HfApi,
        try_to_load_from_cache,
    )

    name, _, revision = repository.partition("@")
    asked = revision or None
    cached = (try_to_load_from_cache(name, file, revision=asked) for file in _FILES)
    if not any(isinstance(path, str) for path in cached):
        HfApi().model_info(name, revision=asked, timeout=_SECONDS)


def _tried(repository: str, error: Exception) -> str:
    from huggingface_hub import constants  # noqa: PLC0415  (after HF_ENDPOINT is set)

    if constants.HF_HUB_OFFLINE:
        return (
            f"HF_HUB_OFFLINE is set, and nothing of `{repository}` is in the cache "
            f"`{constants.HF_HUB_CACHE}`"
        )
    return (
        f"`{repository}` at {constants.ENDPOINT} gave {type(error).__name__}, "
        f"and nothing of it is in the cache `{constants.HF_HUB_CACHE}`"
    )


def _from_checkpoint(
    name: str | None, path: Path, num_classes: int | None
) -> LoadedModel:
    file = path / WEIGHTS if path.is_dir() else path
    config = _config_beside(file)
    said = config.get("architecture")
    if name and said and name.partition(".")[0] != said:
        raise WeightsMismatch(
            f"`{file.parent}` holds `{said}`, not `{name}`",
            hint=f"Leave `model_name` out, or write `model_name='{said}'`",
        )
    name = name or said or DEFAULT_MODEL
    state = _read(file)
    classes = config.get("num_classes") if num_classes is None else num_classes
    options: dict[str, Any] = dict(config.get("model_args", {}))
    if classes is not None:
        options["num_classes"] = classes
    if "pretrained_cfg" in config:
        options["pretrained_cfg"] = config["pretrained_cfg"]
    model = _made(name, **options)
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise WeightsMismatch(
            f"The weights in `{file}` do not fit `{name}`: {error}",
            hint="Name their `model_name`, and `num_classes` of their classifier "
            "(0 for none)",
        ) from error
    digest = sha256(file.read_bytes()).hexdigest()
    head = file.with_name(HEAD)
    return LoadedModel(
        model,
        _tag(name),
        f"sha256:{digest}",
        config,
        _read(head) if head.is_file() else None,
    )


def _config_beside(file: Path) -> Mapping[str, Any]:
    """timm's ``config.json`` in the folder of ``file``; empty if there is none."""  # noqa: D403  (a name)
    config = file.with_name("config.json")
    if not config.is_file():
        return {}
    try:
        read = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsMismatch(f"`{config}` is not JSON: {error}") from error
    if not isinstance(read, dict):
        raise WeightsMismatch(f"`{config}` is not timm's: it holds no object")
    return read


def _read(file: Path) -> Mapping[str, torch.Tensor]:
    """Tensors by name. Nothing else that a pickle may hold is built."""
    if not file.is_file():
        raise WeightsUnavailable(f"There is no file `{file}`")
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise WeightsMismatch(
            f"`{file}` cannot be read as weights: {type(error).__name__}",
            hint="Save tensors alone, with `safetensors.torch.save_file`",
        ) from error
    return next((state[key] for key in _NESTED if key in state), state)


def _made(name: str, **options: Any) -> Any:  # noqa: ANN401  (timm's models share no type)
    """A model with random weights, which are the same every time."""
    with _own_random_numbers():
        return timm.create_model(_known(name), pretrained=False, **options)


@contextmanager
def _own_random_numbers() -> Iterator[None]:
    """Draw from our seed, one thread at a time; the user's numbers go on untouched."""
    with _DRAWING, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(_SEED)
        yield


def _known(name: str) -> str:
    """Refuse a name that timm does not know.

    :raises UnknownModel: with the nearest names.
    """
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        from difflib import get_close_matches  # noqa: PLC0415  (for the error alone)

        nearest = get_close_matches(architecture, timm.list_models(), n=3)
        raise UnknownModel(
            f"timm has no model `{name}`",
            hint=f"Did you mean {', '.join(f'`{each}`' for each in nearest)}?"
            if nearest
            else "`timm.list_models()` lists them",
        )
    if tag and name not in timm.list_pretrained(f"{architecture}.*"):
        tags = ", ".join(
            f"`{each}`" for each in timm.list_pretrained(architecture + ".*")
        )
        raise UnknownModel(f"timm has no `{name}`", hint=f"There are {tags}")
    return name


def _tag(name: str) -> str:
    """The architecture alone: a tag names weights, and these are others."""
    return name.partition(".")[0]
