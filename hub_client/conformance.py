"""Everything that is asked of an operator's repository, in one list of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from plugin_spec.finding import Finding

# What an operator needs to be published, and not to run.
_DOCUMENTS: Final = frozenset({"LICENSE", "README.md"})
_UNWRITTEN: Final = frozenset({"missing", "empty"})


class Runner(Protocol):
    """Runs an operator on samples; the floor that can do so registers one."""

    def __call__(
        self,
        path: Path,
        *,
        options: Mapping[str, object],
        fresh: bool,
        ignored: Collection[str],
    ) -> tuple[Finding, ...]:
        """Give what is to mend in what it does.

        :param fresh: in an environment that has only what its manifest requires.
        :param ignored: what of ``path`` stays at home.
        """


class NothingRuns(HubError):
    """An operator should run, and nothing here can run one."""


_runners: list[Runner] = []


def register_runner(runner: Runner) -> None:
    """Let ``runner`` take part in every check that runs an operator."""
    _runners.append(runner)


def can_run() -> bool:
    """Whether there is something that runs operators."""
    return bool(_runners)


def check_repository(
    path: Path,
    *,
    run: bool = False,
    options: Mapping[str, object] | None = None,
    fresh: bool = False,
    ignored: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Give everything to mend in the repository at ``path``, errors first.

    :param run: whether to run it too, if nothing that was read stands against it.
    :param ignored: what of it stays at home, as ``find_ignored`` gives it.
    :raises NothingRuns: if nothing can.
    """
    from plugin_spec.conformance import check_operator  # noqa: PLC0415  (slow)

    findings = check_operator(path, ignored=ignored)
    if not run:
        return findings
    if not _runners:
        raise NothingRuns(
            "Nothing here runs operators",
            hint="Run `hub`, or `python -m towhee`, rather than this part of it",
        )
    if any(map(_stands_against_running, findings)):
        return findings
    for runner in _runners:
        findings += runner(path, options=options or {}, fresh=fresh, ignored=ignored)
    return tuple(sorted(findings, key=lambda finding: finding.severity))


def _stands_against_running(finding: Finding) -> bool:
    unwritten = finding.place in _DOCUMENTS and finding.message in _UNWRITTEN
    return finding.severity == "error" and not unwritten
