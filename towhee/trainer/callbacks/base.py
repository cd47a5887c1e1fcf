"""What a callback is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from towhee.trainer.run import Run


class Callback:
    """Derive from it, and define what is of interest; each is called with the run.

    >>> class Stop(Callback):
    ...     def on_step_end(self, run):
    ...         if run.step == 100:
    ...             run.stop("a hundred steps are enough")
    """

    main_only: ClassVar[bool] = False
    """Whether only the first of several processes calls it: for what prints or writes.

    What stops a run has to do so in all of them.
    """

    shows: ClassVar[bool] = False
    """Whether it only shows how the run goes on.

    Where workers train elsewhere, it is called in the process that started them, and
    the run that it sees has no ``trainee``. Others travel to the workers.
    """

    def on_train_begin(self, run: Run) -> None:
        """Before the first step, and before the first after a resumption."""

    def on_epoch_begin(self, run: Run) -> None:
        """Before an epoch's first step."""

    def on_step_end(self, run: Run) -> None:
        """After each step of the optimizer."""

    def on_evaluation_end(self, run: Run) -> None:
        """After each evaluation; ``run.latest`` has its figures."""

    def on_epoch_end(self, run: Run) -> None:
        """After an epoch, and after its evaluation."""

    def on_train_end(self, run: Run) -> None:
        """After the last step; also if a step, or another callback's begin, failed."""

    def state(self) -> dict[str, Any]:
        """What a resumed run has to know, as JSON values."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Know what ``state`` gave."""
