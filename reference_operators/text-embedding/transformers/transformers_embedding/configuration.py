"""What sentence-transformers wrote beside a model: how it pools, how much it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .encoder import POOLINGS
from .errors import UnknownPooling

if TYPE_CHECKING:
    from .weights import Files

_MODES = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}
_KNOWN = {"Transformer", "Pooling", "Normalize"}


def own_pooling(files: Files) -> str:
    """The pooling that a model was trained with; mean if it does not say.

    :raises UnknownPooling: if it says what this operator does not compute.
    """
    modules = files.read_json("modules.json")
    if modules is None:
        return "mean"
    kinds = {module["type"].rpartition(".")[2]: module["path"] for module in modules}
    others = ", ".join(f"`{kind}`" for kind in kinds if kind not in _KNOWN)
    if others:
        raise _refused(files, f"adds {others} to its encoder")
    if "Pooling" not in kinds:
        return "mean"
    said = files.read_json(f"{kinds['Pooling']}/config.json") or {}
    modes = [mode for mode in said if mode.startswith("pooling_mode_") and said[mode]]
    chosen = [_MODES.get(mode, mode) for mode in modes] or [said.get("pooling_mode")]
    if len(chosen) != 1 or chosen[0] not in POOLINGS:
        raise _refused(files, f"pools by {', '.join(f'`{mode}`' for mode in chosen)}")
    return str(chosen[0])


def own_max_length(files: Files, model: Any, tokenizer: Any) -> int:  # noqa: ANN401
    """How many tokens of a text a model reads, those that mark its ends among them."""
    said = files.read_json("sentence_bert_config.json") or {}
    limits = [
        said.get("max_seq_length"),
        tokenizer.model_max_length,
        getattr(model.config, "max_position_embeddings", None),
    ]
    return int(min(limit for limit in limits if limit is not None))


def _refused(files: Files, does: str) -> UnknownPooling:
    choices = ", ".join(f"`{pooling}`" for pooling in POOLINGS)
    return UnknownPooling(
        f"`{files.name}` {does}, which this operator does not compute",
        hint=f"Give `pooling=` one of {choices}, for other vectors than its own",
    )
