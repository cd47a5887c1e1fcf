"""Train an operator: from its images to an operator that embeds otherwise."""

from __future__ import annotations

import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from towhee.data.opening import dataset
from towhee.extras import needed_for
from towhee.trainer.acceleration import accelerating
from towhee.trainer.batches import (
    Prepared,
    check_enough,
    evaluation_batches,
    training_batches,
)
from towhee.trainer.domain import note_domain
from towhee.trainer.errors import CannotTrain
from towhee.trainer.keeping import Keeping
from towhee.trainer.mixing import make_average, make_mixing
from towhee.trainer.optimizing import make_optimizer
from towhee.trainer.randomness import own_numbers, seed_all
from towhee.trainer.run import Run
from towhee.trainer.schedule import make_schedule
from towhee.trainer.selecting import Selection, check_moving
from towhee.trainer.training_config import TrainingConfig
from towhee.trainer.training_result import TrainingResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from accelerate import Accelerator

    from plugin_spec import TrainableOperator, Trainee
    from towhee.trainer.callbacks.base import Callback
    from towhee.trainer.loop import Loop
    from towhee.trainer.objective import Objective
    from towhee.trainer.on_ray.crew import Crew
    from towhee.trainer.repository import Repository

CHECKPOINTS: Final = "checkpoints"
Weights: TypeAlias = "tuple[dict[str, Any], dict[str, Any]]"
"""Of a network and of its head, by name."""


class Fit(Protocol):
    """What trains, here or elsewhere; as ``Training.fit``."""

    def __call__(self, *, resume: bool | Path) -> tuple[Run, bool]:
        """Train."""


