"""A model with its tokenizer: published, or from a folder of one's own."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from plugin_spec import HubError, fetch_pinned, pinned_weights

from .errors import CannotRun, WeightsMismatch, WeightsUnavailable

_SECONDS = 10
_UNUSED = "pooler."
"""A head for training, which many models leave out of their files."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a model, in a repository at a revision, or in a folder."""

    name: str
    revision: str | None

    @property
    def folder(self) -> Path | None:
        """The folder, if it is one's own."""
        path = Path(self.name)
        return path if path.is_dir() else None

    def read_json(self, file: str) -> Any:  # noqa: ANN401  (whatever it holds)
        """What a file of JSON holds; None if there is no such file."""
        from transformers.utils.hub import (  # noqa: PLC0415  (after HF_ENDPOINT)
            cached_file,
        )

        path = cached_file(
            self.name,
            file,
            revision=self.revision,
            _raise_exceptions_for_gated_repo=False,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        if path is None:
            return None
        try:
            return json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise WeightsMismatch(f"`{file}` of `{self.name}` is no JSON") from error


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model, its tokenizer, and where both are from."""

    model: Any
    tokenizer: Any
    origin: str


def at_pinned_revision(files: Files) -> Files:
    """The files at the commit that the project's lock pins, unless another is named."""
    pins = pinned_weights(files.name) if files.revision is None else ()
    return replace(files, revision=pins[0].revision) if pins else files


def load_model(files: Files) -> LoadedModel:
    """Load a model in float32, from safetensors alone; no code of its own is run.

    :raises WeightsUnavailable: if its files cannot be reached.
    :raises WeightsMismatch: if weights are missing, or cannot be read.
    :raises CannotRun: if it is only to be had with code of its own.
    """
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415  (as above)

    where = {"revision": files.revision, "trust_remote_code": False}
    try:
        if files.folder is None:
            _check_reachable(files)
            for pin in pinned_weights(files.name):
                if pin.revision == files.revision:
                    fetch_pinned(pin)
        tokenizer = AutoTokenizer.from_pretrained(files.name, **where)
        model, found = AutoModel.from_pretrained(
            files.name,
            **where,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except HubError:
        raise
    except SafetensorError as error:
        raise WeightsMismatch(
            f"The weights of `{files.name}` cannot be read"
        ) from error
    except Exception as error:
        raise _told(files, error) from error
    missing = sorted(k for k in found["missing_keys"] if not k.startswith(_UNUSED))
    if missing:
        raise WeightsMismatch(
            f"The weights of `{files.name}` leave out {len(missing)} tensors of the "
            f"model, `{missing[0]}` first"
        )
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    return LoadedModel(model.eval(), tokenizer, _origin(files))


def _check_reachable(files: Files) -> None:
    """Ask once for what is not in the cache: a download would ask for a minute."""
    from huggingface_hub import (  # noqa: PLC0415  (after HF_ENDPOINT is set)
        HfApi,
        try_to_load_from_cache,
    )

    cached = try_to_load_from_cache(files.name, "config.json", revision=files.revision)
    if not isinstance(cached, str):
        HfApi().model_info(files.name, revision=files.revision, timeout=_SECONDS)


def _told(files: Files, error: Exception) -> Exception:
    if isinstance(error, ValueError) and "trust_remote_code" in str(error):
        return CannotRun(
            f"`{files.name}` needs code of its own, which is never run",
            hint="Take a model that transformers knows by itself",
        )
    if isinstance(error, RuntimeError) and "size mismatch" in str(error):
        return WeightsMismatch(f"The weights of `{files.name}` do not fit: {error}")
    return WeightsUnavailable(
        f"Cannot load `{files.name}`: {_tried(files, error)}",
        hint="Connect to the network, or set HF_ENDPOINT to a mirror; or give "
        "`model_name=` a folder with config.json, model.safetensors and tokenizer.json",
    )


def _tried(files: Files, error: Exception) -> str:
    from huggingface_hub import constants  # noqa: PLC0415  (as above)

    kind = type(error).__name__
    if files.folder is not None:
        return f"{kind}: {str(error).strip().partition(chr(10))[0]}"
    cache = f"its files are not all in the cache `{constants.HF_HUB_CACHE}`"
    if constants.HF_HUB_OFFLINE:
        return f"HF_HUB_OFFLINE is set, and {cache}"
    return f"`{files.name}` at {constants.ENDPOINT} gave {kind}, and {cache}"


def _origin(files: Files) -> str:
    """The commit that was loaded, or the digest of one's own weights."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  (as above)

    if files.folder is not None:
        digest = sha256()
        for path in sorted(files.folder.glob("*.safetensors")):
            digest.update(path.read_bytes())
        return f"sha256:{digest.hexdigest()}"
    loaded = try_to_load_from_cache(
        files.name, "config.json", revision=files.revision or "main"
    )
    # What is cached lies in a folder with the name of its commit.
    return f"hf-hub:{files.name}@{Path(str(loaded)).parent.name}"
