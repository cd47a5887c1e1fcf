"""What a killed training goes on from."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from towhee.trainer.errors import CannotTrain, CannotWrite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from accelerate import Accelerator

PROGRESS: Final = "progress.json"
_KEEP: Final = 2
_NO_ROOM: Final = 1 << 16
"""Bytes; with fewer free, not even a small file can be counted on."""
_MAY_DIFFER: Final = {
    "dataloader_num_workers",
    "dataloader_pin_memory",
    "device_str",
    "load_best_model_at_end",
    "model_checkpoint",
    "output_dir",
    "overwrite_output_dir",
    "print_steps",
    "tensorboard",
    "val_batch_size",
}
"""Fields that do not decide which weights a training ends with."""


class Checkpoints:
    """Folders ``step-…``, each there whole or not at all; the newest are kept."""

    def __init__(self, folder: Path, *, keep: int = _KEEP) -> None:
        self.folder = folder
        self.keep = keep

    def save(self, accelerator: Accelerator, progress: dict[str, Any]) -> Path:
        """Write one; all processes have to call it.

        :raises CannotWrite: if there is no room; those before it stay.
        """
        name = f"step-{progress['run']['step']:08}"
        target, staged = self.folder / name, self.folder / f"{name}.partial"
        if accelerator.is_main_process:
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(parents=True)
        accelerator.wait_for_everyone()
        with writing(target, staged):
            accelerator.save_state(str(staged))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            text = json.dumps(progress, indent=2)
            with writing(target, staged):
                (staged / PROGRESS).write_text(text, encoding="utf-8")
            # Rename last: a folder without `.partial` is complete.
            if target.exists():
                # Whole until its name says otherwise: a kill leaves no half of it.
                target.rename(self.folder / f"{name}.old.partial")
            staged.rename(target)
            self._prune()
        accelerator.wait_for_everyone()
        return target

    def latest(self) -> Path | None:
        """The newest that is complete."""
        return max(self._complete(), default=None)

    def clear(self) -> None:
        """Forget all of an earlier training."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _complete(self) -> list[Path]:
        return sorted(
            path for path in self.folder.glob("step-*") if path.suffix != ".partial"
        )

    def _prune(self) -> None:
        for path in (*self._complete()[: -self.keep], *self.folder.glob("*.partial")):
            shutil.rmtree(path, ignore_errors=True)
        named = {
            (read_progress(path)["run"]["best"] or {}).get("weights")
            for path in self._complete()
        }
        for path in self.folder.glob("best-*.safetensors"):
            if path.name not in named:
                path.unlink()


@contextmanager
def writing(target: Path, staged: Path) -> Iterator[None]:
    """Name what cannot be written, and leave no part of it.

    :param staged: the file or folder that becomes ``target``.
    :raises CannotWrite: whatever the libraries that write weights raise.
    """
    try:
        yield
    except Exception as error:
        # Few of them say that the disk is full; while their part is there, it is.
        is_full = shutil.disk_usage(target.parent).free < _NO_ROOM
        said = os.strerror(errno.ENOSPC) if is_full else str(error)
        if staged.is_dir():
            shutil.rmtree(staged, ignore_errors=True)
        else:
            staged.unlink(missing_ok=True)
        raise CannotWrite(target, said) from error


def read_progress(checkpoint: Path) -> dict[str, Any]:
    """What stands beside the weights.

    :raises CannotTrain: if the folder is no checkpoint.
    """
    try:
        text = (checkpoint / PROGRESS).read_text(encoding="utf-8")
        progress: dict[str, Any] = json.loads(text)
    except (OSError, ValueError) as error:
        raise CannotTrain(
            f"`{checkpoint}` is no checkpoint: it has no readable `{PROGRESS}`",
            hint="Name a folder `step-…` of a training, or the training's own folder",
        ) from error
    return progress


def check_same(checkpoint: Path, saved: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse to go on with what would not end as the training that was begun.

    :raises CannotTrain: with each field that differs.
    """
    different = [
        f"  {name}: {saved.get(name)!r} when it began, {now[name]!r} now"
        for name in now
        if name not in _MAY_DIFFER and saved.get(name) != now[name]
    ]
    if different:
        lines = "\n".join(different)
        raise CannotTrain(
            f"`{checkpoint}` is of a training that was set otherwise\n{lines}",
            hint="Set the same, or begin anew without `resume`",
        )
