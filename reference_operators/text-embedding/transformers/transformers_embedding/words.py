"""Texts as numbers of words, alone and side by side."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import torch

from .errors import CannotRun, TextTruncated

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUCKET = 16


@dataclass(frozen=True, slots=True)
class Words:
    """The tokens of one text, and the types that some models tell them apart by."""

    ids: Sequence[int]
    types: Sequence[int]

    @property
    def bucket(self) -> int:
        """Texts of one bucket need at most fifteen tokens of padding side by side."""
        return -(-len(self.ids) // _BUCKET)


class Tokenizer:
    """Cut texts into tokens; threads may do so at once.

    transformers' own call changes the tokenizer's padding and truncation each time,
    which two threads cannot do at once: here both are set once, and stay.
    """

    def __init__(self, name: str, tokenizer: Any, max_length: int) -> None:  # noqa: ANN401
        if not tokenizer.is_fast:
            raise CannotRun(f"`{name}` has no tokenizer.json, and cannot be given one")
        self._name = name
        self._tokens = tokenizer.backend_tokenizer
        self._tokens.no_padding()
        self._tokens.enable_truncation(max_length)
        self._padding = tokenizer.pad_token_id or 0
        self._typed = "token_type_ids" in tokenizer.model_input_names
        self._warned = False

    @property
    def kinds(self) -> int:
        """How many inputs the model takes."""
        return 3 if self._typed else 2

    @cached_property
    def digest(self) -> str:
        """Of how texts are cut, but for how long they may be."""
        said = json.loads(self._tokens.to_str())
        own = {key: said[key] for key in said.keys() - {"truncation", "padding"}}
        text = json.dumps(own, sort_keys=True)
        return f"sha256:{sha256(text.encode()).hexdigest()}"

    def __call__(self, text: str) -> Words:
        """The tokens of a text, with those that mark its ends.

        Warns once of a text that is cut.
        """
        found = self._tokens.encode(text)
        if found.overflowing and not self._warned:
            self._warned = True
            warnings.warn(
                f"`{self._name}` reads {len(found.ids)} tokens, and of a longer text "
                f"the end does not count: {text[:40]!r}",
                TextTruncated,
                stacklevel=4,
            )
        # An empty text may have no token at all, and a vector needs one.
        return Words(found.ids or [self._padding], found.type_ids or [0])

    def side_by_side(self, batch: Sequence[Words]) -> tuple[torch.Tensor, ...]:
        """Token numbers, mask, and types if the model takes them; each (B, longest)."""
        longest = max(len(words.ids) for words in batch)
        shape = (len(batch), longest)
        ids = torch.full(shape, self._padding)
        mask, types = torch.zeros(2, *shape, dtype=torch.int64)
        for row, words in enumerate(batch):
            length = len(words.ids)
            ids[row, :length] = torch.tensor(words.ids)
            types[row, :length] = torch.tensor(words.types)
            mask[row, :length] = 1
        return (ids, mask, types)[: self.kinds]
