"""A pipeline to call: bound once, then one value or a list at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, overload

from plugin_spec.names import OperatorName
from towhee.binding import bind
from towhee.bound import BoundOperator
from towhee.chain import Engine
from towhee.executors import DEFAULT_ENGINE
from towhee.executors.engines import get_executor
from towhee.outcome import OperatorFailed, short_repr
from towhee.pipelines import OperatorCall, Pipeline
from towhee.sources import Sources, space_from
from towhee.trained_weights import shipped, trainable_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from plugin_spec.attribution.heatmap import Heatmap
    from plugin_spec.spaces import EmbeddingSpace
    from towhee.bound import BoundPipeline
    from towhee.executors.explanation import Explanation
    from towhee.executors.profile import Profile
    from towhee.outcome import Outcome
    from towhee.pipelines import Call
    from towhee.trainer.callbacks import Callback
    from towhee.trainer.training_config import TrainingConfig
    from towhee.trainer.training_result import TrainingResult

_PLAN: Final = object()
"""Stands for no image."""

_LOCAL: Final = Engine()


def pipeline(
    name: str, *, engine: str = DEFAULT_ENGINE, **options: object
) -> CallablePipeline:
    """Find a pipeline, or an operator, by name; what is missing is installed.

    ``pipeline("image-embedding-resnet50")("photo.jpg")`` is the photo's vector. An
    option goes to every step that has one of that name.

    :param engine: what runs it over many values; ``set_engine`` takes its options, too.
    :raises UnknownEngine: at once, with the engines that are installed.
    :raises UnknownOperator: with the nearest names.
    :raises InvalidOptions: with every option that no step takes.
    :raises TypeError: for what is no text.
    """
    if not isinstance(name, str):
        raise TypeError(
            "`pipeline` takes a name such as 'image-embedding-resnet50', "
            f"not {short_repr(name)}"
        )
    call = OperatorCall(OperatorName.parse(name), tuple(options.items()))
    return CallablePipeline(Pipeline((call,)), Engine(engine))


class CallablePipeline:
    """A bound pipeline; its operators are loaded when it is first called."""

    def __init__(self, pipeline: Pipeline, engine: Engine = _LOCAL) -> None:
        self._executor = engine.executor()
        self._engine = engine
        self._pipeline = pipeline
        self._bound = bind(pipeline)
        self._trainings = 0
        self._steps = [
            step for step in self._bound.steps if isinstance(step, BoundOperator)
        ]

    @property
    def calls(self) -> tuple[Call, ...]:
        """What was asked for."""
        return self._pipeline.calls

    @property
    def bound(self) -> BoundPipeline:
        """What was found."""
        return self._bound

    @property
    def engine(self) -> str:
        """What runs it over many values."""
        return self._engine.name

    def set_engine(self, name: str, **options: object) -> Self:
        """Give the same pipeline on another engine; ``local`` is this process.

        ``pipeline("image-embedding-resnet50").set_engine("ray", num_cpus=2)`` embeds
        lists of photos in Ray's workers. Operators, loaded and trained, are shared.

        :param options: as the engine takes them.
        :raises InvalidEngineOptions: if it does not take these.
        :raises UnknownEngine: at once, with the engines that are installed.
        """
        engine = Engine(name, tuple(options.items()))
        made = object.__new__(type(self))
        changes = {"_engine": engine, "_executor": engine.executor()}
        made.__dict__.update(self.__dict__ | changes)
        return made

    @property
    def space(self) -> EmbeddingSpace | None:
        """The space of the vectors that it makes; None if it is not known.

        ``print`` shows a table. Operators are loaded for it; training changes it.
        """
        sources = Sources()
        sources.through(self._bound.steps)
        return space_from(sources.known.get(None))

    @property
    def trainings(self) -> int:
        """How often it was trained; a chain does not keep rows from before."""
        return self._trainings

    def load(self) -> Self:
        """Load every operator now, rather than at the first call."""
        self._bound.load()
        return self

    def __call__(self, value: Any) -> Any:  # noqa: ANN401  (ports give the types)
        """Process one value; a list gives a list.

        :raises OperatorFailed: naming the operator and the value.
        """
        if isinstance(value, list):
            return list(self._executor.values(self._bound, value))
        if self.engine != DEFAULT_ENGINE:
            (output,) = self._executor.values(self._bound, [value])
            return output
        for step in self._steps:
            operator = step.ready()
            try:
                value = operator.apply(value)
            except (Exception, SystemExit) as error:
                raise OperatorFailed(operator.name, value, error, row=None) from error
        return value

    def run(self, values: Iterable[object]) -> Iterator[Outcome]:
        """Process values lazily; one that fails is an outcome, and the rest go on."""
        return self._executor.run(self._bound, values)

    @property
    def operators(self) -> tuple[BoundOperator, ...]:
        """The operators that it is, in order."""
        return tuple(self._steps)

    @overload
    def explain(self) -> Explanation: ...

    @overload
    def explain(
        self, image: object, target: object = ..., method: str | None = ...
    ) -> Heatmap: ...

    def explain(
        self, image: object = _PLAN, target: object = None, method: str | None = None
    ) -> Explanation | Heatmap:
        """Show which parts of an image its vector is made of; of no image, the plan.

        Without arguments: how the next list of values would be processed, and why so.

        :param image: what a call takes.
        :param target: another image, or a vector: what makes them similar. Or a class
            that the model was trained to tell apart, by name or number. None is the
            image itself.
        :param method: ``gradcam``, ``attention-rollout`` or ``integrated-gradients``;
            by default the first that fits the model, and the target if there is one.
        :raises CannotExplain: naming what fits.
        """
        if image is not _PLAN:
            from towhee.heatmaps import explain_last  # noqa: PLC0415  (as it is used)

            return explain_last(self._steps, image, target, method)
        if target is not None or method is not None:
            raise TypeError("explain() needs an image to explain by that")
        return self._executor.explain(self._bound)

    def profile(self, values: Iterable[object]) -> Profile:
        """Process values in this process, and tell what each stage took.

        :raises OperatorFailed: on the first value that fails.
        """
        from towhee.executors.recorder import Recorder  # noqa: PLC0415  (as it is used)

        recorder = Recorder()
        for _ in get_executor(recorder=recorder).values(self._bound, values):
            pass
        return recorder.profile

    def describe(self) -> dict[str, object]:
        """What decides the results, step by step, as JSON values."""
        return {
            "pipeline": str(self._pipeline),
            "steps": [step.describe() for step in self._steps],
        }

    def train(  # noqa: PLR0913  (what a training is of)
        self,
        training_config: TrainingConfig | None = None,
        train_dataset: Any = None,  # noqa: ANN401  (whatever `dataset` opens)
        eval_dataset: Any = None,  # noqa: ANN401
        *,
        callbacks: Sequence[Callback] = (),
        resume: bool | str | Path = False,
        name: str | None = None,
        engine: str = DEFAULT_ENGINE,
        **options: Any,  # noqa: ANN401  (checked by the engine)
    ) -> TrainingResult:
        """Train the model on images with labels; from then on this embeds with it.

        So does every chain that maps this over its rows. Others that were made with the
        same options stay as they are.

        :param train_dataset: what ``towhee.data.dataset`` opens, or anything that it
            would open.
        :param callbacks: one's own, beside those of the configuration.
        :param resume: go on where a training into the same folder was killed.
        :param name: what it is published as; ``trained/`` and the folder's otherwise.
        :param engine: ``ray`` trains in ``num_workers`` of Ray's, which this one's
            weights come back from; by default in this process.
        :param options: of each such worker, ``num_cpus``, ``num_gpus`` and ``memory``;
            and ``max_failures``, how often to go on after workers were lost.
        :raises CannotTrain: if there is no model to train, or nothing to train it on.
        :raises InvalidEngineOptions: if the engine does not take these.
        :raises UnknownEngine: if it is neither ``local`` nor ``ray``.
        :raises WorkerFailed: with the worker of Ray that raised, and what.
        :raises WorkersLost: if workers of Ray died.
        """
        from towhee.trainer.on_ray.crew import crew  # noqa: PLC0415  (as used)
        from towhee.trainer.repository import Repository  # noqa: PLC0415  (as used)
        from towhee.trainer.training import train  # noqa: PLC0415

        workers = crew(engine, options)
        step = trainable_step(self._steps)
        # Before anything is loaded for training: what was trained before goes along.
        remote = None if workers is None else shipped(step)
        trained: Any = step.own().operator
        result = train(
            trained,
            training_config,
            train_dataset,
            eval_dataset,
            callbacks=callbacks,
            resume=resume,
            repository=Repository.of(self._steps, step, name),
            crew=workers,
            remote=remote,
        )
        self._trainings += 1
        return result

    def save(self, folder: str | Path) -> None:
        """Write the model to a folder that its option ``checkpoint_path`` reads.

        :raises CannotTrain: if there is no model that can be trained, and saved.
        """
        operator: Any = trainable_step(self._steps).load().operator
        operator.save(Path(folder))

    def __reduce__(self) -> tuple[object, ...]:
        made = CallablePipeline, (self._pipeline, self._engine)
        if any(step.is_trained for step in self._steps):
            return (*made, {"_bound": self._bound, "_steps": self._steps})
        return made

    def __repr__(self) -> str:
        steps = " → ".join(
            f"{step.name} {step.installed.manifest.version}" for step in self._steps
        )
        return f"<{self._pipeline}: {steps}>"
