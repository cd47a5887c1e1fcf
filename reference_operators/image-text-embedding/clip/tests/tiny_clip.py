"""A CLIP model small enough for a test, with random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    PreTrainedTokenizerFast,
)

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["a", "the", "cat", "dog", "sat", "ran", "on", "mat", "hill", "photo", "of"]
UNKNOWN, START, END = "[UNK]", "<|startoftext|>", "<|endoftext|>"
LAYERS = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.5,
}


def write_model(folder: Path, seed: int = 0) -> None:
    """Write a random CLIP of two layers a tower, and what prepares its inputs.

    It reads 16 tokens, and images of 32 x 32 pixels.
    """
    names = [UNKNOWN, *WORDS, START, END]
    numbers = {name: number for number, name in enumerate(names)}
    tokens = Tokenizer(models.WordLevel(numbers, unk_token=UNKNOWN))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(START, numbers[START]), (END, numbers[END])]
    tokens.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=ends
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokens,
        model_max_length=16,
        unk_token=UNKNOWN,
        bos_token=START,
        eos_token=END,
        pad_token=END,
    )
    text = {
        "vocab_size": len(names),
        "max_position_embeddings": 16,
        "bos_token_id": numbers[START],
        "eos_token_id": numbers[END],
        "pad_token_id": numbers[END],
    }
    config = CLIPConfig(
        text_config={**LAYERS, **text},
        vision_config={**LAYERS, "image_size": 32, "patch_size": 8},
        projection_dim=24,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        CLIPModel(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    fast.save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size)
    images.save_pretrained(folder)
