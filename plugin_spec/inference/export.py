"""A module as a program that other runtimes read."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from plugin_spec.inference.errors import BackendFailed, PackagesMissing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor
    from torch.export import ExportedProgram

    from plugin_spec.inference.workload import Workload

_MOST: Final = 1 << 16
"""Longer than any batch, or any text that a model has no limit for."""
_REMARKING: Final = ("torch.onnx", "torch.export", "torch.utils.cpp_extension")


def check_packages(backend: str, *packages: str) -> None:
    """Refuse a backend whose own packages are missing, naming all it needs.

    :raises PackagesMissing: with the command that installs them.
    """
    from importlib.util import find_spec  # noqa: PLC0415

    if any(find_spec(package) is None for package in packages):
        raise PackagesMissing(backend, packages)


def export_program(workload: Workload, sample: tuple[Tensor, ...]) -> ExportedProgram:
    """Trace a module into torch's own form, its named dimensions free.

    :param sample: lies where and as all inputs will.
    """
    import torch

    names = {name for each in workload.dynamic for name in each.values()}
    longest = {name: workload.longest.get(name, _MOST) for name in names}
    lengths = {name: torch.export.Dim(name, min=1, max=longest[name]) for name in names}
    shapes = tuple(
        {number: lengths[name] for number, name in each.items()}
        for each in workload.dynamic
    )
    with torch.no_grad():
        return torch.export.export(workload.module, sample, dynamic_shapes=shapes)


def write_onnx(workload: Workload, path: Path) -> None:
    """Write a module as an ONNX file, its large weights in a file beside it."""
    import torch

    with torch.no_grad():
        exported = export_program(workload, workload.largest)
        program = torch.onnx.export(exported, dynamo=True, verbose=False)
    assert program is not None
    program.save(path, external_data=True)


@contextmanager
def exporting(backend: str) -> Iterator[None]:
    """Keep exporters' own remarks to themselves, and give what they raise a name.

    :raises BackendFailed: for whatever a module holds that a backend does not take.
    """
    loggers = [logging.getLogger(name) for name in _REMARKING]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise BackendFailed(
            f"The backend `{backend}` cannot take this model over: {reason}",
            hint="Leave out `backend`, or take another",
        ) from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
