"""``hub`` as a whole: the commands of ``hub_client``, and ``hub run``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub_client.cli import main
from hub_client.cli.app import USE, app
from hub_client.cli.command import register
from hub_client.cli.completion import known_names
from hub_client.cli.console import format_count, format_duration
from hub_client.cli.session import Session
from hub_client.conformance import register_runner
from plugin_spec.errors import HubError
from towhee import cli_options

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from plugin_spec.finding import Finding
    from towhee.callable_pipeline import CallablePipeline
    from towhee.vector_files import VectorFile

__all__ = ["main", "run"]

_GLOB = frozenset("*?[")


class NoFiles(HubError, FileNotFoundError):
    """A pattern matches nothing, or an output has no folder."""


@dataclass(slots=True)
class _Report:
    """What became of the files."""

    total: int
    written: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def fail(self, file: str, reason: str) -> None:
        self.failures.append({"file": file, "reason": reason})

    def to_dict(self) -> dict[str, object]:
        seconds = time.perf_counter() - self.started
        return {
            "files": self.total,
            "written": self.written,
            "failures": self.failures,
            "seconds": round(seconds, 3),
            "images_per_second": round(self.total / seconds, 1),
        }

    def lines(self) -> Iterator[str]:
        """The files that failed, each with its reason."""
        if self.failures:
            yield f"{format_count(len(self.failures), 'file')} of {self.total} failed"
            yield from (f"  {each['file']}: {each['reason']}" for each in self.failures)


def run(  # noqa: PLR0913  (one a flag)
    session: Session,
    *,
    pipeline: Annotated[
        str,
        typer.Argument(
            metavar="PIPELINE",
            help="A pipeline or an operator, by name.",
            autocompletion=known_names,
        ),
    ],
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="Files, patterns, or http(s) URLs."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="Where the vectors go: .npy, .parquet or .jsonl.",
        ),
    ],
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            metavar="N",
            min=1,
            help="How many files a model takes at once.",
        ),
    ] = None,
    option: cli_options.Options = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was done as JSON.")
    ] = False,
) -> int:
    """Embed files, and write their vectors to one file.

      hub run image-embedding-resnet50 photos/*.jpg -o vectors.npy

    The kind of file follows from the name of OUT:

      .npy      one row a file, in the order given, and beside it OUT with the
                ending .files.json: which row is which file, and what failed
      .parquet  columns `file` and `embedding`; what made the vectors stands in
                the metadata
      .jsonl    one object a line: {"file": …, "embedding": [ … ]}

    A file that fails is listed at the end with the reason, and the others still
    count; the exit status is then 1. A folder is not searched: name its files.
    OUT appears when it is complete, and replaces what was there.
    """
    kind = _kind_of(output)
    names = list(_expand(files))
    with kind(output) as vectors:
        runner = cli_options.load(session, pipeline, option, batch_size=batch_size)
        report = _Report(len(names))
        with session.console.working("Embedding", total=len(names)) as progress:
            for _ in _write(runner, names, vectors, report):
                progress.advance()
        description = runner.describe()
        if report.written:
            vectors.complete(report.failures, description, runner.space)
            vectors.publish()
    _tell(session, report, output, description, as_json=as_json)
    return 1 if report.failures else 0


def _write(
    runner: CallablePipeline, names: Sequence[str], vectors: VectorFile, report: _Report
) -> Iterator[None]:
    """Add each file's vector, or its failure; yield after each."""
    problems = {name: problem for name in names if (problem := _problem_of(name))}
    for name, problem in problems.items():
        report.fail(name, problem)
        yield
    readable = [name for name in names if name not in problems]
    for outcome in runner.run(readable):
        name = readable[outcome.row]
        try:
            vectors.add(name, outcome.unwrap())
        except HubError as error:
            report.fail(name, _reason(error))
        else:
            report.written += 1
        yield
    report.failures.sort(key=lambda failure: names.index(failure["file"]))


def _tell(
    session: Session,
    report: _Report,
    output: Path,
    description: dict[str, object],
    *,
    as_json: bool,
) -> None:
    done = report.to_dict()
    if as_json:
        written = str(output) if report.written else None
        session.console.result_json(
            {"output": written, **done, "description": description}
        )
    if report.failures:
        session.console.problem("\n".join(report.lines()))
    if not report.written:
        session.console.say("Every file failed, so nothing was written")
        return
    seconds = format_duration(float(str(done["seconds"])))
    session.console.say(
        f"Wrote {format_count(report.written, 'vector')} to `{output}` in {seconds} "
        f"({done['images_per_second']} images/s)"
    )


def _kind_of(output: Path) -> type[VectorFile]:
    from towhee.vector_files import KINDS  # noqa: PLC0415  (only for `hub run`)

    if output.suffix not in KINDS:
        kinds = ", ".join(f"`{suffix}`" for suffix in KINDS)
        raise typer.BadParameter(
            f"the name has to end in one of {kinds}", param_hint="`--output`"
        )
    if not output.parent.is_dir():
        raise NoFiles(
            f"no folder `{output.parent}` to write `{output.name}` into",
            hint="Make it first",
        )
    return KINDS[output.suffix]


def _expand(words: Iterable[str]) -> Iterator[str]:
    """Files as named; a pattern that the shell left alone is matched here."""
    from glob import glob  # noqa: PLC0415  (`Path.glob` refuses an absolute pattern)

    for word in words:
        if _GLOB.isdisjoint(word) or _is_url(word) or Path(word).exists():
            yield word
        elif found := sorted(glob(word, recursive=True)):  # noqa: PTH207
            yield from found
        else:
            raise NoFiles(
                f"no file matches `{word}`", hint="Check the folder and the ending"
            )


def _is_url(word: str) -> bool:
    return word.startswith(("http://", "https://"))


def _problem_of(name: str) -> str | None:
    """What can be seen to be wrong without opening the file."""
    if _is_url(name):
        return None
    if Path(name).is_dir():
        return f"a folder, not a file; `{Path(name) / '*'}` names the files in it"
    return None if Path(name).exists() else "no such file"


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    if isinstance(cause, HubError):
        return str(cause)
    return f"{type(cause).__name__}: {cause}"


def _check_running(
    path: Path,
    *,
    options: Mapping[str, object],
    fresh: bool,
    ignored: Collection[str],
) -> tuple[Finding, ...]:
    from towhee.checking import inspect  # noqa: PLC0415  (only for `hub check --run`)

    return inspect(path, options=options, fresh=fresh, ignored=ignored)


register(app, run, panel=USE)
register(app, "towhee.cli_layers:layers", panel=USE)
register(app, "towhee.cli_train:train", panel=USE)
register(app, "towhee.cli_drift:drift", panel=USE)
register_runner(_check_running)
