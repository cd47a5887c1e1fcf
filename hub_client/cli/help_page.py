"""Help as a page that a person wrote, set without loading a typesetter."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_WIDEST: Final = 88
_GAP: Final = 2


SHARED: Final = "On every command"
"""The section of the flags that every command has."""
_BEFORE: Final = "hub_client.cli.flags"
"""Under which a context keeps the flags that came before the command."""


class PageCommand(TyperCommand):
    """A command whose docstring is its page."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Read also the flags that came before the command."""
        return super().parse_args(ctx, [*ctx.meta.get(_BEFORE, ()), *args])

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401  (click's, or typer's own)
        """Set the page: usage, text, arguments, options."""
        shown = _shown(self.get_params(ctx))
        arguments = [each for each in shown if each.param_type_name == "argument"]
        words = [ctx.command_path, *(each.metavar for each in arguments)]
        words += [
            f"{each.opts[0]} {each.metavar}" for each in shown if _is_needed(each)
        ]
        sections = [f"Usage: {' '.join(words)}", self.help or ""]
        if arguments:
            rows = [(each.metavar, each.help) for each in arguments]
            sections.append(_section("Arguments", rows))
        panels: dict[str, list[Any]] = {"Options": []}
        for each in shown:
            if each.param_type_name == "option":
                panel = getattr(each, "rich_help_panel", None) or "Options"
                panels.setdefault(panel, []).append(each)
        for panel, options in panels.items():
            if options:
                sections.append(_section(panel, map(_option_row, options)))
        return "\n\n".join(sections)


class Later(NamedTuple):
    """A command that is made when it is asked for; making all of them takes a while."""

    make: Callable[[], Any]
    summarise: Callable[[], str]
    panel: str | None


class _Commands(Mapping[str, Any]):
    """The commands of a group by name, in order; ``register`` has filled it."""

    def __init__(self, later: dict[str, Later], groups: dict[str, Any]) -> None:
        self._later = later
        self._made = groups
        self._names = (*later, *groups)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  (click's, or typer's own)
        if name not in self._made:
            self._made[name] = self._later[name].make()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names  # without making it

    def row(self, name: str) -> tuple[str, str]:
        """The subject of a command, and what it does, in a line."""
        if name in self._later:
            _, summarise, panel = self._later[name]
            summary = summarise()
        else:
            group = self._made[name]
            summary, panel = group.short_help or group.help, group.rich_help_panel
        return panel or "Commands", summary or ""


class PageGroup(TyperGroup):
    """A group of commands whose page lists them by subject; ``new_group`` opens one."""

    later: ClassVar[dict[str, Later]] = {}
    """Of a class of its own for each group, which knows them before it is made."""
    commands: _Commands  # type: ignore[assignment]  # nothing is added to it

    def __init__(self, *, commands: dict[str, Any], **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        self.commands = _Commands(self.later, commands)

    def list_commands(self, _ctx: Any) -> list[str]:  # noqa: ANN401
        """Name them in order."""
        return list(self.commands)

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401  (as above)
        """Set the page: text, usage, commands by subject, options."""
        usage = f"Usage: {ctx.command_path} COMMAND …"
        sections = [self.help or "", usage]
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            panel, summary = self.commands.row(name)
            panels.setdefault(panel, []).append((name, summary))
        sections += [_section(panel, rows) for panel, rows in panels.items()]
        options = _shown(self.get_params(ctx))
        sections.append(_section("Options", map(_option_row, options)))
        sections.append(_section(SHARED, map(_option_row, self._shared(ctx))))
        sections.append(
            f"`{ctx.command_path} COMMAND --help` is the page of a command."
        )
        return "\n\n".join(sections)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Answer no command at all with the page, as a mistake; `help` asks for it."""
        flags, rest = self._split(ctx, args)
        if rest[:1] == ["help"]:
            rest = [*rest[1:], "--help"]
        if not rest and not ctx.resilient_parsing:
            print(self.get_help(ctx), file=sys.stderr)  # noqa: T201
            ctx.exit(2)
        ctx.meta.setdefault(_BEFORE, []).extend(flags)
        return super().parse_args(ctx, rest)

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401
        """Offer a shell also the flags that may come before the command."""
        own = super().get_params(ctx)
        return [*own, *self._shared(ctx)] if ctx.resilient_parsing else own

    def _split(self, ctx: Any, args: list[str]) -> tuple[list[str], list[str]]:  # noqa: ANN401
        """Of what is typed, the leading flags that every command has, and the rest."""
        takes = {
            name: not each.is_flag for each in self._shared(ctx) for name in each.opts
        }
        end = 0
        while end < len(args) and args[end].partition("=")[0] in takes:
            end += 1 + (takes[args[end].partition("=")[0]] and "=" not in args[end])
        return args[:end], args[end:]

    def _shared(self, ctx: Any) -> list[Any]:  # noqa: ANN401
        """The flags that every command has: any of them shows those."""
        command: Any = self
        while isinstance(command, TyperGroup):
            command = command.get_command(ctx, command.list_commands(ctx)[0])
        return [
            each
            for each in command.get_params(ctx)
            if getattr(each, "rich_help_panel", None) == SHARED
        ]


def _shown(parameters: Iterable[Any]) -> list[Any]:
    return [each for each in parameters if not getattr(each, "hidden", False)]


def _is_needed(parameter: Any) -> bool:  # noqa: ANN401
    return bool(parameter.required) and parameter.param_type_name == "option"


def _option_row(option: Any) -> tuple[str, str]:  # noqa: ANN401
    names = ", ".join(sorted(option.opts, key=len))
    metavar = "" if option.is_flag or not option.metavar else f" {option.metavar}"
    return f"{names}{metavar}", option.help or ""


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join([title, *_columns(list(rows))])


def _columns(rows: list[tuple[str, str]]) -> Iterator[str]:
    """Names left, their texts right of the longest name, wrapped."""
    margin = 2 * _GAP + max(len(name) for name, _ in rows)
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    for name, text in rows:
        lines = textwrap.wrap(text, max(width - margin, 20)) or [""]
        yield f"{' ' * _GAP}{name:<{margin - _GAP}}{lines[0]}".rstrip()
        yield from (" " * margin + line for line in lines[1:])
