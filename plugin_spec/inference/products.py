"""How a GPU multiplies float32, for one while."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class _Setting:
    """One of torch's, with its value for products as they are, and for rounded ones."""

    read: Callable[[], object]
    write: Callable[[Any], None]
    exact: object
    rounded: object


class _Users:
    """The blocks that compute now, and what the user had set before the first."""

    lock = Lock()
    exact = 0
    rounded = 0
    kept: ClassVar[list[tuple[_Setting, object]]] = []


@contextmanager
def float32_products(*, exact: bool) -> Iterator[None]:
    """Multiply float32 as it is in the block, or rounded to TF32.

    NVIDIA's GPUs multiply several times faster after rounding both factors to eleven
    bits. torch rounds in convolutions unless it is told otherwise, and has one setting
    for all threads: while blocks of both kinds compute, none rounds. After the last one
    the setting is the user's again.
    """
    with _Users.lock:
        _count(exact, 1)
    try:
        yield
    finally:
        with _Users.lock:
            _count(exact, -1)


def _count(exact: bool, change: int) -> None:
    if exact:
        _Users.exact += change
    else:
        _Users.rounded += change
    if not (_Users.exact or _Users.rounded):
        for setting, value in _Users.kept:
            _set(setting, value)
        _Users.kept = []
        return
    if not _Users.kept:
        _Users.kept = [(setting, setting.read()) for setting in _settings()]
    for setting, _ in _Users.kept:
        _set(setting, setting.exact if _Users.exact else setting.rounded)


def _set(setting: _Setting, value: object) -> None:
    # Where the user took the other names meanwhile, torch does not read these.
    with suppress(RuntimeError):
        if setting.read() == value:
            return
    setting.write(value)


def _settings() -> list[_Setting]:
    """Those of convolutions, recurrent networks and matrix products.

    torch refuses to read a setting by its old name once its new one was used, and has
    the new names since 2.9 alone: which of them the user takes, they are kept to.
    """
    import torch

    cudnn: Any = torch.backends.cudnn
    matmul = torch.backends.cuda.matmul
    found = []
    try:
        torch.get_float32_matmul_precision()
    except RuntimeError:
        found.append(_attribute(matmul, "fp32_precision", "ieee", "tf32"))
    else:
        found.append(
            _Setting(
                torch.get_float32_matmul_precision,
                torch.set_float32_matmul_precision,
                exact="highest",
                rounded="high",
            )
        )
    try:
        found.append(_attribute(cudnn, "allow_tf32", exact=False, rounded=True))
        found[-1].read()
    except RuntimeError:
        found[-1:] = [
            _attribute(each, "fp32_precision", "ieee", "tf32")
            for each in (cudnn.conv, cudnn.rnn)
        ]
    return found


def _attribute(owner: object, name: str, exact: object, rounded: object) -> _Setting:
    return _Setting(
        lambda: getattr(owner, name),
        lambda value: setattr(owner, name, value),
        exact,
        rounded,
    )
