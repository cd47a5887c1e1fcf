"""From a pipeline to operators that fit each other, before any of them is loaded."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError, InvalidOperator
from towhee.bound import BoundOperator, BoundPipeline
from towhee.declared_space import DeclaredSpace
from towhee.options import InvalidOptions, checked_options, unknown_option
from towhee.pipelines import FunctionCall, OperatorCall
from towhee.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from hub_client.installed import InstalledOperator
    from plugin_spec.names import OperatorName
    from plugin_spec.port import Port
    from plugin_spec.requirement import Requirement
    from towhee.pipelines import Pipeline
    from towhee.sources import Known

    _Ports: TypeAlias = tuple[Port, ...]
    _Known: TypeAlias = tuple[BoundOperator, _Ports]


class PortMismatch(HubError, TypeError):
    """An operator cannot take what the one before it gives."""


def bind(pipeline: Pipeline, known: Known | None = None) -> BoundPipeline:
    """Find every operator, installing what is missing, and check that they fit.

    A call of a pipeline repository becomes the steps of its manifest.

    :param known: what made the vectors that rows begin with.
    :raises PortMismatch: naming both operators and both ports.
    :raises InvalidOptions: with every option that no step takes.
    """
    names = [call.name for call in pipeline.calls if isinstance(call, OperatorCall)]
    if not names:
        # Chains of one row and a function or two are made by the thousand.
        return BoundPipeline(tuple((call,) for call in pipeline.calls))  # type: ignore[misc]  # there are only functions
    found = _find(map(_any_version, dict.fromkeys(names)))
    bound = BoundPipeline(
        tuple(
            (call,)
            if isinstance(call, FunctionCall)
            else _in_columns(call, _expand(found[call.name], dict(call.options)))
            for call in pipeline.calls
        )
    )
    _check_ports(bound.steps)
    sources = Sources(known)
    return BoundPipeline(tuple(sources.through(group) for group in bound.groups))


def bind_found(
    installed: InstalledOperator, options: Mapping[str, object]
) -> tuple[BoundOperator, ...]:
    """Give the steps of an operator, or of a pipeline, that was found already.

    :raises PortMismatch: as ``bind``.
    :raises InvalidOptions: as ``bind``.
    """
    steps = _expand(installed, options)
    _check_ports(steps)
    return Sources().through(steps)  # type: ignore[return-value]  # operators stay operators


def _any_version(name: OperatorName) -> Requirement:
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415

    from plugin_spec.requirement import Requirement  # noqa: PLC0415

    return Requirement(name, SpecifierSet())


def _find(
    requirements: Iterable[Requirement],
) -> dict[OperatorName, InstalledOperator]:
    wanted = tuple(requirements)
    if not wanted:
        return {}
    from hub_client.on_demand import ensure_installed  # noqa: PLC0415  (as it is used)

    installed = ensure_installed(wanted, announce=_announce)
    return {operator.manifest.name: operator for operator in installed}


def _announce(message: str) -> None:
    print(message, file=sys.stderr, flush=True)  # noqa: T201  (what the user waits for)


def _expand(
    installed: InstalledOperator, options: Mapping[str, object]
) -> list[BoundOperator]:
    steps = _expanded(installed, options)
    if not options:
        declared = DeclaredSpace.of(installed.manifest)
        steps[-1] = replace(steps[-1], declared=declared)
    return steps


def _expanded(
    installed: InstalledOperator, options: Mapping[str, object]
) -> list[BoundOperator]:
    name, manifest = str(installed.manifest.name), installed.manifest
    if manifest.kind == "operator":
        values = checked_options(name, manifest.parameters, options)
        return [BoundOperator(installed, values)]
    steps = list(_steps(installed, ()))
    known = {key for step in steps for key in step.installed.manifest.parameters}
    if unknown := [unknown_option(key, known) for key in options if key not in known]:
        raise InvalidOptions(name, unknown, known=sorted(known))
    return [replace(_override(step, options), pipeline=installed) for step in steps]


def _in_columns(
    call: OperatorCall, steps: list[BoundOperator]
) -> tuple[BoundOperator, ...]:
    if call.columns is None:
        return tuple(steps)
    return tuple(
        step.in_columns(each)
        for step, each in zip(steps, call.columns.through(len(steps)), strict=True)
    )


def _override(step: BoundOperator, options: Mapping[str, object]) -> BoundOperator:
    parameters = step.installed.manifest.parameters
    ours = {key: value for key, value in options.items() if key in parameters}
    checked = checked_options(str(step.name), parameters, {**step.options, **ours})
    return BoundOperator(step.installed, checked)


def _steps(
    installed: InstalledOperator, above: tuple[OperatorName, ...]
) -> Iterator[BoundOperator]:
    manifest = installed.manifest
    if manifest.name in above:
        path = " → ".join(f"`{name}`" for name in (*above, manifest.name))
        raise InvalidOperator(f"A pipeline leads back to itself: {path}")
    found = _find(step.requirement for step in manifest.steps)
    for step in manifest.steps:
        operator = found[step.requirement.name]
        options = {
            key: _resolve_file(installed, value) for key, value in step.options.items()
        }
        if operator.manifest.kind == "operator":
            yield BoundOperator(operator, options)
        else:
            for inner in _steps(operator, (*above, manifest.name)):
                yield _override(inner, options)


def _resolve_file(pipeline: InstalledOperator, value: Any) -> Any:  # noqa: ANN401  (a manifest's JSON value)
    """Turn ``{file: PATH}`` into the path of a file in the pipeline's own tree."""
    if not isinstance(value, dict) or value.keys() != {"file"}:
        return value
    from towhee.private_modules import verify_tree  # noqa: PLC0415  (as in load)

    name, relative = pipeline.manifest.name, PurePosixPath(value["file"])
    path = pipeline.tree / relative
    if relative.is_absolute() or ".." in relative.parts or not path.is_file():
        raise InvalidOperator(
            f"`{name}` names the file `{relative}`, which its repository does not hold"
        )
    verify_tree(pipeline.tree, pipeline.receipt.tree, f"`{name}`")
    return str(path)


