"""A lock as a software bill of materials, in CycloneDX's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hub_client.lockfile import LockedOperator, LockedPackage, Lockfile
    from plugin_spec.manifest import Weights
    from plugin_spec.names import OperatorName


class BillLibraryMissing(HubError, ImportError):
    """The package ``cyclonedx-python-lib`` is not installed."""


def to_sbom(lock: Lockfile, project: str) -> str:
    """The text of a CycloneDX 1.6 document; one lock gives the same bytes each time.

    Operators with their commits and tree digests, their weights, Python packages with
    the hashes of their files, and which operator needs which.

    :param project: what the bill is for, by name.
    :raises BillLibraryMissing: with the extra that brings it.
    """
    try:
        from cyclonedx.model import bom, component  # noqa: PLC0415  (an extra)
        from cyclonedx.output import make_outputter  # noqa: PLC0415
        from cyclonedx.schema import OutputFormat, SchemaVersion  # noqa: PLC0415
    except ImportError as error:
        raise BillLibraryMissing(
            "Writing a bill of materials takes the package `cyclonedx-python-lib`",
            hint="pip install 'towhee-hub[sbom]'",
        ) from error
    bill = bom.Bom(serial_number=uuid5(NAMESPACE_URL, lock.dumps()))
    bill.metadata.timestamp = None  # type: ignore[assignment]  # so that bytes repeat
    root = component.Component(
        name=project, bom_ref="project", type=component.ComponentType.APPLICATION
    )
    bill.metadata.component = root
    operators = {each.name: _operator(each) for each in lock.operators}
    packages = [_package(each) for each in lock.packages]
    weights = _weights(lock.operators)
    for each in (*operators.values(), *packages, *weights.values()):
        bill.components.add(each)
    locked: dict[str, list[Any]] = {}
    for each, part in zip(lock.packages, packages, strict=True):
        locked.setdefault(each.name, []).append(part)
    needed = {required.name for each in lock.operators for required in each.requires}
    alone = [part for name, part in operators.items() if name not in needed]
    bill.register_dependency(root, [*alone, *packages])
    for each in lock.operators:
        needs = _needs(each, operators, weights, locked)
        bill.register_dependency(operators[each.name], needs)
    outputter = make_outputter(bill, OutputFormat.JSON, SchemaVersion.V1_6)
    return f"{outputter.output_as_string(indent=2)}\n"


def _needs(
    operator: LockedOperator,
    operators: Mapping[OperatorName, Any],
    weights: Mapping[str, Any],
    packages: Mapping[str, list[Any]],
) -> list[Any]:
    """What an operator asks for; of a package, the pins for every platform."""
    asked = (canonicalize_name(Requirement(each).name) for each in operator.packages)
    return [
        *(operators[each.name] for each in operator.requires),
        *(weights[_reference(each)] for each in operator.weights),
        *(part for name in dict.fromkeys(asked) for part in packages.get(name, ())),
    ]


def _operator(operator: LockedOperator) -> Any:  # noqa: ANN401  (the library's own type)
    from cyclonedx.model import Property, component  # noqa: PLC0415  (as above)

    said = {
        "source": operator.source,
        "revision": operator.revision,
        "ref": operator.ref,
        "manifest": operator.manifest,
        "signer": operator.signer,
        "yanked": operator.yanked,
    }
    return component.Component(
        group=operator.name.namespace,
        name=operator.name.name,
        version=str(operator.version),
        bom_ref=f"operator:{operator.name}",
        hashes=[_hash(operator.tree)],
        properties=[
            Property(name=f"towhee-hub:{key}", value=value)
            for key, value in said.items()
            if value is not None
        ],
    )


def _package(package: LockedPackage) -> Any:  # noqa: ANN401
    from cyclonedx.model import Property, component  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    address = PackageURL("pypi", None, package.name, package.version)
    marker = package.marker
    return component.Component(
        name=package.name,
        version=package.version,
        purl=address,
        bom_ref=f"{address}{f' ; {marker}' if marker else ''}",
        hashes=[_hash(each) for each in sorted(package.hashes)],
        properties=[Property(name="towhee-hub:marker", value=marker)] if marker else [],
    )


def _weights(operators: Iterable[LockedOperator]) -> dict[str, Any]:
    from cyclonedx.model import component  # noqa: PLC0415

    return {
        _reference(each): component.Component(
            name=f"{each.repo}/{each.file}",
            version=each.revision,
            type=component.ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref=_reference(each),
            hashes=[_hash(each.sha256)] if each.sha256 else [],
        )
        for operator in operators
        for each in operator.weights
    }


def _reference(weights: Weights) -> str:
    return f"weights:{weights.repo}/{weights.file}"


def _hash(digest: str) -> Any:  # noqa: ANN401
    from cyclonedx.model import HashAlgorithm, HashType  # noqa: PLC0415

    content = digest.removeprefix("sha256:")
    return HashType(alg=HashAlgorithm.SHA_256, content=content)
