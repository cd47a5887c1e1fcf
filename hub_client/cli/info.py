"""``hub info``: all there is to know about an operator."""

from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import dataclass
from itertools import starmap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub_client.cli import options
from hub_client.cli.completion import known_names
from hub_client.cli.console import format_table
from hub_client.cli.session import Session
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hub_client.candidate import Release
    from hub_client.installed import InstalledOperator
    from hub_client.resolver.explain import UnknownOperator
    from hub_client.sources.router import SourceRouter
    from plugin_spec.manifest import Manifest, Weights
    from plugin_spec.names import OperatorName
    from plugin_spec.port import Port
    from plugin_spec.requirement import Requirement

_WIDEST = 88


class NoSuchVersion(HubError, LookupError):
    """A source has an operator, and not in a version that was asked for."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a source and an environment say about one operator."""

    source: str
    releases: Sequence[Release]
    """Newest first."""
    installed: InstalledOperator | None
    manifest: Manifest
    """Of the installed version, or else of the newest; of those that were asked for."""

    def to_dict(self) -> dict[str, Any]:
        installed = self.installed
        return {
            "name": str(self.manifest.name),
            "source": self.source,
            "versions": [str(each.version) for each in self.releases],
            "yanked": {
                str(each.version): each.yanked
                for each in self.releases
                if each.yanked is not None
            },
            "installed": installed
            and {**installed.receipt.to_dict(), "path": str(installed.tree)},
            "space": self.manifest.space and self.manifest.space.fingerprint,
            "manifest": self.manifest.to_dict(),
        }

    def page(self) -> Iterator[str]:
        """The sections of the page, each without a line after it."""
        manifest = self.manifest
        yield f"{manifest.name} {manifest.version}\n{manifest.summary}"
        yield format_table([row for row in self._rows() if row[1]])
        if manifest.parameters:
            rows = manifest.parameters.items()
            yield "\n".join(["Parameters", *starmap(_parameter, rows)])
        if manifest.space is not None:
            yield "Its vectors\n" + textwrap.indent(str(manifest.space), "  ")
        if manifest.weights:
            yield "Weights\n" + format_table(map(_weights, manifest.weights))

    def _rows(self) -> Iterator[tuple[str, str]]:
        manifest, installed = self.manifest, self.installed
        yield "kind", manifest.kind
        yield "licence", manifest.license
        yield "source", self.source
        yield "versions", ", ".join(map(_version, self.releases))
        yield "installed", f"{installed.receipt.version}" if installed else "no"
        yield "tree", str(installed.tree) if installed else ""
        yield "python", str(manifest.requires_python)
        yield "takes", "; ".join(map(_port, manifest.inputs))
        yield "gives", "; ".join(map(_port, manifest.outputs))
        yield "operators", ", ".join(map(str, manifest.dependencies))
        yield "packages", ", ".join(map(str, manifest.packages))
        yield from _training(manifest.training)


def info(
    session: Session,
    requirement: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="An operator's name, and maybe a version: `NAME==1.2`.",
            autocompletion=known_names,
        ),
    ],
    *,
    python: options.Python = None,
    as_json: options.Json = False,
) -> None:
    """Show what an operator is, needs and takes.

      hub info image-embedding/timm
      hub info 'image-embedding/timm==1.0.0'

    Its versions and where they come from, what is installed, its ports, its
    parameters with their choices and defaults, the weights that it pins, and what
    its model was trained on.
    Nothing of the operator is run.
    """
    from plugin_spec.requirement import Requirement  # noqa: PLC0415  (slow)

    facts = _find(session, Requirement.parse(requirement), python)
    if as_json:
        session.console.result_json(facts.to_dict())
    else:
        session.console.result("\n\n".join(facts.page()))


