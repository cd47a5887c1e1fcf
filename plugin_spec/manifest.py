"""The manifest: what ``operator.yaml`` says, validated once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.requirements import Requirement as PackageRequirement
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from plugin_spec.names import OperatorName
    from plugin_spec.port import Port
    from plugin_spec.requirement import Requirement


@dataclass(frozen=True, slots=True)
class Step:
    """One operator call of a pipeline manifest.

    An option whose value is ``{file: PATH}`` names a file of the pipeline's own tree.
    """

    requirement: Requirement
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights that the operator loads when its options match ``when``."""

    when: Mapping[str, Any]
    repo: str
    file: str
    revision: str | None = None
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A valid manifest."""

    name: OperatorName
    version: Version
    kind: Literal["operator", "pipeline"]
    summary: str
    license: str
    module: str | None
    requires_python: SpecifierSet
    operators: tuple[Requirement, ...]
    packages: tuple[PackageRequirement, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    steps: tuple[Step, ...]
    weights: tuple[Weights, ...]

    @property
    def dependencies(self) -> tuple[Requirement, ...]:
        """Operators this one needs: those it names and those its steps call."""
        return (*self.operators, *(step.requirement for step in self.steps))

    @classmethod
    def from_yaml(cls, text: bytes, *, source: str = "operator.yaml") -> Self:
        """Parse and validate.

        :raises InvalidManifest: with every problem, each with its line and its path.
        """
        raise NotImplementedError

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, source: str = "operator.yaml"
    ) -> Self:
        """Validate.

        :raises InvalidManifest: with every problem, each with its path.
        """
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The manifest as JSON values; ``from_dict`` reads it back."""
        raise NotImplementedError
