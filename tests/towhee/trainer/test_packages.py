"""Without the extra, training says what is missing and changes nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from trainees import Small, points

from towhee.extras import MissingExtra
from towhee.trainer.training import train

if TYPE_CHECKING:
    from collections.abc import Callable

    from towhee.trainer.training_config import TrainingConfig


@pytest.mark.parametrize("package", ["accelerate", "matplotlib"])
def test_a_missing_package_is_told_before_the_first_step(
    package: str,
    configure: Callable[..., TrainingConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    operator = Small()
    before = operator.weights
    with pytest.raises(MissingExtra) as caught:
        train(operator, configure(), points(8))
    assert str(caught.value) == f"Training needs the package `{package}`"
    assert caught.value.hint == "Install `towhee-hub[train]`"
    assert (operator.weights == before).all()
