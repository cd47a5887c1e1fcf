"""An encoder, and how its words become one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

POOLINGS = ("mean", "cls", "max", "last")


class Encoder(nn.Module):
    """A model up to its vectors: (B, L) words with their mask in, (B, D) out.

    Words are padded on the right, where the mask is 0, and padding counts for nothing.

    :param pooling: one of ``POOLINGS``.
    """

    def __init__(self, model: Any, pooling: str) -> None:  # noqa: ANN401  (of any class)
        super().__init__()
        self.model = model
        self.pooling = pooling

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor | None = None) -> Tensor:
        """One row a text, in the model's precision, of any length."""
        known = {} if types is None else {"token_type_ids": types}
        given = self.model(input_ids=ids, attention_mask=mask, **known)
        words: Tensor = given.last_hidden_state
        if self.pooling == "cls":
            return words[:, 0]
        counted = mask.unsqueeze(-1)
        if self.pooling == "max":
            return words.masked_fill(counted == 0, float("-inf")).amax(1)
        if self.pooling == "last":
            last = (mask.sum(1) - 1).view(-1, 1, 1).expand(-1, 1, words.shape[2])
            return words.gather(1, last).squeeze(1)
        weights = counted.to(words.dtype)
        return (words * weights).sum(1) / weights.sum(1)


def sample_words(vocabulary: int, kinds: int) -> list[tuple[torch.Tensor, ...]]:
    """Words at random to try a model on: five ragged texts, and one alone.

    :param vocabulary: how many words there are.
    :param kinds: how many inputs the model takes; the third are the words' types.
    """
    generator = torch.Generator().manual_seed(0)
    samples = []
    for lengths in ([12, 9, 7, 3, 2], [6]):
        shape = (len(lengths), max(lengths))
        ids = torch.randint(0, vocabulary, shape, generator=generator)
        mask = (torch.arange(shape[1]) < torch.tensor(lengths)[:, None]).long()
        samples.append((ids, mask, torch.zeros_like(ids))[:kinds])
    return samples
