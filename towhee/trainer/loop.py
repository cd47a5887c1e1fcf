"""The steps of a training, and what happens between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from towhee.trainer.evaluation import evaluate
from towhee.trainer.meters import Average, widest
from towhee.trainer.randomness import seed_all
from towhee.trainer.trainee_module import set_mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from accelerate import Accelerator
    from torch import Tensor
    from torch.utils.data import DataLoader

    from towhee.trainer.batches import Prepared
    from towhee.trainer.callbacks.base import Callback
    from towhee.trainer.keeping import Keeping
    from towhee.trainer.mixing import Mixing
    from towhee.trainer.objective import Objective
    from towhee.trainer.run import Run
    from towhee.trainer.trainee_module import TraineeModule

_STEP: Final = 1
"""What a step draws is none of what a batch's images draw."""


class Loop:
    """One training: accelerate moves and wraps, callbacks watch, this goes on.

    :param trained: the module itself, whatever wraps it.
    :param optimizer: as accelerate wraps it, and so are ``module`` and both batches.
    :param mixing: what blends a batch, if that is wanted.
    :param average: what follows the weights, and is judged and kept in their place.
    :param schedule: torch's own; it takes one step for each that the optimizer takes:
        where gradients are scaled, one that overflows is left out.
    """

    def __init__(  # noqa: PLR0913  (the parts of a training)
        self,
        run: Run,
        *,
        trained: TraineeModule,
        accelerator: Accelerator,
        module: Any,  # noqa: ANN401  (as accelerate wraps it)
        optimizer: Any,  # noqa: ANN401
        schedule: Any,  # noqa: ANN401
        objective: Objective,
        samples: Prepared,
        batches: DataLoader[Any],
        evaluation: DataLoader[Any] | None,
        callbacks: Sequence[Callback],
        keeping: Keeping,
        mixing: Mixing | None = None,
        average: Any = None,  # noqa: ANN401  (timm's)
    ) -> None:
        self.run, self.config = run, run.config
        self.accelerator = accelerator
        self.trained = trained
        self.module = module
        self.optimizer, self.schedule = _stepped(optimizer, accelerator), schedule
        self.objective = objective
        self.samples = samples
        self.batches, self.evaluation = batches, evaluation
        self.callbacks = callbacks
        self._told = [
            each
            for each in callbacks
            if accelerator.is_main_process or not each.main_only
        ]
        self.keeping = keeping
        self.mixing, self.average = mixing, average
        self.loss, self.meter = Average(), objective.training_meter()

    @property
    def kept(self) -> TraineeModule:
        """The module whose weights are kept: the trained one, or what follows it."""
        module: TraineeModule = self.trained
        return module if self.average is None else self.average.module

    def fit(self) -> None:
        """Go on to the end, or to where a callback stops it."""
        try:
            self._tell("on_train_begin")
            while not self.run.stop_reason and self.run.epoch < self.config.epoch_num:
                self._epoch()
        finally:
            self._tell("on_train_end")

    def _epoch(self) -> None:
        run = self.run
        if not run.batch:
            self.loss, self.meter = Average(), self.objective.training_meter()
            self._tell("on_epoch_begin")
        set_mode(self.module, training=True, freeze_bn=self.config.freeze_bn)
        for images, labels in self._remaining():
            self._step(images, labels)
            if self.accelerator.sync_gradients:
                self._after_step()
            if run.stop_reason:
                break
        run.epoch, run.batch = run.epoch + 1, 0
        self._end_epoch()

    def _remaining(self) -> Iterator[Any]:
        """The batches of this epoch that did not go through the model yet."""
        self.samples.epoch = self.run.epoch
        self.batches.set_epoch(self.run.epoch)  # type: ignore[attr-defined]  # accelerate's
        if not self.run.batch:
            return iter(self.batches)
        rest = self.accelerator.skip_first_batches(self.batches, self.run.batch)
        rest.set_epoch(self.run.epoch)
        return iter(rest)

    def _step(self, images: Tensor, labels: Tensor) -> None:
        """One forward pass: loss, metric and gradients are all of it."""
        run, accelerator = self.run, self.accelerator
        place = (run.epoch, run.batch, accelerator.process_index)
        seed_all(self.config.seed, _STEP, *place)
        with accelerator.accumulate(self.module):
            targets = labels
            if self.mixing is not None:
                images, targets = self.mixing(images, labels)
            outputs = self.module(images)
            loss = self.objective.loss(outputs, targets)
            accelerator.backward(loss)
            if accelerator.sync_gradients and self.config.max_grad_norm:
                accelerator.clip_grad_norm_(
                    self.module.parameters(), self.config.max_grad_norm
                )
            if accelerator.sync_gradients:
                self.optimizer.step()
                self.optimizer.zero_grad()
        exact = loss.detach().to(widest(loss.device))
        self.loss.add(exact * len(labels), len(labels))
        if self.meter is not None:
            self.meter.update(outputs, labels)
        run.batch += 1

    def _after_step(self) -> None:
        run, config = self.run, self.config
        if not self.accelerator.optimizer_step_was_skipped:
            self.schedule.step()
        run.step += 1
        if self.average is not None:
            self.average.update(self.trained, step=run.step)
        self._tell("on_step_end")
        every = config.eval_steps or run.steps_per_epoch
        if config.eval_strategy == "steps" and run.step % every == 0:
            run.history.append(self._place())
            self._evaluate()
            set_mode(self.module, training=True, freeze_bn=config.freeze_bn)
        if self.keeping.is_due_after_step(run):
            self.keeping.save(self)

    def _end_epoch(self) -> None:
        run = self.run
        figures = {"train_epoch_loss": self._total(self.loss).value()}
        if self.meter is not None:
            figures["train_epoch_metric"] = self._total(self.meter).value()
        rate = self.optimizer.param_groups[0]["lr"]
        run.history.append({**self._place(), **figures, "lr": rate})
        if self._judges_epoch():
            self._evaluate()
        self._tell("on_epoch_end")
        self.keeping.consider(self, evaluated=False)
        if self.keeping.is_due_after_epoch(run):
            self.keeping.save(self)

    def _judges_epoch(self) -> bool:
        """Each; with the strategy ``steps``, the last, unless its last step was."""
        run = self.run
        if self.config.eval_strategy != "steps":
            return self.config.eval_strategy == "epoch"
        ends = bool(run.stop_reason) or run.epoch == self.config.epoch_num
        judged = {row["step"] for row in run.history if "eval_epoch_loss" in row}
        return ends and run.step not in judged

    def _place(self) -> dict[str, Any]:
        return {"epoch": self.run.epoch, "step": self.run.step}

    def _evaluate(self) -> None:
        if self.evaluation is None:
            return
        judged = self.module if self.average is None else self.average.module
        figures = evaluate(self.accelerator, judged, self.evaluation, self.objective)
        self.run.latest.update(figures)
        self.keeping.consider(self, evaluated=True)
        self._tell("on_evaluation_end")

    def _total(self, meter: Any) -> Any:  # noqa: ANN401  (of the same type)
        """A meter over all processes."""
        import torch

        if self.accelerator.num_processes == 1:
            return meter
        device = self.accelerator.device
        state = torch.tensor(meter.state(), dtype=widest(device), device=device)
        total = type(meter)()
        reduced = self.accelerator.reduce(state, "sum")
        total.restore(reduced.tolist())
        return total

    def _tell(self, moment: str) -> None:
        for callback in self._told:
            getattr(callback, moment)(self.run)

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds beside weights, optimizer and schedule.

        Meters are those of all processes, which have to call this together.
        """
        return {
            "run": self.run.state(),
            "loss": self._total(self.loss).state(),
            "meter": None if self.meter is None else self._total(self.meter).state(),
            "callbacks": [
                {"kind": type(each).__name__, "state": each.state()}
                for each in self.callbacks
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be where ``state`` was taken."""
        self.run.restore(state["run"])
        # What all processes came to is added up again: one of them goes on from it.
        if self.accelerator.is_main_process:
            self.loss.restore(state["loss"])
            if self.meter is not None:
                self.meter.restore(state["meter"])
        # One's own callbacks may be others than before: each takes what one of its
        # kind left.
        left = list(state["callbacks"])
        for callback in self.callbacks:
            kind = type(callback).__name__
            saved = next((each for each in left if each["kind"] == kind), None)
            if saved is not None:
                left.remove(saved)
                callback.restore(saved["state"])


def _stepped(optimizer: Any, accelerator: Accelerator) -> Any:  # noqa: ANN401
    """What takes the steps: accelerate's wrapper, or torch's optimizer in it.

    The wrapper looks for optional packages on the disk at each step. It is needed where
    gradients are scaled, and where a device or a library has its own way to step.
    """
    from accelerate import DistributedType
    from accelerate.optimizer import AcceleratedOptimizer

    own_way = accelerator.distributed_type == DistributedType.XLA
    plain = type(optimizer) is AcceleratedOptimizer and optimizer.scaler is None
    return optimizer.optimizer if plain and not own_way else optimizer
