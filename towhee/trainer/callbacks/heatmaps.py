"""What the model looks at, epoch after epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from plugin_spec.attribution.methods import check_method
from towhee.heatmaps import explain_last
from towhee.trainer.callbacks.base import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from towhee.callable_pipeline import CallablePipeline
    from towhee.trainer.run import Run


class Heatmaps(Callback):
    """Write a picture of each image after each epoch, by the weights of then.

    They are ``heatmaps/NAME/epoch-001.png`` in the run's ``output_dir``; those of
    ``epoch-000`` are of the weights before. A change of which part is marked shows what
    was learned; a mark beside the object shows what was learned instead.

    :param op: what is trained.
    :param images: by a name for the file; each as ``op`` takes it.
    :param target: as ``op.explain`` takes it; or a mapping with one for each name, such
        as the class that each image is of.
    :param method: by default the first that fits the model.
    """

    main_only: ClassVar[bool] = True

    def __init__(
        self,
        op: CallablePipeline,
        images: Mapping[str, Any],
        *,
        target: object = None,
        method: str | None = None,
    ) -> None:
        check_method(method)
        self._op, self._images = op, dict(images)
        self._target, self._method = target, method

    def on_train_begin(self, run: Run) -> None:
        """Write those of the weights as they are.

        :raises CannotExplain: if the operator cannot.
        """
        self._write(run)

    def on_epoch_end(self, run: Run) -> None:
        """Write those of this epoch."""
        self._write(run)

    def _write(self, run: Run) -> None:
        steps = self._op.operators
        for name, image in self._images.items():
            target = self._target
            if isinstance(target, dict):
                target = target.get(name)
            found = explain_last(steps, image, target, self._method, run.trainee)
            folder = Path(run.config.output_dir) / "heatmaps" / name
            folder.mkdir(parents=True, exist_ok=True)
            found.save(folder / f"epoch-{run.epoch:03}.png")
