"""The manifest: what ``operator.yaml`` says, validated once."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from packaging.requirements import Requirement as PackageRequirement
from packaging.version import Version

from plugin_spec.errors import InvalidManifest, OtherOperator
from plugin_spec.names import OperatorName
from plugin_spec.port import Port
from plugin_spec.requirement import Requirement, parse_specifier
from plugin_spec.spaces import EmbeddingSpace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.specifiers import SpecifierSet

SPEC: Final = 1
"""The version of the format that this code reads and writes."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operator call of a pipeline manifest.

    An option whose value is ``{file: PATH}`` names a file of the pipeline's own tree.
    """

    requirement: Requirement
    options: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights that the operator loads when its options match ``when``.

    An option that is None in ``when`` is not given.
    """

    when: Mapping[str, Any] = field(hash=False)
    repo: str
    file: str
    revision: str | None = None
    sha256: str | None = None
    size: int | None = None

    def may_serve(self, options: Mapping[str, Any]) -> bool:
        """Whether a call with these options may load it.

        >>> default = Weights({"checkpoint_path": None}, "acme/a", "a.safetensors")
        >>> default.may_serve({}), default.may_serve({"checkpoint_path": "own"})
        (True, False)

        A model may go by several names, so only what is not given is compared.
        """
        return all(
            wanted is not None or options.get(option) is None
            for option, wanted in self.when.items()
        )


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
    parameters: Mapping[str, Mapping[str, Any]] = field(hash=False)
    steps: tuple[Step, ...]
    weights: tuple[Weights, ...]
    training: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """On what, from which base, and with which metrics; empty if nothing is said."""
    space: EmbeddingSpace | None = None
    """Of its vectors, with no option given; None if it is not said."""

    @property
    def dependencies(self) -> tuple[Requirement, ...]:
        """Operators this one needs: those it names and those its steps call."""
        return (*self.operators, *(step.requirement for step in self.steps))

    @classmethod
    def from_yaml(cls, text: bytes, *, source: str = "operator.yaml") -> Self:
        """Parse and validate.

        :raises InvalidManifest: with every problem, each with its line and its path.
        """
        from plugin_spec import strict_yaml, validation  # noqa: PLC0415  (slow)

        try:
            document = strict_yaml.read_yaml(text)
        except strict_yaml.UnreadableYaml as error:
            place = f"line {error.line}: " if error.line else ""
            raise InvalidManifest(source, [f"{place}{error}"]) from error
        if problems := validation.find_problems(document):
            raise InvalidManifest(source, problems)
        return cls._from_valid(document.value)

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, source: str = "operator.yaml"
    ) -> Self:
        """Validate.

        :raises InvalidManifest: with every problem, each with its path.
        """
        from plugin_spec import validation  # noqa: PLC0415  (slow)

        if problems := validation.find_problems(validation.document_of(data)):
            raise InvalidManifest(source, problems)
        # A copy, so that nobody can change a valid manifest from outside.
        return cls._from_valid(copy.deepcopy(dict(data)))

    def to_dict(self) -> dict[str, Any]:
        """The manifest as JSON values; ``from_dict`` reads it back."""
        requires = {
            "python": str(self.requires_python),
            "operators": [str(each) for each in self.operators],
            "packages": [str(each) for each in self.packages],
        }
        data = {
            "spec": SPEC,
            "name": str(self.name),
            "version": str(self.version),
            "kind": self.kind,
            "summary": self.summary,
            "license": self.license,
            **_present(module=self.module),
            **_present(requires=_present(**requires)),
            "inputs": [_port_to_dict(port) for port in self.inputs],
            "outputs": [_port_to_dict(port) for port in self.outputs],
            **_present(
                parameters=dict(self.parameters),
                steps=[_step_to_dict(step) for step in self.steps],
                weights=[_weights_to_dict(weights) for weights in self.weights],
                space=None if self.space is None else self.space.stated(),
                training=dict(self.training),
            ),
        }
        return copy.deepcopy(data)

    def expect(
        self, name: OperatorName, version: Version | None, *, source: str
    ) -> Self:
        """Give the manifest itself if it is what its place promised.

        :param version: what the tag or folder says; None if it says nothing.
        :raises InvalidManifest: naming what was expected and what was found.
        """
        promised = f"{name} {version or ''}".rstrip()
        found = f"{self.name} {self.version}" if version else f"{self.name}"
        if (name, version or self.version) != (self.name, self.version):
            problem = f"expected `{promised}`, as its place says, got `{found}`"
            error = InvalidManifest if name == self.name else OtherOperator
            raise error(source, [problem])
        return self

    @classmethod
    def _from_valid(cls, data: Mapping[str, Any]) -> Self:
        requires = data.get("requires", {})
        return cls(
            name=OperatorName.parse(data["name"]),
            version=Version(data["version"]),
            kind=data["kind"],
            summary=data["summary"],
            license=data["license"],
            module=data.get("module"),
            requires_python=parse_specifier(requires.get("python", "")),
            operators=tuple(map(Requirement.parse, requires.get("operators", ()))),
            packages=tuple(map(PackageRequirement, requires.get("packages", ()))),
            inputs=tuple(map(_port_from_dict, data["inputs"])),
            outputs=tuple(map(_port_from_dict, data["outputs"])),
            parameters=data.get("parameters", {}),
            steps=tuple(map(_step_from_dict, data.get("steps", ()))),
            weights=tuple(map(_weights_from_dict, data.get("weights", ()))),
            training=data.get("training", {}),
            space=EmbeddingSpace(**data["space"]) if "space" in data else None,
        )


def _present(**values: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON values)
    empty: tuple[Any, ...] = (None, "", [], {})
    return {key: value for key, value in values.items() if value not in empty}


def _port_from_dict(data: Mapping[str, Any]) -> Port:
    types, shape = data["type"], data.get("shape")
    return Port(
        name=data["name"],
        types=(types,) if isinstance(types, str) else tuple(types),
        dtype=data.get("dtype"),
        shape=None if shape is None else tuple(shape),
        color=data.get("color"),
    )


def _port_to_dict(port: Port) -> dict[str, Any]:
    types = port.types[0] if len(port.types) == 1 else list(port.types)
    # An empty shape is a shape: that of a scalar.
    shape = {} if port.shape is None else {"shape": list(port.shape)}
    rest = _present(dtype=port.dtype, color=port.color)
    return {"name": port.name, "type": types, **shape, **rest}


def _step_from_dict(data: Mapping[str, Any]) -> Step:
    return Step(Requirement.parse(data["operator"]), data.get("with", {}))


def _step_to_dict(step: Step) -> dict[str, Any]:
    options = _present(**{"with": dict(step.options)})
    return {"operator": str(step.requirement), **options}


def _weights_from_dict(data: Mapping[str, Any]) -> Weights:
    rest = {key: value for key, value in data.items() if key != "for"}
    return Weights(when=data.get("for", {}), **rest)


def _weights_to_dict(weights: Weights) -> dict[str, Any]:
    return {
        **_present(**{"for": dict(weights.when)}),
        "repo": weights.repo,
        "file": weights.file,
        **_present(revision=weights.revision, sha256=weights.sha256, size=weights.size),
    }
