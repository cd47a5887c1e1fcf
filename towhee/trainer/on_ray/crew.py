"""Where a training runs, and the workers that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towhee.executors import DEFAULT_ENGINE, InvalidEngineOptions, UnknownEngine
from towhee.executors.ray.cluster import check_ray
from towhee.executors.ray.stages import InvalidResources, Workers

if TYPE_CHECKING:
    from collections.abc import Mapping

RAY = "ray"


@dataclass(frozen=True, slots=True)
class Crew:
    """Workers that train one model together.

    :param workers: what each gets; their ``concurrency`` is how many there are.
    :param max_failures: how often the training goes on from its last checkpoint after
        workers were lost.
    """

    workers: Workers
    max_failures: int = 0

    @property
    def size(self) -> int:
        """How many workers there are."""
        size = self.workers.concurrency
        assert isinstance(size, int)
        return size

    @property
    def resources(self) -> dict[str, float]:
        """Of each worker, in Ray's words."""
        wanted = self.workers
        memory = {"memory": wanted.memory} if wanted.memory else {}
        gpus = {"GPU": wanted.num_gpus} if wanted.num_gpus else {}
        return {"CPU": wanted.num_cpus, **gpus, **memory}


def crew(engine: str, options: Mapping[str, Any]) -> Crew | None:
    """The workers that ``train(engine=…, **options)`` asks for; None for this process.

    :raises InvalidEngineOptions: if the engine does not take these.
    :raises InvalidResources: for values that are out of range.
    :raises RayMissing: if Ray is not installed.
    :raises UnknownEngine: if it is neither ``local`` nor ``ray``.
    """
    if engine == DEFAULT_ENGINE:
        if options:
            raise InvalidEngineOptions(
                f"The engine `{engine}` does not take these options: "
                + ", ".join(f"`{name}`" for name in options),
                hint=f"Add `engine='{RAY}'`; torchrun starts processes of this machine",
            )
        return None
    if engine != RAY:
        raise UnknownEngine(
            f"No engine that trains is named `{engine}`, known: "
            f"`{DEFAULT_ENGINE}`, `{RAY}`",
            hint=f"Use `engine='{RAY}'`, or leave it out",
        )
    known = ("num_workers", "num_cpus", "num_gpus", "memory", "max_failures")
    if unknown := [f"`{name}`" for name in options if name not in known]:
        raise InvalidEngineOptions(
            f"The engine `{engine}` does not take these options: {', '.join(unknown)}",
            hint=f"It takes {', '.join(known)} where it trains",
        )
    made = _crew(**options)
    check_ray()
    return made


def _crew(num_workers: int = 1, max_failures: int = 0, **wanted: Any) -> Crew:  # noqa: ANN401  (checked below)
    for name, value, least in (
        ("num_workers", num_workers, 1),
        ("max_failures", max_failures, 0),
    ):
        if type(value) is not int or value < least:
            raise InvalidResources(
                f"{name}: expected a whole number, {least} or more, got {value!r}"
            )
    return Crew(Workers(**wanted, concurrency=num_workers), max_failures)
