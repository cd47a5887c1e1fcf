"""A CLIP model with what prepares its inputs: published, or from a folder."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from plugin_spec import HubError, fetch_pinned, pinned_weights

from .errors import CannotRun, WeightsMismatch, WeightsUnavailable

_SECONDS = 10


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A whole model, what prepares the inputs of one tower, and where both are from."""

    model: Any
    processor: Any
    """Of images, or a tokenizer."""
    origin: str


def load_model(name: str, revision: str | None, modality: str) -> LoadedModel:
    """Load a model in float32, from safetensors alone; no code of its own is run.

    What the project's lock pins is loaded at that commit, unless another is named.

    :raises WeightsUnavailable: if its files cannot be reached.
    :raises WeightsMismatch: if weights are missing, or cannot be read.
    :raises CannotRun: if it is no CLIP model.
    """
    import transformers  # noqa: PLC0415  (after HF_ENDPOINT is set)

    pins = pinned_weights(name)
    if pins and revision is None:
        revision = pins[0].revision
    where: dict[str, Any] = {"revision": revision, "trust_remote_code": False}
    try:
        if not Path(name).is_dir():
            _check_reachable(name, revision)
            for pin in pins:
                if pin.revision == revision:
                    fetch_pinned(pin)
        _check_kind(name, transformers.AutoConfig.from_pretrained(name, **where))
        processor = _processor(modality).from_pretrained(name, **where)
        kind: Any = transformers.CLIPModel
        model, found = kind.from_pretrained(
            name,
            **where,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except HubError:
        raise
    except SafetensorError as error:
        raise WeightsMismatch(f"The weights of `{name}` cannot be read") from error
    except Exception as error:
        raise _told(name, error) from error
    if missing := sorted(found["missing_keys"]):
        raise WeightsMismatch(
            f"The weights of `{name}` leave out {len(missing)} tensors of the model, "
            f"`{missing[0]}` first"
        )
    return LoadedModel(model.eval(), processor, _origin(name, revision))


def _check_kind(name: str, config: Any) -> None:  # noqa: ANN401  (transformers' own)
    if config.model_type != "clip":
        raise CannotRun(
            f"`{name}` is no CLIP model, but of the type `{config.model_type}`",
            hint="`text-embedding/transformers` embeds texts with other models, "
            "`image-embedding/timm` images",
        )


def _processor(modality: str) -> Any:  # noqa: ANN401  (transformers' classes)
    import transformers  # noqa: PLC0415  (as above)

    if modality == "text":
        return transformers.AutoTokenizer
    # Before transformers 5, the one without a suffix was on Pillow.
    usual = transformers.CLIPImageProcessor
    return getattr(transformers, "CLIPImageProcessorPil", usual)


def _check_reachable(name: str, revision: str | None) -> None:
    """Ask once for what is not in the cache: a download would ask for a minute."""
    from huggingface_hub import (  # noqa: PLC0415  (after HF_ENDPOINT is set)
        HfApi,
        try_to_load_from_cache,
    )

    cached = try_to_load_from_cache(name, "config.json", revision=revision)
    if not isinstance(cached, str):
        HfApi().model_info(name, revision=revision, timeout=_SECONDS)


def _told(name: str, error: Exception) -> Exception:
    if isinstance(error, RuntimeError) and "size mismatch" in str(error):
        return WeightsMismatch(f"The weights of `{name}` do not fit: {error}")
    return WeightsUnavailable(
        f"Cannot load `{name}`: {_tried(name, error)}",
        hint="Connect to the network, or set HF_ENDPOINT to a mirror; or give "
        "`model_name=` a folder with config.json, model.safetensors, "
        "preprocessor_config.json and tokenizer.json",
    )


def _tried(name: str, error: Exception) -> str:
    from huggingface_hub import constants  # noqa: PLC0415  (as above)

    kind = type(error).__name__
    if Path(name).is_dir():
        return f"{kind}: {str(error).strip().partition(chr(10))[0]}"
    cache = f"its files are not all in the cache `{constants.HF_HUB_CACHE}`"
    if constants.HF_HUB_OFFLINE:
        return f"HF_HUB_OFFLINE is set, and {cache}"
    return f"`{name}` at {constants.ENDPOINT} gave {kind}, and {cache}"


def _origin(name: str, revision: str | None) -> str:
    """The commit that was loaded, or the digest of one's own weights."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  (as above)

    folder = Path(name)
    if folder.is_dir():
        digest = sha256()
        for path in sorted(folder.glob("*.safetensors")):
            digest.update(path.read_bytes())
        return f"sha256:{digest.hexdigest()}"
    found = try_to_load_from_cache(name, "config.json", revision=revision or "main")
    # What is cached lies in a folder with the name of its commit.
    return f"hf-hub:{name}@{Path(str(found)).parent.name}"
