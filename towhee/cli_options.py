"""What several commands take that load an operator, and how they load it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from hub_client.cli.completion import known_names
from hub_client.cli.key_value import parse_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub_client.cli.session import Session
    from towhee.callable_pipeline import CallablePipeline

OperatorWithModel: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="OPERATOR",
        help="An operator or a pipeline with a model, by name.",
        autocompletion=known_names,
    ),
]
LabelledImages: TypeAlias = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DIR",
        help="A folder with one of images for each class; or `digits`.",
    ),
]
ModelName: TypeAlias = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="The option `model_name`."),
]
Options: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="KEY=VALUE",
        help="An option of the operators; VALUE is JSON or text. "
        "May be given several times.",
    ),
]


def load(
    session: Session, name: str, options: Sequence[str] | None, **flags: object
) -> CallablePipeline:
    """Load what has this name, with the options that were given.

    :param options: each ``KEY=VALUE``.
    :param flags: options with flags of their own; None is none. They go before others.
    """
    chosen = dict(map(parse_option, options or []))
    chosen |= {key: value for key, value in flags.items() if value is not None}
    from towhee import pipeline  # noqa: PLC0415  (after all that can be wrong without it)

    with session.console.working(f"Loading {name}"):
        return pipeline(name, **chosen).load()
