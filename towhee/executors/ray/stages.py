"""What runs where: a chain, split where the wanted resources change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from plugin_spec.errors import HubError
from towhee.bound import BoundOperator, BoundPipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Concurrency: TypeAlias = int | tuple[int, int]
"""How many workers, or the fewest and the most."""


class InvalidResources(HubError, ValueError):
    """What workers are to have is not what a chain, or a cluster, can give them."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes that hold the operators of a stage, and what each of them gets."""

    num_cpus: float = 1
    """Processors; as many threads carry rows, and not less than one."""
    num_gpus: float = 0
    memory: int | None = None
    """Bytes; None asks for no certain amount."""
    concurrency: Concurrency | None = None
    """None stands for as many as the cluster has room for."""

    def __post_init__(self) -> None:
        """Check each value.

        :raises InvalidResources: with every problem.
        """
        problems = [
            f"{name}: expected a number, 0 or more, got {value!r}"
            for name, value in (
                ("num_cpus", self.num_cpus),
                ("num_gpus", self.num_gpus),
                ("memory", self.memory or 0),
            )
            if not _is_amount(value)
        ]
        if not _is_concurrency(self.concurrency):
            problems.append(
                "concurrency: expected a number, 1 or more, or the fewest and the most,"
                f" got {self.concurrency!r}"
            )
        if problems:
            raise InvalidResources("; ".join(problems))

    @property
    def threads(self) -> int:
        """Threads that carry rows in one worker."""
        return max(1, int(self.num_cpus))

    def room(self, nodes: Iterable[Mapping[str, float]]) -> int:
        """How many of them nodes with these resources have room for.

        >>> Workers(num_cpus=2).room([{"CPU": 4.0}, {"CPU": 3.0, "GPU": 1.0}])
        3
        """
        wanted = {"CPU": self.num_cpus, "GPU": self.num_gpus, "memory": self.memory}
        needs = {name: amount for name, amount in wanted.items() if amount}
        return sum(
            min(int(node.get(name, 0) // amount) for name, amount in needs.items())
            if needs
            else int(node.get("CPU", 1))
            for node in nodes
        )

    def __str__(self) -> str:
        memory = {} if self.memory is None else {"memory": self.memory}
        gpus = {"num_gpus": self.num_gpus} if self.num_gpus else {}
        wanted = {"num_cpus": self.num_cpus, **gpus, **memory}
        return ", ".join(f"{name}={amount}" for name, amount in wanted.items())


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that one kind of worker carries each row through."""

    pipeline: BoundPipeline
    workers: Workers


def stages(
    bound: BoundPipeline, default: Workers, resources: Mapping[str, Mapping[str, Any]]
) -> tuple[Stage, ...]:
    """Split a chain; whole rows stay in one worker unless an operator wants another.

    A function stays with what is before it.

    :param resources: by operator, what differs from ``default``.
    :raises InvalidResources: for a name that is not in the chain.
    """
    named = {str(step.name) for step in bound.steps if isinstance(step, BoundOperator)}
    if unknown := [f"`{name}`" for name in resources if name not in named]:
        known = ", ".join(f"`{name}`" for name in sorted(named)) or "no operator"
        raise InvalidResources(
            f"`resources` names {', '.join(unknown)}, and the chain has {known}",
            hint="Write `namespace/name`, as `hub list` shows it",
        )
    wanted = {name: workers(default, resources[name]) for name in resources}
    placed = list(_placed(bound, default, wanted))
    return tuple(
        Stage(BoundPipeline(tuple((step,) for step, _ in group)), kind)
        for kind, group in groupby(placed, key=lambda pair: pair[1])
    ) or (Stage(bound, default),)


def workers(default: Workers, changes: Mapping[str, Any]) -> Workers:
    """Workers as ``default`` says, but for ``changes``.

    :raises InvalidResources: naming what can be asked for.
    """
    if not isinstance(changes, Mapping):
        raise InvalidResources(f"resources: expected what to have, got {changes!r}")
    known = Workers.__dataclass_fields__
    if unknown := [f"`{name}`" for name in changes if name not in known]:
        raise InvalidResources(
            f"There is no resource {', '.join(unknown)}",
            hint=f"Ask for {', '.join(f'`{name}`' for name in known)}",
        )
    return replace(default, **changes)


def _placed(
    bound: BoundPipeline, default: Workers, wanted: Mapping[str, Workers]
) -> Iterator[tuple[Any, Workers]]:
    steps = bound.steps
    operators = [step for step in steps if isinstance(step, BoundOperator)]
    # Functions at the start stay with the first operator.
    kind = wanted.get(str(operators[0].name), default) if operators else default
    for step in steps:
        if isinstance(step, BoundOperator):
            kind = wanted.get(str(step.name), default)
        yield step, kind


def _is_amount(value: object) -> bool:
    return type(value) in {int, float} and 0 <= cast("float", value) < inf


def _is_concurrency(value: object) -> bool:
    if value is None:
        return True
    sizes = value if isinstance(value, tuple | list) else (value, value)
    return (
        len(sizes) == 2  # noqa: PLR2004  (the fewest and the most)
        and all(type(size) is int for size in sizes)
        and 1 <= sizes[0] <= sizes[1]
    )
