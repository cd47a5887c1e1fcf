"""An environment: one interpreter, what is installed for it, and its receipts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Final, Self

from hub_client.atomic_file import write_atomically
from hub_client.distributions import find_distributions
from hub_client.receipt import Receipt
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from packaging.requirements import Requirement as PackageRequirement

    from hub_client.distributions import Distribution
    from plugin_spec.names import OperatorName

OLDEST_PYTHON: Final = (3, 11)
_FOLDER: Final = Path("share", "towhee-hub")
_PROBE_SECONDS: Final = 60


class InvalidEnvironment(HubError):
    """A path leads to no interpreter, or to one that operators cannot run on."""


class EnvironmentUnwritable(HubError):
    """An environment's folder is read-only, full, or the operating system's own."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One interpreter and its folders."""

    python: Path
    python_version: str
    """Full, for example ``3.11.7``."""
    prefix: Path
    path: tuple[str, ...]
    """The folders that this interpreter imports from."""
    markers: Mapping[str, str] = field(repr=False, hash=False)
    """Values of PEP 508's environment markers."""
    externally_managed: bool = False

    @classmethod
    def current(cls) -> Self:
        """The environment of this process; starts no other."""
        from hub_client.interpreter_facts import (  # noqa: PLC0415  (as in open)
            interpreter_facts,
        )

        return cls._from_facts(Path(sys.executable), interpreter_facts())

    @classmethod
    def open(cls, python: Path) -> Self:
        """Ask an interpreter, or that of a virtual environment's folder, about itself.

        :raises InvalidEnvironment: if it does not answer, or is too old.
        """
        if python.is_dir():
            found = (python / "bin" / "python", python / "Scripts" / "python.exe")
            python = next(filter(Path.is_file, found), found[0])
        elif not python.exists() and (found_by_name := which(python)):
            python = Path(found_by_name)
        # Of `python` alone, what is started would be looked for on the path.
        named, python = python, python.absolute()
        probe = Path(__file__).with_name("interpreter_facts.py")
        try:
            answer = subprocess.run(  # noqa: S603  (the user's own interpreter)
                [python, "-I", probe],
                capture_output=True,
                check=True,
                timeout=_PROBE_SECONDS,
            )
            facts = json.loads(answer.stdout)
            if not (isinstance(facts, dict) and "markers" in facts):
                raise ValueError(facts)  # noqa: TRY301
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            gone = not python.exists()
            reason = (
                "is not there" if gone else "does not answer as a Python interpreter"
            )
            raise InvalidEnvironment(
                f"`{named}` {reason}",
                hint="Name an interpreter, or the folder of a virtual environment",
            ) from error
        return cls._from_facts(python, facts)

    @classmethod
    def _from_facts(cls, python: Path, facts: Mapping[str, object]) -> Self:
        version = str(facts["version"])
        release = tuple(map(int, version.split(".")[:2]))
        if release < OLDEST_PYTHON:
            oldest = ".".join(map(str, OLDEST_PYTHON))
            raise InvalidEnvironment(
                f"`{python}` is Python {version}, and operators need {oldest} or newer",
                hint=f"Make an environment with a newer one: `python{oldest} -m venv`",
            )
        return cls(
            python=python,
            python_version=version,
            prefix=Path(str(facts["prefix"])),
            path=tuple(facts["path"]),  # type: ignore[arg-type]  # our own probe's
            markers=facts["markers"],  # type: ignore[arg-type]
            externally_managed=bool(facts["externally_managed"]),
        )

    def installed_version(self, package: str) -> str | None:
        """The version of one installed Python package; None if it is not here."""
        from packaging.utils import canonicalize_name  # noqa: PLC0415

        name = canonicalize_name(package)
        return next((each.version for each in self._packages({name})), None)

    def installed_packages(self) -> dict[str, str]:
        """The version of every installed Python package, by canonical name.

        One whose installation was cut short does not count.
        """
        found: dict[str, str] = {}
        for each in self._packages():
            found.setdefault(each.name, each.version)
        return found

    def _packages(self, names: Collection[str] | None = None) -> Iterator[Distribution]:
        for each in find_distributions(self.path, names):
            if not self._is_half_installed(each):
                yield each

    def discard_half_installed(self, names: Collection[str]) -> None:
        """Remove the metadata of packages whose installation was cut short.

        uv and pip would take them as installed.
        """
        for each in find_distributions(self.path, names):
            if self._is_half_installed(each):
                shutil.rmtree(each.metadata)

    def _is_half_installed(self, distribution: Distribution) -> bool:
        # Elsewhere, and where the operating system installs, it may say less.
        return (
            not self.externally_managed
            and distribution.metadata.is_relative_to(self.prefix)
            and not distribution.is_whole
        )

    def satisfies(self, requirement: PackageRequirement) -> bool:
        """Whether a requirement is met, or does not count for this interpreter."""
        if requirement.marker and not requirement.marker.evaluate(dict(self.markers)):
            return True
        version = self.installed_version(requirement.name)
        return version is not None and requirement.specifier.contains(
            version, prereleases=True
        )

    def receipts(self) -> tuple[Receipt, ...]:
        """One receipt per installed operator, by name."""
        return tuple(Receipt.load(file) for file in self.receipt_files())

    def receipt_files(self) -> tuple[Path, ...]:
        """The receipts' files, whether they read or not."""
        return tuple(sorted(receipts_folder(self.prefix).glob("*/*.json")))

    def receipt(self, name: OperatorName) -> Receipt | None:
        """The receipt of one operator; None if it is not installed."""
        try:
            return Receipt.load(self._receipt_file(name))
        except FileNotFoundError:
            return None

    def write_receipt(self, receipt: Receipt) -> None:
        """Say that an operator is installed; replaces what was said before."""
        file = self._receipt_file(receipt.name)
        with self._reporting():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, receipt.to_json().encode())

    def remove_receipt(self, name: OperatorName) -> None:
        """Say that an operator is not installed any more."""
        with self._reporting():
            self._receipt_file(name).unlink(missing_ok=True)

    def check_writable(self) -> None:
        """Refuse an environment that must not be changed, before anything is.

        :raises EnvironmentUnwritable: with a way on.
        """
        if self.externally_managed:
            raise EnvironmentUnwritable(
                f"`{self.prefix}` belongs to the operating system",
                hint="Make an environment of your own: `python3 -m venv .venv`",
            )
        with self._reporting():
            (self.prefix / _FOLDER).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def lock(self, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Be the only writer; a thread that has the lock gets it again.

        :param waiting: called once if another process has it.
        :raises EnvironmentUnwritable: if there cannot be a writer.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415  (24 ms)

        self.check_writable()
        lock = FileLock(self.prefix / _FOLDER / "environment.lock", is_singleton=True)
        with self._reporting():
            try:
                lock.acquire(timeout=0)
            except Timeout:
                waiting()
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EnvironmentUnwritable(
                f"Cannot write to `{self.prefix}`: {error.strerror or error}",
                hint="Make room there, or make an environment of your own: "
                "`python3 -m venv .venv`",
            ) from error

    def _receipt_file(self, name: OperatorName) -> Path:
        folder = receipts_folder(self.prefix) / name.namespace
        return folder / f"{name.name}.json"


def receipts_folder(prefix: Path) -> Path:
    """Where the environment at ``prefix`` has its receipts, or would have them."""
    return prefix / _FOLDER / "receipts"
