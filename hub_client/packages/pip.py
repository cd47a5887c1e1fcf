"""pip: for where uv is not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hub_client.packages import (
    InstallerMissing,
    PackageConflict,
    PackageInstallFailed,
    PackagePlan,
    PinnedPackage,
    constraints,
    pin_lines,
    planned,
    requirement_lines,
    unmet,
)
from hub_client.steps import step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from packaging.specifiers import SpecifierSet

    from hub_client.environment import Environment
    from hub_client.lockfile import LockedPackage
    from hub_client.packages import Requests

_CONFLICT = re.compile(r"ResolutionImpossible|No matching distribution|conflicting")
_QUIET = ("--disable-pip-version-check", "--no-input")


class PipInstaller:
    """Starts the pip of the target environment, or else of this one."""

    def __init__(
        self, *, offline: bool = False, live: bool = False, wheels: Path | None = None
    ) -> None:
        self._offline = offline
        self._wheels = wheels
        self._live = live

    def plan(
        self, requests: Requests, environment: Environment, *, sdists: Collection[str]
    ) -> PackagePlan:
        """Keep what is installed if that can be; otherwise say what would change."""
        missing = unmet(requests, environment)
        if not missing:
            return PackagePlan()
        installed = environment.installed_packages()
        try:
            pins = self._report(missing, environment, sdists, constraints(installed))
        except PackageInstallFailed:
            try:
                pins = self._report(requests, environment, sdists)
            except PackageInstallFailed as error:
                if _CONFLICT.search(str(error)) and not self._offline:
                    raise PackageConflict(requests, str(error)) from error
                raise
        return planned(pins, installed)

    def install(
        self,
        pins: Sequence[PinnedPackage],
        environment: Environment,
        *,
        sdists: Collection[str],
    ) -> None:
        """Install exactly these."""
        environment.discard_half_installed({pin.name for pin in pins})
        words = ("install", "--no-deps", "--require-hashes", *_kinds(sdists))
        if self._wheels is not None:
            folder = str(self._wheels)
            words += ("--isolated", "--no-index", "--find-links", folder)
        self._run(words, pin_lines(pins), environment, shown=self._live)

    def lock(
        self,
        requests: Requests,
        *,
        requires_python: SpecifierSet,  # noqa: ARG002  (as the protocol has it)
        locked: Sequence[LockedPackage] = (),  # noqa: ARG002  (as above)
    ) -> NoReturn:
        """Refuse: pip resolves for the platform that it runs on alone.

        :raises InstallerMissing: always.
        """
        del requests
        raise InstallerMissing(
            "A lock is for every platform, which needs uv, and uv cannot be found",
            hint="Install it: `pip install uv`",
        )

    def pylock(
        self,
        locked: Sequence[LockedPackage],
        *,
        requires_python: SpecifierSet,  # noqa: ARG002  (as in lock)
    ) -> NoReturn:
        """Refuse, for the same reason.

        :raises InstallerMissing: always.
        """
        del locked
        raise InstallerMissing(
            "A `pylock.toml` is for every platform, which needs uv, "
            "and uv cannot be found",
            hint="Install it: `pip install uv`",
        )

    def _report(
        self,
        requests: Requests,
        environment: Environment,
        sdists: Collection[str],
        constraining: str | None = None,
    ) -> tuple[PinnedPackage, ...]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "constraints.txt"
            file.write_text(constraining or "", encoding="utf-8")
            words: tuple[str, ...] = ("install", "--dry-run", "--quiet")
            # Under constraints nothing changes, and what is installed is subtracted
            # later: pip would take a package that was cut short as installed.
            words += ("--ignore-installed",) if constraining is not None else ()
            limits = ("--report", "-", "--constraint", str(file), *_kinds(sdists))
            lines = requirement_lines(requests)
            report = json.loads(self._run((*words, *limits), lines, environment))
        return tuple(_pins(report))

    def _run(
        self,
        words: Sequence[str],
        typed: str,
        environment: Environment,
        *,
        shown: bool = False,
    ) -> str:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "requirements.txt"
            file.write_text(typed, encoding="utf-8")
            offline = ("--no-index",) if self._offline else ()
            command = (*_pip(environment), *words, *_QUIET, *offline, "-r", str(file))
            with step("pip", *words):
                done = subprocess.run(  # noqa: S603  (no word comes from outside)
                    command,
                    check=False,
                    stdin=subprocess.DEVNULL,
                    # What pip draws is for people; its report is on stdout.
                    stdout=sys.stderr if shown else subprocess.PIPE,
                    stderr=None if shown else subprocess.PIPE,
                    text=True,
                    cwd=folder,
                )
        if done.returncode == 0:
            return done.stdout or ""
        said = "\n".join(
            f"  {line}" for line in (done.stderr or "").splitlines() if "ERROR" in line
        )
        raise PackageInstallFailed(
            f"pip could not install the Python packages\n{said}".rstrip()
        )


def _pip(environment: Environment) -> tuple[str, ...]:
    """Find the pip of the target, or ours told to work on the target.

    :raises InstallerMissing: if neither is there.
    """
    if environment.installed_version("pip") is not None:
        return (str(environment.python), "-m", "pip")
    # Not `find_spec` of `importlib.util`: what setuptools hooks there warns.
    if PathFinder.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip", "--python", str(environment.python))
    raise InstallerMissing(
        f"Neither uv nor pip can be found for `{environment.python}`",
        hint="Install one: `python -m ensurepip`",
    )


def _kinds(sdists: Collection[str]) -> tuple[str, ...]:
    built = ("--no-binary", ",".join(sorted(sdists))) if sdists else ()
    # An sdist runs its publisher's code to be read at all; a wheel does not.
    return ("--only-binary", ":all:", *built)


def _pins(report: Any) -> Iterator[PinnedPackage]:  # noqa: ANN401  (pip's JSON)
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    for item in report["install"]:
        hashes = item["download_info"].get("archive_info", {}).get("hashes", {})
        yield PinnedPackage(
            canonicalize_name(item["metadata"]["name"]),
            item["metadata"]["version"],
            (f"sha256:{hashes['sha256']}",) if "sha256" in hashes else (),
        )
