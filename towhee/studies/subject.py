"""What makes vectors of image files: an operator or a pipeline, of any version."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_client.environment import Environment
from hub_client.installed import find_installed
from hub_client.installer import Installer
from hub_client.on_demand import ensure_installed
from plugin_spec.requirement import Requirement
from towhee.binding import bind_found
from towhee.bound import BoundPipeline
from towhee.data.folder import read_image
from towhee.executors.engines import get_executor
from towhee.pipelines import FunctionCall
from towhee.sources import Sources, space_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from hub_client.cli.session import Session
    from hub_client.installed import InstalledOperator
    from plugin_spec.spaces import EmbeddingSpace
    from towhee.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Subject:
    """Steps from an image file to its vector."""

    name: str
    """Name and version, with the options that were given."""
    bound: BoundPipeline

    @classmethod
    def open(
        cls, text: str, options: Mapping[str, object], session: Session
    ) -> Subject:
        """Find and load it.

        :param text: a name, or one with a version: ``image-embedding/timm==1.0.0``,
            which is fetched beside the one that is installed.
        """
        installed = _find(Requirement.parse(text), session)
        steps = bind_found(installed, options)
        takes = steps[0].installed.manifest.inputs[0].types
        reading = () if "path" in takes else ((FunctionCall("map", _pixels),),)
        bound = BoundPipeline((*reading, steps))
        bound.load()
        told = ", ".join(f"{key}={value}" for key, value in options.items())
        name = f"{installed.manifest.name} {installed.manifest.version}"
        return cls(f"{name} ({told})" if told else name, bound)

    @property
    def space(self) -> EmbeddingSpace | None:
        """The space of the vectors, if it is known."""
        sources = Sources()
        sources.through(self.bound.steps)
        return space_from(sources.known.get(None))

    def embed(self, files: Sequence[Path]) -> Iterator[Outcome]:
        """The vector of each file, in order, or why there is none."""
        return get_executor().run(self.bound, map(str, files))


def _find(requirement: Requirement, session: Session) -> InstalledOperator:
    environment, store = Environment.current(), session.store()
    here = find_installed(requirement.name, environment, store)
    if not requirement.specifier or (
        here and requirement.accepts(here.manifest.version)
    ):
        (found,) = ensure_installed([requirement], announce=_announce)
        return found
    installer = Installer(
        environment,
        store,
        session.router(),
        session.config(),
        warn=session.console.warn,
    )
    return installer.fetch_beside(requirement)


def _pixels(file: str) -> NDArray[Any]:
    import numpy as np

    return np.asarray(read_image(Path(file)))


def _announce(message: str) -> None:
    print(message, file=sys.stderr, flush=True)  # noqa: T201  (what the user waits for)