def _find(session: Session, asked: Requirement, python: options.Python) -> _Facts:
    from hub_client.installed import find_installed  # noqa: PLC0415  (slow)

    name, router = asked.name, session.router()
    installed = find_installed(name, session.environment(python), session.store())
    fits = installed and asked.accepts(installed.receipt.version)
    fitting = installed if fits else None
    spec = installed.receipt.source if installed else router.source_spec(name)
    # What is installed may be from a source that only its install named.
    source = session.router(sources={str(name): spec})
    try:
        releases = source.versions(name)
    except HubError as error:
        if fitting is None:
            raise
        session.console.warn(f"no list of versions: {error}")
        releases = ()
    newest_first = sorted(releases, key=lambda each: each.version, reverse=True)
    if not (fitting or newest_first):
        raise _unknown(name, router)
    return _Facts(
        source=next((each.source for each in newest_first if each.source), spec),
        releases=newest_first,
        installed=installed,
        manifest=fitting.manifest
        if fitting
        else source.manifest(name, _newest(asked, newest_first, spec)),
    )


def _unknown(name: OperatorName, router: SourceRouter) -> UnknownOperator:
    from hub_client.resolver.explain import (  # noqa: PLC0415  (slow)
        UnknownOperator,
        nearest_names,
    )

    nearest = nearest_names(name, router.names())
    return UnknownOperator(name, router.source_spec(name), nearest=nearest)


def _newest(asked: Requirement, releases: Sequence[Release], spec: str) -> Release:
    """Of those that will do; a pre-release or a yanked one where there is no other.

    :raises NoSuchVersion: if none will do.
    """
    fitting = [each for each in releases if asked.accepts(each.version)]
    if not fitting:
        has = ", ".join(map(_version, releases))
        raise NoSuchVersion(f"`{spec}` has no `{asked}`", hint=f"It has {has}")
    final = [
        each for each in fitting if not each.version.is_prerelease and not each.yanked
    ]
    return (final or fitting)[0]


def _version(release: Release) -> str:
    return f"{release.version}{'' if release.yanked is None else ' (yanked)'}"


def _port(port: Port) -> str:
    """A port as its manifest would have it, in one line.

    >>> from plugin_spec.port import Port
    >>> _port(Port("image", ("image",), "uint8", ("H", "W", 3), "RGB"))
    'image: image, uint8, [H, W, 3], RGB'
    """
    shape = f"[{', '.join(map(str, port.shape))}]" if port.shape else None
    facts = (" or ".join(port.types), port.dtype, shape, port.color)
    return f"{port.name}: {', '.join(fact for fact in facts if fact)}"


def _parameter(name: str, schema: Mapping[str, Any]) -> str:
    """What a parameter is by default, what may be chosen, and what it does.

    >>> print(_parameter("pooling", {"enum": ["avg", "max"], "default": "avg"}))
      pooling = "avg"  ("avg" or "max")
    """
    default = f" = {json.dumps(schema['default'])}" if "default" in schema else ""
    choices = f"  ({found})" if (found := _choices(schema)) else ""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    description = textwrap.indent(
        textwrap.fill(schema.get("description", ""), max(width - 6, 20)), " " * 6
    )
    return "\n".join(filter(None, [f"  {name}{default}{choices}", description]))


def _choices(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", [])
    words = (
        [json.dumps(value) for value in schema["enum"]]
        if "enum" in schema
        else [kinds]
        if isinstance(kinds, str)
        else list(kinds)
    )
    return " or ".join([", ".join(words[:-1]), *words[-1:]] if words[1:] else words)


def _training(training: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a model learned from, and what it came to.

    >>> data = {"name": "digits", "images": 1200, "classes": ["0", "1"]}
    >>> list(_training({"data": data, "metrics": {"accuracy": 0.98}}))
    [('trained', 'digits: 1,200 images, 2 classes'), ('metrics', 'accuracy 0.98')]
    """
    data, base = training.get("data", {}), training.get("base", {})
    counts = []
    if "images" in data:
        counts.append(f"{data['images']:,} images")
    if "classes" in data:
        counts.append(f"{len(data['classes']):,} classes")
    if data:
        yield "trained", ": ".join(filter(None, [data["name"], ", ".join(counts)]))
    if "domain" in training:
        yield "domain", training["domain"]
    if base:
        yield "base", ", ".join(base.values())
    if metrics := training.get("metrics"):
        yield "metrics", ", ".join(f"{key} {each:g}" for key, each in metrics.items())


def _weights(weights: Weights) -> tuple[str, str, str]:
    when = ", ".join(
        f"no {key}" if value is None else f"{key}={value}"
        for key, value in weights.when.items()
    )
    return f"  {weights.repo}", weights.file, f"for {when}" if when else ""
