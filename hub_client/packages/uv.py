"""uv: resolves for every platform, installs in seconds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hub_client.packages import (
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
from hub_client.packages.requirements_text import parse_pins
from hub_client.steps import step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from packaging.specifiers import SpecifierSet

    from hub_client.environment import Environment
    from hub_client.lockfile import LockedPackage
    from hub_client.packages import Requests

_ADDRESS = re.compile(r"(\w+\+)?(https?|file)://[^\s`'\")]+")
_NO_SOLUTION = "No solution found"
_NO_NETWORK = "the network was disabled"
_NO_ANSWER = "error sending request"
_PINS = ("--generate-hashes", "--no-header", "--no-annotate", "--quiet")
# An sdist runs its publisher's code to be read at all; a wheel does not.
_WHEELS = ("--only-binary", ":all:")


_HINT = re.compile(r"^\s*hint: .*$", re.MULTILINE)
_NEEDS_BUILDING = re.compile(r"Wheels are required for `([\w.-]+)`")


class _Unsolvable(PackageInstallFailed):
    """What uv says when requirements exclude one another, or its cache lacks some."""

    def __init__(self, message: str, said: str, *, hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self._said = said

    def explain(
        self, requests: Requests, *, locking: bool = False
    ) -> PackageInstallFailed | PackageConflict:
        """Say it in our words: who asked, and what could be built."""
        if _NO_NETWORK in self._said:
            return self
        sdists = dict.fromkeys(_NEEDS_BUILDING.findall(self._said))
        said = _without_hints(self._said)
        conflict = PackageConflict(requests, said, sdists=(*sdists,), locking=locking)
        # Offline, what would do may only not have been fetched.
        conflict.hint = self.hint or conflict.hint
        return conflict


def find_uv() -> str | None:
    """Find uv: of the installed distribution, or else on PATH."""
    try:
        import uv  # noqa: PLC0415  (may be missing)

        return str(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


@contextmanager
def neutral_ground(project: str = "") -> Iterator[str]:
    """A folder to start uv in, where nobody but the user configures it.

    uv takes settings from every folder above the current one, until one has some: a
    project's, or of ``/tmp``, where anybody writes.

    :param project: the text of a project to be there.
    """
    with tempfile.TemporaryDirectory() as folder:
        text = f"{project}[tool.uv.workspace]\n"
        Path(folder, "pyproject.toml").write_text(text, encoding="utf-8")
        yield folder


class UvInstaller:
    """Starts uv on neutral ground, and with an interpreter: it would look for one."""

    def __init__(
        self,
        uv: str,
        *,
        offline: bool = False,
        live: bool = False,
        wheels: Path | None = None,
    ) -> None:
        self._uv = uv
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
        target = ("--python", str(environment.python), *_kinds(sdists))
        try:
            # What is met is kept by its constraint, and may be in no registry.
            pins = self._compile(missing, target, constraining=constraints(installed))
        except _Unsolvable:
            try:
                pins = self._compile(
                    requests, target, preferring=constraints(installed)
                )
            except _Unsolvable as error:
                raise error.explain(requests) from error
        return planned(
            (PinnedPackage(pin.name, pin.version, pin.hashes) for pin in pins),
            installed,
        )

    def install(
        self,
        pins: Sequence[PinnedPackage],
        environment: Environment,
        *,
        sdists: Collection[str],
    ) -> None:
        """Install exactly these."""
        environment.discard_half_installed({pin.name for pin in pins})
        words = ("install", "--python", str(environment.python), "--no-deps")
        checked = ("--require-hashes", *_kinds(sdists), "--requirements", "-")
        where: tuple[str, ...] = ()
        if self._wheels is not None:
            # Nothing but this folder: a registry in the user's settings neither.
            folder = str(self._wheels)
            where = ("--no-config", "--no-index", "--find-links", folder)
        self._run((*words, *where, *checked), pin_lines(pins), shown=self._live)

    def lock(
        self,
        requests: Requests,
        *,
        requires_python: SpecifierSet,
        locked: Sequence[LockedPackage] = (),
    ) -> tuple[LockedPackage, ...]:
        """Pin for every platform, from the oldest interpreter that will do."""
        lines = requirement_lines(requests)
        if not lines:
            return ()
        words = _universal(requires_python)
        try:
            return self._compile(requests, words, preferring=_pinned(locked))
        except _Unsolvable as error:
            raise error.explain(requests, locking=True) from error

    def pylock(
        self, locked: Sequence[LockedPackage], *, requires_python: SpecifierSet
    ) -> str:
        """Ask the registry where the files of these packages are."""
        words = _universal(requires_python)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "pylock.toml")
            kinds = ("--no-deps", "--format", "pylock.toml", "--no-header", "--quiet")
            given = ("compile", "-", *kinds, "--output-file", str(file), *words)
            self._run(given, _pinned(locked))
            return file.read_text(encoding="utf-8")

    def _compile(
        self,
        requests: Requests,
        words: Sequence[str],
        *,
        constraining: str = "",
        preferring: str = "",
    ) -> tuple[LockedPackage, ...]:
        """Pin what ``requests`` need: within constraints, changing little else."""
        with tempfile.TemporaryDirectory() as folder:
            constraint_file, pin_file = (
                Path(folder, "constraints"),
                Path(folder, "pins"),
            )
            constraint_file.write_text(constraining, encoding="utf-8")
            # uv keeps to the versions that its output held before, where it can.
            pin_file.write_text(preferring, encoding="utf-8")
            files = ("--constraints", constraint_file, "--output-file", pin_file)
            given = ("compile", "-", *_PINS, *map(str, files), *words)
            self._run(given, requirement_lines(requests))
            return tuple(parse_pins(pin_file.read_text(encoding="utf-8")))

    def _run(self, words: Sequence[str], typed: str, *, shown: bool = False) -> str:
        with neutral_ground() as folder, step("uv", "pip", *words):
            done = subprocess.run(  # noqa: S603  (no word of it comes from outside)
                [self._uv, "pip", *words, *(["--offline"] if self._offline else [])],
                check=False,
                input=typed,
                stdout=subprocess.PIPE,
                stderr=None if shown else subprocess.PIPE,
                text=True,
                cwd=folder,
                env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
            )
        if done.returncode == 0:
            return done.stdout
        raise self._failure(words[0], _tidied(done.stderr or ""))

    def _failure(self, word: str, said: str) -> PackageInstallFailed:
        unsolvable, hint = _NO_SOLUTION in said, None
        if self._offline:
            hint = (
                "You are offline: run again without `--offline`, or with HUB_OFFLINE=0"
            )
        elif _NO_ANSWER in said:
            hint = "Check your network, and the registry that uv is configured for"
        elif word == "install" and _NEEDS_BUILDING.search(said):
            hint = (
                "A lock takes wheels alone: ask for versions that have one for this "
                "platform and Python"
            )
        lines = _without_hints(said)
        message = f"uv could not {word} the Python packages\n{lines}".rstrip()
        if unsolvable:
            return _Unsolvable(message, said, hint=hint)
        return PackageInstallFailed(message, hint=hint)


def _without_hints(said: str) -> str:
    # uv's hints are flags of uv.
    return _HINT.sub("", said).rstrip()


def _universal(requires_python: SpecifierSet) -> tuple[str, ...]:
    oldest = ("--python-version", _oldest(requires_python))
    return ("--universal", *oldest, "--python", sys.executable, *_WHEELS)


def _kinds(sdists: Collection[str]) -> tuple[str, ...]:
    return (*_WHEELS, *(word for name in sdists for word in ("--no-binary", name)))


def _pinned(locked: Sequence[LockedPackage]) -> str:
    """Locked packages as uv itself writes them."""
    return "".join(
        f"{each.name}=={each.version}{f' ; {each.marker}' if each.marker else ''}\n"
        for each in locked
    )


def _oldest(requires_python: SpecifierSet) -> str:
    """The oldest interpreter that a project is for.

    >>> from packaging.specifiers import SpecifierSet
    >>> _oldest(SpecifierSet(">=3.12,<4"))
    '3.12'
    """
    from hub_client.environment import OLDEST_PYTHON  # noqa: PLC0415

    major, minor = OLDEST_PYTHON
    # A patch release stands for its minor version.
    candidates = (f"{major}.{number}" for number in range(minor, minor + 20))
    return next(
        (each for each in candidates if requires_python.contains(f"{each}.99")),
        f"{major}.{minor}",
    )


def _tidied(text: str) -> str:
    """What uv said, without addresses and colours, indented."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", _ADDRESS.sub("the registry", text))
    return "\n".join(f"  {line.strip()}" for line in plain.splitlines() if line.strip())
