"""How a run of operators is carried out: what decides its speed, not its results."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, get_args

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Mapping

Arrangement: TypeAlias = Literal["rows", "phases", "overlap"]
"""Who works when.

``rows``: each thread carries a few whole rows at a time through every operator, and
computes the model by itself. ``phases``: all threads prepare a block, then the model
has the machine to itself. ``overlap``: some threads prepare while one predicts.
"""
Allocator: TypeAlias = Literal["default", "keep"]
"""``keep``: memory that a model frees stays with the process for its next layer."""

_SMALLEST_BLOCK = 32
_ROWS_A_THREAD = 4


class InvalidPlan(HubError, ValueError):
    """A plan holds what no run can be made of."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A choice for everything that changes the speed of a run of operators.

    >>> print(Plan("rows", batch_size=4, threads=2, model_threads=1))
    rows, 2 threads, batches of 4, 1 thread a model call
    """

    arrangement: Arrangement = "phases"
    batch_size: int = 8
    """Rows that ``predict`` gets at once; fewer at the end, or if they do not fit."""
    threads: int = 1
    """Threads that decode and prepare; in ``rows`` they predict, too."""
    model_threads: int | None = None
    """Threads that one call of ``predict`` may use; None leaves that to the backend."""
    settings: tuple[tuple[str, Any], ...] = ()
    """What the model's ``configure`` is told; its own defaults where it is silent."""
    allocator: Allocator = "default"

    def __post_init__(self) -> None:
        """Check each choice.

        :raises InvalidPlan: with every problem.
        """
        counts: tuple[object, ...] = (
            self.batch_size,
            self.threads,
            self.model_threads or 1,
        )
        problems = [
            f"{name}: expected one of {', '.join(map(repr, known))}, got {value!r}"
            for name, value, known in (
                ("arrangement", self.arrangement, get_args(Arrangement)),
                ("allocator", self.allocator, get_args(Allocator)),
            )
            if value not in known
        ]
        if not all(isinstance(number, int) and number > 0 for number in counts):
            problems.append("batch_size and threads: expected positive integers")
        if problems:
            raise InvalidPlan("No run can be planned so: " + "; ".join(problems))

    @property
    def block(self) -> int:
        """Rows that a turn of this plan takes; a measurement takes some of them."""
        if self.arrangement == "rows":
            return self.threads * self.batch_size
        if self.arrangement == "overlap":
            return self.batch_size
        wanted = max(_SMALLEST_BLOCK, _ROWS_A_THREAD * self.threads)
        return -(-wanted // self.batch_size) * self.batch_size

    @property
    def chunk(self) -> int:
        """Rows that a thread of ``overlap`` prepares at once."""
        return max(1, self.batch_size // (2 * self.threads))

    def chunks_ahead(self, window: int) -> int:
        """How many of them it prepares ahead of a model that takes ``window`` rows.

        >>> Plan("overlap", batch_size=32, threads=2).chunks_ahead(32)
        8
        """
        return 2 * max(self.threads, window // self.chunk)

    def but(self, **changes: Any) -> Self:  # noqa: ANN401  (fields of this class)
        """The same plan with other fields.

        >>> Plan().but(batch_size=32).block
        32
        """
        return replace(self, **changes)

    def with_setting(self, name: str, choice: object) -> Self:
        """The same plan with one of the model's settings chosen.

        >>> Plan().with_setting("memory_format", "channels_last").settings
        (('memory_format', 'channels_last'),)
        """
        return self.but(settings=tuple({**dict(self.settings), name: choice}.items()))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` gave.

        :raises InvalidPlan: if it is something else.
        """
        known = {field.name for field in fields(cls)}
        try:
            settings = tuple(dict(document["settings"]).items())
            values = {key: document[key] for key in known - {"settings"}}
            return cls(**values, settings=settings)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidPlan(f"Not a plan: {document!r}") from error

    def to_dict(self) -> dict[str, Any]:
        """This plan as JSON values.

        >>> Plan.from_dict(Plan("rows").to_dict()) == Plan("rows")
        True
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "settings": dict(self.settings)}

    def __str__(self) -> str:
        words = [
            self.arrangement,
            _counted(self.threads, "thread"),
            f"batches of {self.batch_size}",
        ]
        if self.model_threads is not None:
            words.append(f"{_counted(self.model_threads, 'thread')} a model call")
        words += [f"{name} {value}" for name, value in self.settings]
        if self.allocator == "keep":
            words.append("memory kept")
        return ", ".join(words)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
