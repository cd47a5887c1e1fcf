"""A model small enough for a test, with random weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = {"unk_token": "[UNK]"}
SPECIAL = {"pad_token": "[PAD]", **UNKNOWN}
ENDS = {"cls_token": "[CLS]", "sep_token": "[SEP]"}
WORDS = [
    "a",
    "the",
    "cat",
    "dog",
    "sat",
    "ran",
    "on",
    "under",
    "mat",
    "hill",
    "red",
    "small",
    "old",
    "house",
    "tree",
]


def write_model(folder: Path) -> None:
    """Write a random BERT of two layers that reads 32 tokens, and its tokenizer."""
    names = [*SPECIAL.values(), *ENDS.values(), *WORDS]
    vocabulary = {name: number for number, name in enumerate(names)}
    tokens = Tokenizer(models.WordLevel(vocabulary, **UNKNOWN))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokens.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokens, model_max_length=32, **SPECIAL, **ENDS
    )
    config = BertConfig(
        vocab_size=len(names),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
        initializer_range=0.5,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)


def write_pooling(folder: Path, **said: object) -> None:
    """Write what sentence-transformers writes beside a model."""
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"any.models.{kind}"}
        for n, (path, kind) in enumerate(kinds.items())
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling/config.json").write_text(json.dumps(said))
