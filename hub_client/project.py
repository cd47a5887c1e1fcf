"""A project: which operators it asks for, in ``hub.toml`` or ``pyproject.toml``."""

from __future__ import annotations

from bisect import bisect
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING, Any, Self

from hub_client.atomic_file import check_within, write_atomically
from hub_client.config import find_project_file
from hub_client.merge_markers import CHOOSE, merge_markers
from hub_client.project_table import DEFAULT_REQUIRES_PYTHON, read_table
from hub_client.small_file import read_small
from hub_client.toml_text import read_toml
from plugin_spec.errors import HubError
from plugin_spec.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from packaging.specifiers import SpecifierSet
    from tomlkit.container import Container

    from hub_client.lockfile import Lockfile
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement

_NEW_TABLE = "[tool.hub]\noperators = []\n"


class InvalidProject(HubError, ValueError):
    """A project's table does not read.

    ``problems`` holds one sentence a problem, each with its place.
    """

    def __init__(
        self, path: Path, problems: Iterable[str], *, hint: str | None = None
    ) -> None:
        self.path, self.problems = path, tuple(problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        message = f"`{path.name}` does not describe a project of the hub{lines}"
        super().__init__(message, hint=hint)


class ProjectChanged(HubError):
    """A file of a project is not what it was when a command read it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"`{path.name}` was changed meanwhile, by another command or an editor, "
            "and stays so",
            hint="Run this command again",
        )


class UnlistedOperator(HubError, LookupError):
    """A project does not ask for this operator."""

    def __init__(self, path: Path, name: OperatorName, listed: Iterable[str]) -> None:
        self.name = name
        near = get_close_matches(str(name), listed)
        super().__init__(
            f"`{path.name}` does not ask for `{name}`",
            hint=f"Did you mean {enumerated([f'`{each}`' for each in near], 'or')}?"
            if near
            else None,
        )


@dataclass(frozen=True, slots=True)
class Project:
    """What a project file asks for. A change makes a new one; ``write`` keeps it."""

    path: Path
    """``hub.toml``, or ``pyproject.toml``."""
    text: str = field(repr=False)
    """The whole file as it is, or will be once written."""
    operators: tuple[Requirement, ...]
    sources: Mapping[str, str]
    """Source specs by name pattern."""
    requires_python: SpecifierSet
    prerelease: bool
    read: str | None = field(default=None, repr=False, compare=False)
    """The whole file as it was read, empty if there was none; None if nobody looked."""

    @classmethod
    def find(cls, directory: Path) -> Self | None:
        """The project of ``directory`` or of the nearest folder above that has one."""
        path = find_project_file(directory)
        return None if path is None else cls.open(path)

    @classmethod
    def open_or_create(cls, directory: Path) -> Self:
        """The project of ``directory``, or a new one in it that is not yet written.

        A new one is a table in the folder's ``pyproject.toml``, or else ``hub.toml``.
        """
        if project := cls.find(directory):
            return project
        path = directory / "pyproject.toml"
        if not path.is_file():
            new = cls.parse(directory / "hub.toml", "operators = []\n")
            return replace(new, read="")
        text = _read(path)
        newline = _newline(text)
        gap = newline if text.endswith(("\n", "\r")) or not text else 2 * newline
        new = cls.parse(
            path, text + (gap if text else "") + _NEW_TABLE.replace("\n", newline)
        )
        return replace(new, read=text)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a ``hub.toml``, or a ``pyproject.toml`` with a table ``[tool.hub]``.

        :raises InvalidProject: with every problem.
        """
        text = _read(path)
        return replace(cls.parse(path, text), read=text)

    @classmethod
    def parse(cls, path: Path, text: str) -> Self:
        """Read ``text`` as what stands, or will stand, in ``path``.

        :raises InvalidProject: with every problem.
        """
        try:
            document = read_toml(text)
        except ValueError as error:
            if markers := list(merge_markers(text)):
                raise InvalidProject(path, markers, hint=CHOOSE) from error
            raise InvalidProject(path, [f"not TOML: {error}"]) from error
        problems: list[str] = []
        if path.name == "pyproject.toml":
            package = _subtable(document, "project")
            table = read_table(
                _subtable(document, "tool").get("hub", {}),
                package.get("requires-python", DEFAULT_REQUIRES_PYTHON),
                problems,
            )
        else:
            table = read_table(document, DEFAULT_REQUIRES_PYTHON, problems)
        if problems:
            raise InvalidProject(path, problems)
        return cls(path, text, *table)

    @property
    def lock_path(self) -> Path:
        """Where this project's lock is, or would be."""
        return self.path.with_name("hub.lock")

    @property
    def inputs(self) -> tuple[str, ...]:
        """What decides the lock, sorted: values, not their layout or order."""
        return tuple(
            sorted(
                (
                    *(f"operator {_written(each)}" for each in self.operators),
                    *(f"source {key} {spec}" for key, spec in self.sources.items()),
                    f"python {self.requires_python}",
                    *(["prerelease"] if self.prerelease else []),
                )
            )
        )

    def is_stale(self, lockfile: Lockfile) -> bool:
        """Whether the project changed since ``lockfile`` was made from it."""
        return lockfile.inputs != self.inputs

    def with_operator(
        self, requirement: Requirement, source: str | None = None
    ) -> Self:
        """Ask for ``requirement``, in place of any other of the same name."""

        def change(table: Container) -> None:
            operators = table.setdefault("operators", [])
            names = [each.name for each in self.operators]
            if requirement.name in names:
                operators[names.index(requirement.name)] = _written(requirement)
            else:
                if not names:
                    # On a line each, two branches can each add one.
                    operators.multiline(multiline=True)
                place = bisect(names, requirement.name)
                if names != sorted(names):
                    place = len(names)  # whoever orders them otherwise goes on so
                operators.insert(place, _written(requirement))
            if source is None:
                return
            if "sources" in table:
                table["sources"][str(requirement.name)] = source
            else:
                table["sources"] = {str(requirement.name): source}

        return self._changed(
            change,
            lambda project: (
                requirement in project.operators
                and (
                    source is None
                    or source == project.sources.get(str(requirement.name))
                )
            ),
        )

    def without_operator(self, name: OperatorName) -> Self:
        """Ask for ``name`` no more, nor say which source is for it alone.

        :raises UnlistedOperator: if the project does not ask for it.
        """
        names = [each.name for each in self.operators]
        if name not in names:
            raise UnlistedOperator(self.path, name, map(str, names))

        def change(table: Container) -> None:
            operators = table["operators"]
            del operators[names.index(name)]
            if not operators and "#" not in operators.as_string():
                table["operators"] = []
            table.get("sources", {}).pop(str(name), None)

        return self._changed(
            change, lambda project: all(each.name != name for each in project.operators)
        )

    def add(self, requirement: Requirement, source: str | None = None) -> Self:
        """Write the file ``with_operator``, and return the project that it now is."""
        return self.with_operator(requirement, source).write()

    def remove(self, name: OperatorName) -> Self:
        """Write the file ``without_operator``, and return the project it now is."""
        return self.without_operator(name).write()

    def write(self) -> Self:
        """Replace the file in one step, and return the project that it now is.

        :raises ProjectChanged: rather than undo what was changed since it was read.
        :raises LeadsOut: as ``check_unchanged``.
        """
        self.check_unchanged()
        write_atomically(self.path, self.text.encode(), check=self.check_unchanged)
        return replace(self, read=self.text)

    def check_unchanged(self) -> None:
        """Refuse to go on from a file that is another one by now, or elsewhere.

        :raises ProjectChanged: naming it.
        :raises LeadsOut: if it, or the lock, is a link out of the project's folder.
        """
        for path in (self.path, self.lock_path):
            check_within(path, self.path.parent)
        there = _read(self.path) if self.path.exists() else ""
        if self.read not in {None, there}:
            raise ProjectChanged(self.path)

    def _changed(
        self, change: Callable[[Container], None], is_done: Callable[[Self], bool]
    ) -> Self:
        """Edit the text and nothing else of it: comments, order and layout stay.

        :raises InvalidProject: if the table has a form that tomlkit does not edit.
        """
        import tomlkit  # noqa: PLC0415  (40 ms that only a change is worth)

        newline = _newline(self.text)
        inside = self.path.name == "pyproject.toml"
        with suppress(tomlkit.exceptions.TOMLKitError, ValueError):
            document = tomlkit.parse(self.text.replace("\r\n", "\n"))
            change(document["tool"]["hub"] if inside else document)
            text = _ended_as(self.text, tomlkit.dumps(document).replace("\n", newline))
            if is_done(project := self.parse(self.path, text)):
                return replace(project, read=self.read)
        raise InvalidProject(
            self.path,
            ["its form is too unusual to edit: write `[tool.hub]` as a table"],
        )


def _read(path: Path) -> str:
    try:
        return read_small(path).decode()
    except UnicodeDecodeError as error:
        raise InvalidProject(path, [f"not UTF-8: {error}"]) from error


def _written(requirement: Requirement) -> str:
    """A requirement as people write one: the lower bound before the upper.

    >>> from plugin_spec.requirement import Requirement
    >>> _written(Requirement.parse("image-embedding/timm<2,>=1"))
    'image-embedding/timm>=1,<2'
    """
    specifiers = sorted(map(str, requirement.specifier), reverse=True)
    return f"{requirement.name}{','.join(specifiers)}"


def _newline(text: str) -> str:
    """What ends the lines of ``text``."""
    return "\r\n" if "\r\n" in text else "\n"


def _ended_as(before: str, after: str) -> str:
    r"""An edited text in which each line that stays has the end that it had.

    >>> _ended_as("a = 1\nb = 2\r\n", "a = 1\r\nb = 3\r\n")
    'a = 1\nb = 3\r\n'
    """
    if before.count("\r\n") in {0, before.count("\n")}:
        return after  # all lines end alike
    old, new = before.split("\n"), after.split("\n")
    old_bare, new_bare = (
        [line.removesuffix("\r") for line in lines] for lines in (old, new)
    )
    matcher = SequenceMatcher(None, old_bare, new_bare)
    for block in matcher.get_matching_blocks():
        for was, now in zip(
            range(block.a, block.a + block.size),
            range(block.b, block.b + block.size),
            strict=True,
        ):
            # What stands behind the last end of a line has none to keep.
            if was < len(old) - 1 and now < len(new) - 1:
                new[now] = old[was]
    return "\n".join(new)


def _subtable(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A table inside another; empty if it is missing or none of ours to judge."""
    table = document.get(key)
    return table if isinstance(table, dict) else {}