def _check_ports(steps: Sequence[FunctionCall | BoundOperator]) -> None:
    """Hold what each operator takes against what is known to be there."""
    # By column, what an operator put there; under None, a row without columns.
    known: dict[str | None, _Known] = {}
    for step in steps:
        columns = step.columns
        if isinstance(step, BoundOperator):
            _check_inputs(step, known)
            if columns is None:
                known.clear()
            known.update(_given(step))
        elif step.kind in {"map", "flat_map", "fill_empty"}:
            for name in columns.outputs if columns else tuple(known):
                known.pop(name, None)


def _given(step: BoundOperator) -> dict[str | None, _Known]:
    ports = tuple(step.installed.manifest.outputs)
    columns = step.columns
    if columns is None or len(columns.outputs) == 1:
        return {columns.outputs[0] if columns else None: (step, ports)}
    if len(columns.outputs) != len(ports):
        raise PortMismatch(
            f"`{step.name}` gives {_names(ports)}, "
            f"which are not the {len(columns.outputs)} columns {columns}"
        )
    return {
        name: (step, (port,)) for name, port in zip(columns.outputs, ports, strict=True)
    }


def _check_inputs(step: BoundOperator, known: Mapping[str | None, _Known]) -> None:
    columns, inputs = step.columns, tuple(step.installed.manifest.inputs)
    if columns is None or len(columns.inputs) == 1:
        _check(known.get(columns.inputs[0] if columns else None), step, inputs)
        return
    if len(inputs) == 1 and "any" in inputs[0].types:
        return  # it takes the columns' values together, as a tuple
    if len(columns.inputs) != len(inputs):
        raise PortMismatch(
            f"`{step.name}` takes {_names(inputs)}, "
            f"which are not the {len(columns.inputs)} columns {columns}"
        )
    for name, port in zip(columns.inputs, inputs, strict=True):
        _check(known.get(name), step, (port,))


def _check(source: _Known | None, target: BoundOperator, inputs: _Ports) -> None:
    if source is not None and (reason := _mismatch(source[1], inputs)):
        raise PortMismatch(
            f"`{target.name}` cannot follow `{source[0].name}`: {reason}"
        )


def _mismatch(outputs: _Ports, inputs: _Ports) -> str | None:
    if len(outputs) != len(inputs):
        return f"it gives {_names(outputs)}, but {_names(inputs)} is wanted"
    mismatches = (a.mismatch(b) for a, b in zip(outputs, inputs, strict=True))
    return next(filter(None, mismatches), None)


def _names(ports: Sequence[Any]) -> str:
    return " and ".join(f"`{port.name}`" for port in ports) or "nothing"
