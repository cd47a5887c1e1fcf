"""The lock as a whole: its text, its format, and what its entries say together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from packaging.utils import canonicalize_name

from hub_client.atomic_file import write_atomically
from hub_client.lockfile.entry import (
    Entry,
    LockProblem,
    as_array,
    as_line,
    as_number,
    as_table,
    each,
)
from hub_client.lockfile.locked import (
    LockedOperator,
    LockedPackage,
    parse_package_requirement,
)
from hub_client.lockfile.text import format_lines, format_table
from hub_client.merge_markers import merge_markers
from hub_client.small_file import read_small
from hub_client.toml_text import read_toml
from plugin_spec.errors import HubError
from plugin_spec.requirement import Requirement, parse_specifier
from plugin_spec.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from plugin_spec.names import OperatorName

T = TypeVar("T")

FORMAT_VERSION: Final = 1
"""The only format so far; whatever is released later reads it too."""

_OPERATOR: Final = "operator "
_PYTHON: Final = "python "
_LARGEST: Final = 32 << 20
"""Bytes; thousands of operators and packages have less than a tenth."""
_NOTE: Final = "\n# Written by `hub lock`. Do not edit; do commit."


class InvalidLockfile(HubError, ValueError):
    """A lock does not read, or contradicts itself.

    ``problems`` holds one sentence a problem, each with its place.
    """

    def __init__(
        self,
        problems: Iterable[str],
        *,
        hint: str = "Write it anew with `hub lock`",
    ) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"`hub.lock` does not read{lines}", hint=hint)


class NoLockfile(InvalidLockfile):
    """There is no lock."""

    def __init__(self) -> None:
        self.problems = ("there is no such file",)
        HubError.__init__(self, "There is no `hub.lock`", hint="Run `hub lock`")


class NewerLockfile(InvalidLockfile):
    """A lock of a later format: not damaged, and not for this hub to replace."""


class UnmergedLockfile(InvalidLockfile):
    """A lock in which a merge was left unfinished: not damaged, but two."""


class UnfitLockfile(InvalidLockfile):
    """A lock whose entries read, and do not fit together; as git may merge two."""

    def __init__(self, problems: Iterable[str], lock: Lockfile) -> None:
        self.lock = lock
        super().__init__(
            problems, hint="Run `hub lock`: what it pins is kept where it fits"
        )


@dataclass(frozen=True, slots=True)
class Lockfile:
    """What ``hub.lock`` says."""

    inputs: tuple[str, ...]
    """The project's, when this was locked: others mean that the lock is stale."""
    operators: tuple[LockedOperator, ...]
    packages: tuple[LockedPackage, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file.

        :raises InvalidLockfile: if it does not read.
        :raises NoLockfile: if there is none.
        """
        try:
            return cls.loads(read_lock(path).decode())
        except FileNotFoundError as error:
            raise NoLockfile from error
        except UnicodeDecodeError as error:
            raise InvalidLockfile([f"not UTF-8: {error}"]) from error

    @classmethod
    def loads(cls, text: str) -> Self:
        """Read the text of a lock.

        :raises InvalidLockfile: with the line of each problem that has one.
        """
        try:
            return cls.from_dict(read_toml(text), text=text)
        except InvalidLockfile:
            raise
        except ValueError as error:
            if markers := list(merge_markers(text)):
                raise UnmergedLockfile(
                    markers,
                    hint="Run `hub lock`: what either side pins is kept where it fits",
                ) from error
            raise InvalidLockfile([f"not TOML: {error}"]) from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, text: str = "") -> Self:
        """Check TOML values; ``text``, where they come from, gives problems a line.

        :raises InvalidLockfile: with the first problem of each entry.
        """
        top = Entry(data, text=text)
        problems: list[str] = []
        try:
            _check_version(top)
            top.check_keys("version", "inputs", "operator", "python")
            inputs = top.get("inputs", each(as_line))
            tables: list[Any] = top.get("operator", as_array, [])
            python = Entry(top.get("python", as_table), "python", text=text)
            python.check_keys("packages")
            lines = python.get("packages", as_array)
        except LockProblem as problem:
            raise InvalidLockfile([str(problem)]) from problem
        lock = cls(
            inputs,
            tuple(
                _entries(LockedOperator.from_entry, "operator", tables, text, problems)
            ),
            tuple(
                _entries(LockedPackage.from_entry, "packages", lines, text, problems)
            ),
        )
        try:
            _ = lock.requires_python, lock.asked
        except ValueError as error:
            problems.append(f"inputs: {error}")
        if problems:
            raise InvalidLockfile(problems)
        if contradictions := list(lock._contradictions()):
            raise UnfitLockfile(contradictions, lock)
        return lock

    def dumps(self) -> str:
        """The text of this lock: the same bytes, whatever order its entries have."""
        tables = [
            format_table({"version": FORMAT_VERSION})
            + f"{_NOTE}\ninputs = {format_lines(sorted(self.inputs))}",
            *(
                f"[[operator]]\n{format_table(operator.to_dict())}"
                for operator in sorted(self.operators, key=lambda each: each.name)
            ),
            "[python]\n"
            + format_table(
                {
                    "packages": [
                        package.to_dict()
                        for package in sorted(
                            self.packages, key=lambda p: (p.name, p.marker or "")
                        )
                    ]
                }
            ),
        ]
        return "\n\n".join(tables) + "\n"

    def write(self, path: Path, *, check: Callable[[], object] = lambda: None) -> None:
        """Replace the file in one step.

        :param check: called last before that; what it raises prevents it.
        :raises InvalidLockfile: rather than write what could not be read again.
        """
        text = self.dumps()
        self.loads(text)
        write_atomically(path, text.encode(), check=check)

    @property
    def requires_python(self) -> SpecifierSet:
        """The interpreters that the project asked for when it was locked."""
        said = (each for each in self.inputs if each.startswith(_PYTHON))
        return parse_specifier(next(said, "").removeprefix(_PYTHON))

    @property
    def asked(self) -> tuple[Requirement, ...]:
        """What the project asked for when it was locked."""
        said = (each for each in self.inputs if each.startswith(_OPERATOR))
        return tuple(Requirement.parse(each.removeprefix(_OPERATOR)) for each in said)

    def operator(self, name: OperatorName) -> LockedOperator | None:
        """The entry of ``name``; None if it is not locked."""
        return next((each for each in self.operators if each.name == name), None)

    def closure(self, names: Iterable[OperatorName]) -> tuple[LockedOperator, ...]:
        """The entries of ``names`` and of all that they require, dependencies first."""
        from hub_client.resolver.order import dependencies_first  # noqa: PLC0415

        entries = {each.name: each for each in self.operators}
        ordered = dependencies_first(
            names, lambda name: (each.name for each in entries[name].requires)
        )
        return tuple(entries[name] for name in ordered)

    def _contradictions(self) -> Iterator[str]:
        """What no single entry shows: a name twice, a requirement that is not met."""
        versions: dict[OperatorName, Version] = {}
        for operator in self.operators:
            if operator.name in versions:
                yield f"operator `{operator.name}` stands twice"
            versions[operator.name] = operator.version
        for operator in self.operators:
            for requirement in operator.requires:
                version = versions.get(requirement.name)
                if version is None or not requirement.accepts(version):
                    yield (
                        f"{operator.name} {operator.version} requires `{requirement}`, "
                        f"and the lock has {version or 'none'}"
                    )
        yield from self._unmet_packages()
        markers: dict[str, list[str | None]] = {}
        for package in self.packages:
            others = markers.setdefault(package.name, [])
            # One without a marker is for every platform, those of the others too.
            if others and (
                package.marker in others or None in (package.marker, *others)
            ):
                yield f"package `{package.name}` stands twice"
            others.append(package.marker)

    def _unmet_packages(self) -> Iterator[str]:
        """What operators ask for on every platform, and some platform is not given."""
        pinned: dict[str, list[str]] = {}
        for package in self.packages:
            pinned.setdefault(package.name, []).append(package.version)
        for operator in self.operators:
            for text in operator.packages:
                asked = parse_package_requirement(text)
                versions = pinned.get(canonicalize_name(asked.name), [])
                accepted = asked.specifier.filter(versions, prereleases=True)
                others = sorted({*versions} - {*accepted})
                # Where a marker excludes it, nothing has to meet it.
                if asked.marker is None and (others or not versions):
                    yield (
                        f"{operator.name} {operator.version} requires `{asked}`, "
                        f"and the lock has {enumerated(others) or 'none'}"
                    )


def read_lock(path: Path) -> bytes:
    """The bytes of a file that is a lock, or was one.

    :raises OSError: also if it has more than any lock.
    """
    return read_small(path, _LARGEST)


def _check_version(top: Entry) -> None:
    version = top.get("version", as_number)
    if version > FORMAT_VERSION:
        raise NewerLockfile(
            [f"format {version} was written by a newer hub; this one reads 1"],
            hint="Upgrade `towhee-hub`",
        )
    if version < FORMAT_VERSION:
        raise top.problem("version", f"expected {FORMAT_VERSION}, got {version}")


def _entries(
    parse: Callable[[Entry], T],
    section: str,
    tables: Sequence[Any],
    text: str,
    problems: list[str],
) -> Iterator[T]:
    """Parse each table, and keep the first problem of each that has some."""
    for index, table in enumerate(tables):
        try:
            yield parse(Entry(table, section, index, text))
        except LockProblem as problem:
            problems.append(str(problem))
