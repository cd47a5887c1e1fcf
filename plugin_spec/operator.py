"""The base classes an operator author meets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from typing import Self

    from plugin_spec.domain import DomainWatch
    from plugin_spec.spaces import EmbeddingSpace


class Operator(ABC):
    """One step of a pipeline: values of one row in, a value of that row out.

    The constructor takes the manifest's ``parameters`` as keyword arguments. A call
    takes one value per input port, in order, and returns the value of the output port,
    or a tuple with one value per port if there are several. It must not change its
    inputs.
    """

    concurrent: ClassVar[bool] = False
    """Whether threads may call one instance at once, and gain from it.

    True for work that releases the interpreter's lock, such as decoding.
    """

    @abstractmethod
    def __call__(self, *inputs: Any) -> Any:  # noqa: ANN401  (ports give the types)
        """Process one row."""

    def describe(self) -> Mapping[str, object]:
        """What decides this instance's results, as JSON values.

        For a model: the exact weights, layer and preprocessing it runs with.
        """
        return {}

    @property
    def space(self) -> EmbeddingSpace | None:
        """The space of the vectors that this instance makes; None if it makes none.

        Asked for as often as a chain runs: what it takes to hash is to be kept.
        """
        return None

    def for_space(self, space: EmbeddingSpace) -> Self:  # noqa: ARG002
        """The same operator for vectors of a space, which are all that it is given.

        Asked before each run of a chain in which the space is known.

        :raises SpacesDiffer: if it compares them with those of another.
        """
        return self

    @property
    def is_current(self) -> bool:
        """Whether what it read of the user's files would be read of them again now.

        Asked when a chain is written: of an instance that is not, another is made.
        ``plugin_spec.file_state`` tells.
        """
        return True

    def close(self) -> None:  # noqa: B027  (most operators hold nothing to release)
        """Release what the instance holds; called once, when it is not used again."""


class ModelOperator(Operator):
    """An operator that is faster on many rows at once.

    The work is split in two, so that an executor can overlap them: ``prepare`` runs for
    one row, in several threads; ``predict`` runs for a batch, in one thread at a time.
    """

    concurrent: ClassVar[bool] = True

    batch_size: int = 8
    """How many prepared rows ``predict`` wants at once; the last may be fewer."""

    watch: DomainWatch | None = None
    """Looks at every batch, and warns of one unlike the training; for an option."""

    concurrent_predict: ClassVar[bool] = False
    """Whether threads may call ``predict`` at once, each as ``set_threads`` said."""

    @abstractmethod
    def prepare(self, *inputs: Any) -> Any:  # noqa: ANN401
        """Turn one row's inputs into what ``predict`` takes, for example a tensor."""

    @abstractmethod
    def predict(self, batch: Sequence[Any]) -> Sequence[Any]:
        """Compute one output per prepared row, in order.

        A row's output must not depend on the rows beside it.

        :raises OutOfMemory: if that many rows do not fit; half as many are tried then.
        """

    def batch_key(self, prepared: Any) -> Hashable:  # noqa: ANN401, ARG002
        """Rows whose keys are equal may share a batch.

        For ragged inputs, such as texts of several lengths.
        """
        return None

    def settings(self) -> Mapping[str, Sequence[object]]:
        """Ways to run by name, each with its choices, the default first.

        They change the speed, and results by no more than float rounding: a memory
        layout is one, a lower precision is not.
        """
        return {}

    def configure(self, **settings: Any) -> None:  # noqa: ANN401
        """Run as ``settings`` says from now on; only between calls of ``predict``.

        :param settings: a choice for each name in ``self.settings()``, or for some.
        """

    def set_threads(self, count: int) -> None:
        """Say how many threads ``predict`` may use when this thread calls it."""

    def __call__(self, *inputs: Any) -> Any:  # noqa: ANN401
        """Process one row as a batch of one."""
        return self.predict([self.prepare(*inputs)])[0]