class Training:
    """One operator, the images it learns from, and how.

    :param samples: what it learns from; anything that ``dataset`` opens.
    :param evaluation: what it is judged by.
    :param callbacks: one's own, called after those of the configuration.
    :param repository: what makes the folder one that can be published.
    :param shown: whether this process shows how it goes on.
    """

    def __init__(  # noqa: PLR0913  (the parts of a training)
        self,
        operator: TrainableOperator,
        config: TrainingConfig,
        samples: Any,  # noqa: ANN401
        evaluation: Any = None,  # noqa: ANN401
        callbacks: Sequence[Callback] = (),
        *,
        repository: Repository | None = None,
        shown: bool = True,
    ) -> None:
        """Check what can be checked before anything is changed.

        :raises InvalidTrainingConfig: with all problems.
        :raises InvalidDataset: if one is no labelled images.
        :raises CannotTrain: if classes or settings do not go together.
        """
        self.operator, self.config = operator, config.copy()
        self.samples = dataset(samples)
        self.evaluation = None if evaluation is None else dataset(evaluation)
        self.callbacks, self.repository = callbacks, repository
        self._shown = shown
        self.folder = Path(config.output_dir)
        self.keeping = Keeping(self.config, self.folder / CHECKPOINTS)
        self._check()

    def _check(self) -> None:
        evaluation, config = self.evaluation, self.config
        if evaluation is not None and not (
            set(evaluation.classes) <= set(self.samples.classes)
        ):
            new = sorted(set(evaluation.classes) - set(self.samples.classes))
            raise CannotTrain(
                "The images to evaluate by have classes that are not trained: "
                + ", ".join(f"`{name}`" for name in new)
            )
        judged = evaluation is not None and config.eval_strategy != "no"
        if config.load_best_model_at_end and not judged:
            raise CannotTrain(
                "There is nothing to choose the best model by",
                hint="Give `eval_dataset`, and an `eval_strategy` other than no; or "
                "set `load_best_model_at_end` to false",
            )
        check_enough(self.samples, config)

    def start(
        self, *, resume: bool | Path = False, fit: Fit | None = None
    ) -> TrainingResult:
        """Train, let the operator embed with what came out, and write that.

        :param resume: as in ``fit``.
        :param fit: what trains elsewhere, in the place of ``fit``.
        :raises CannotTrain: as in ``fit``.
        """
        begin = time.perf_counter()
        run, is_main = (fit or self.fit)(resume=resume)
        seconds = time.perf_counter() - begin
        result = TrainingResult.of(run, self.samples, self.evaluation, seconds)
        if is_main:
            with own_numbers():
                note_domain(self.operator, self.samples)
                self._write(result)
        return result

    def _write(self, result: TrainingResult) -> None:
        if self.repository is None:
            result.write(self.operator, self.folder)
            return
        origin = self.repository.origin(self.folder)
        result.write(self.operator, self.folder, origin)
        self.repository.write(result, self.samples)

    def fit(self, *, resume: bool | Path = False) -> tuple[Run, bool]:
        """Train, and let the operator embed with what came out.

        :param resume: go on from the newest checkpoint in the output folder, if there
            is one, or from the one that is named.
        :returns: how it went, and whether this is the first of several processes.
        :raises CannotTrain: if the folder may not be written to, or the checkpoint is
            of another training.
        """
        self.prepare_folder(resume=bool(resume))
        with own_numbers(), accelerating(self.config) as accelerator:
            run = self._run(accelerator, resume=resume)
            return run, bool(accelerator.is_main_process)

    def _run(self, accelerator: Accelerator, *, resume: bool | Path) -> Run:
        loop = self._assemble(accelerator)
        if resume:
            found = resume if isinstance(resume, Path) else None
            self.keeping.resume(loop, found)
        loop.fit()
        if loop.average is not None:
            loop.trained.load_state_dict(loop.kept.state_dict())
        if self.config.load_best_model_at_end:
            self.keeping.load_best(loop)
        self._adopt(loop)
        return loop.run

    def prepare_folder(self, *, resume: bool) -> None:
        """Have the folder, without what an earlier training left.

        :raises CannotTrain: if that may not be overwritten.
        """
        used = (self.folder / CHECKPOINTS).exists() or any(self.folder.glob("*.json"))
        if used and not (resume or self.config.overwrite_output_dir):
            raise CannotTrain(
                f"`{self.folder}` holds a training already",
                hint="Name another `output_dir`, go on with `resume=True`, or set "
                "`overwrite_output_dir` to true",
            )
        if used and not resume:
            self.keeping.checkpoints.clear()
        self.folder.mkdir(parents=True, exist_ok=True)

    def _assemble(self, accelerator: Accelerator) -> Loop:
        from towhee.trainer.loop import Loop  # noqa: PLC0415  (it imports torch)
        from towhee.trainer.objective import make_objective  # noqa: PLC0415
        from towhee.trainer.trainee_module import TraineeModule  # noqa: PLC0415

        config = self.config
        objective = make_objective(config)
        # A new head has weights that belong to the seed.
        seed_all(config.seed)
        trainee = self._trainee(objective)
        self._selection = Selection(trainee, config)
        trained = _as_configured(TraineeModule(trainee), accelerator, config)
        check_moving(trained)
        optimizer = make_optimizer(trained, config)
        transform = self.operator.training_transform(config.augmentation)
        prepared = Prepared(self.samples, transform, config.seed)
        batches, evaluation = self._batches(prepared)
        module, batches, evaluation = accelerator.prepare(trained, batches, evaluation)
        average = make_average(trained, config)
        if average is not None:
            accelerator.register_for_checkpointing(average)
        per_epoch = -(-len(batches) // config.gradient_accumulation_steps)
        run = Run(config, trainee, per_epoch)
        schedule = self._schedule(accelerator, optimizer, run)
        return Loop(
            run,
            trained=trained,
            accelerator=accelerator,
            module=module,
            # Last: torch's schedule watches the steps of an optimizer as it is then.
            optimizer=accelerator.prepare(optimizer),
            schedule=schedule,
            objective=objective,
            samples=prepared,
            batches=batches,
            evaluation=evaluation,
            callbacks=[
                *self._own_callbacks(),
                *(self.shown_callbacks if self._shown else ()),
                *self.worker_callbacks,
            ],
            keeping=self.keeping,
            mixing=make_mixing(config, len(self.samples.classes)),
            average=average,
        )

    def _trainee(self, objective: Objective) -> Trainee:
        classes = self.samples.classes if objective.needs_head else ()
        return self.operator.trainee(classes)

    def _batches(self, prepared: Prepared) -> tuple[Any, Any]:
        batches = training_batches(prepared, self.config)
        if self.evaluation is None:
            return batches, None
        judged = Prepared(
            self.evaluation.with_classes(self.samples.classes),
            self.operator.prepare,
            self.config.seed,
        )
        return batches, evaluation_batches(judged, self.config)

    def _schedule(self, accelerator: Accelerator, optimizer: Any, run: Run) -> Any:  # noqa: ANN401
        # accelerate's own wrapper would take a step for each process.
        schedule = make_schedule(optimizer, self.config, run.steps)
        accelerator.register_for_checkpointing(schedule)
        return schedule

    def _own_callbacks(self) -> list[Callback]:
        from towhee.trainer import callbacks  # noqa: PLC0415  (rich, as it is used)

        config = self.config
        made: list[Callback] = []
        if config.early_stopping is not None:
            made.append(callbacks.EarlyStopping(**config.early_stopping))
        if config.tensorboard is not None:
            made.append(callbacks.TensorBoard(**config.tensorboard))
        return made

    @property
    def worker_callbacks(self) -> list[Callback]:
        """The user's, but for those that show."""
        return [each for each in self.callbacks if not each.shows]

    @property
    def shown_callbacks(self) -> list[Callback]:
        """Those that show how it goes on, the user's and one of ours."""
        from towhee.trainer import callbacks  # noqa: PLC0415  (rich, as it is used)

        steps = self.config.print_steps
        given = [each for each in self.callbacks if each.shows]
        if steps is not None:
            return [callbacks.Printing(steps), *given]
        if any(isinstance(each, callbacks.ProgressBar) for each in given):
            return given
        return [callbacks.ProgressBar(), *given]

    def _adopt(self, loop: Loop) -> None:
        """Give the operator the weights alone, in modules as it makes them."""
        self._selection.merge()
        trainee = loop.run.trainee
        adopt(self.operator, trainee.classes, weights(trainee))


def weights(trainee: Trainee) -> Weights:
    """Those of the network and of the head, on the processor."""
    heads = {} if trainee.head is None else trainee.head.state_dict()
    network, head = (
        {name: each.detach().cpu() for name, each in state.items()}
        for state in (trainee.network.state_dict(), heads)
    )
    return network, head


def adopt(
    operator: TrainableOperator, classes: Sequence[str], found: Weights
) -> Trainee:
    """Let an operator embed with these weights, in modules as it makes them."""
    network, head = found
    trainee = operator.trainee(classes)
    trainee.network.load_state_dict(network)
    if trainee.head is not None and head:
        trainee.head.load_state_dict(head)
    operator.adopt(trainee)
    return trainee


def _as_configured(
    module: Any,  # noqa: ANN401
    accelerator: Accelerator,
    config: TrainingConfig,
) -> Any:  # noqa: ANN401
    from torch.nn import SyncBatchNorm

    from towhee.trainer.trainee_module import freeze_normalisations  # noqa: PLC0415

    if config.freeze_bn:
        freeze_normalisations(module)
    if config.sync_bn and accelerator.num_processes > 1:
        convert: Any = SyncBatchNorm.convert_sync_batchnorm
        return convert(module)
    return module


def check_packages() -> None:
    """Tell of what is missing before a long training, rather than after it.

    :raises MissingExtra: naming the first package.
    """
    with needed_for("Training", extra="train"):
        for name in ("accelerate", "safetensors", "matplotlib"):
            import_module(name)


def train(  # noqa: PLR0913  (what a training is of)
    operator: TrainableOperator,
    config: TrainingConfig | None,
    train_dataset: Any,  # noqa: ANN401
    eval_dataset: Any = None,  # noqa: ANN401
    *,
    callbacks: Sequence[Callback] = (),
    resume: bool | str | Path = False,
    repository: Repository | None = None,
    crew: Crew | None = None,
    remote: Callable[[], TrainableOperator] | None = None,
) -> TrainingResult:
    """Train an operator of one's own instance; see ``Training``.

    :param crew: workers of Ray that train it; None for this process.
    :param remote: gives such a worker the operator; by default it is pickled.
    :raises MissingExtra: if what training needs is not installed.
    """
    if train_dataset is None:
        raise CannotTrain(
            "There are no images to train on",
            hint="Give `train_dataset`, such as `dataset('train')` of `towhee.data`",
        )
    check_packages()
    found = resume if isinstance(resume, bool) else Path(resume)
    training = Training(
        operator,
        config or TrainingConfig(),
        train_dataset,
        eval_dataset,
        callbacks,
        repository=repository,
    )
    if crew is None:
        return training.start(resume=found)
    from towhee.trainer.on_ray.driver import OnRay  # noqa: PLC0415  (only with Ray)

    fit = OnRay(training, crew, remote or partial(_itself, operator)).fit
    return training.start(resume=found, fit=fit)


def _itself(operator: TrainableOperator) -> TrainableOperator:
    return operator
