"""``hub drift``: whether an index survives another model, layer or version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub_client.cli import options
from hub_client.cli.console import format_count, format_table
from hub_client.cli.key_value import parse_option
from hub_client.cli.session import Session
from towhee import cli_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from towhee.studies.drift import Drift
    from towhee.studies.subject import Subject


def drift(  # noqa: PLR0913  (one a flag)
    session: Session,
    *,
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="What an index was made with.")
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What comes in its place.")],
    images: Annotated[
        Path,
        typer.Option(
            "--images",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="A folder of images, those in folders below it too.",
        ),
    ],
    option: cli_options.Options = None,
    old_option: Annotated[
        list[str] | None,
        typer.Option(
            "--old-option",
            "--old",
            metavar="KEY=VALUE",
            help="An option of OLD alone.",
        ),
    ] = None,
    new_option: Annotated[
        list[str] | None,
        typer.Option(
            "--new-option",
            "--new",
            metavar="KEY=VALUE",
            help="An option of NEW alone.",
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page",
            metavar="FILE",
            help="Write the images whose neighbours changed most, as HTML.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> int:
    """Measure how far vectors move, and say whether an index must be rebuilt.

      hub drift image-embedding/timm image-embedding/timm --images photos/
          --option model_name=resnet50 --new layer=layer3 --page drift.html
      hub drift acme/embed==1.0.0 acme/embed==1.1.0 --images photos/

    OLD and NEW are operators or pipelines by name, or by name and version. A
    version that is not installed is fetched beside the one that is, and stays
    uninstalled.

    The index must be rebuilt if vectors are of another length, if their spaces
    are known and do not compare, or if new vectors find less than 0.95 of the
    nearest neighbours among old ones that old vectors find there. The exit
    status is 1 then.
    """
    from towhee.studies.drift import measure_drift  # noqa: PLC0415  (as it is used)
    from towhee.studies.subject import Subject  # noqa: PLC0415
    from towhee.writing.staging import replacing  # noqa: PLC0415

    files = find_images(images)
    subjects = []
    for text, own in ((old, old_option), (new, new_option)):
        chosen = dict(map(parse_option, [*(option or []), *(own or [])]))
        with session.console.working(f"Loading {text}"):
            subjects.append(Subject.open(text, chosen, session))
    found = [_embed(session, each, files) for each in subjects]
    failures = found[0][1] | found[1][1]
    used = [each for each in files if each not in failures]
    before, after = ([made[each] for each in used] for made, _ in found)
    first, second = subjects
    result = measure_drift(before, after, (first.space, second.space))
    names = first.name, second.name
    if page is not None:
        from towhee.studies.drift_page import drift_page  # noqa: PLC0415

        with replacing(page) as staged:
            staged.write_text(drift_page(result, used, names), encoding="utf-8")
        session.console.say(f"Wrote `{page}`")
    if failures:
        session.console.warn("\n".join(_failed(failures, len(files))))
    if as_json:
        said: dict[str, Any] = {"old": first.name, "new": second.name}
        told = [{"file": str(file), "reason": why} for file, why in failures.items()]
        session.console.result_json({**said, **result.to_dict(), "failures": told})
    else:
        session.console.result("\n\n".join(_report(result, names)))
    return 1 if result.must_rebuild else 0


def find_images(folder: Path) -> list[Path]:
    """The images in a folder and below it, by their names' order."""
    from towhee.data.folder import SUFFIXES  # noqa: PLC0415  (as it is used)

    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )


def _embed(
    session: Session, subject: Subject, files: Sequence[Path]
) -> tuple[dict[Path, Any], dict[Path, str]]:
    """Vectors, and reasons for those that there are not."""
    from plugin_spec.errors import HubError  # noqa: PLC0415

    vectors: dict[Path, Any] = {}
    failures: dict[Path, str] = {}
    with session.console.working(f"Embedding by {subject.name}", total=len(files)) as (
        progress
    ):
        for outcome in subject.embed(files):
            file = files[outcome.row]
            try:
                vectors[file] = outcome.unwrap()
            except HubError as error:
                failures[file] = str(error.__cause__ or error)
            progress.advance()
    return vectors, failures


def _failed(failures: dict[Path, str], total: int) -> Iterator[str]:
    yield f"{format_count(len(failures), 'image')} of {total} left out"
    yield from (f"  {file}: {reason}" for file, reason in failures.items())


def _report(drift: Drift, names: tuple[str, str]) -> Iterator[str]:
    old, new = names
    yield f"{old} → {new}, {drift.images:,} images"
    if drift.differences is None:
        yield "What spaces the vectors are of is not known"
    elif drift.differences:
        yield "\n".join(["The spaces differ", *(f"  {e}" for e in drift.differences)])
    else:
        yield "The spaces are equal"
    if drift.cosine is not None:
        found = drift.cosine
        yield (
            "cosine between old and new: "
            f"mean {found.mean:.4f}, median {found.median:.4f}, least {found.least:.4f}"
        )
    yield _table(drift)
    yield drift.reason


def _table(drift: Drift) -> str:
    head = ("neighbours kept", "in the old index", "after rebuilding", "by chance")
    rows = [
        (
            f"of {each.neighbours}",
            "-" if each.kept is None else f"{each.kept:.3f}",
            f"{each.rebuilt:.3f}",
            f"{each.by_chance:.3f}",
        )
        for each in drift.overlaps
    ]
    return format_table([head, *rows])
