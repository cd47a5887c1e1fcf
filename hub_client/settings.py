"""Every setting there is: what it decides, what it may hold, and who may set it.

``docs/configuration.md`` has these as a table; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from hub_client.text_of_others import ONE_LINE

if TYPE_CHECKING:
    from collections.abc import Callable

InstallPolicy: TypeAlias = Literal["on-demand", "never"]
"""Whether a pipeline may install an operator that it misses."""
InstallerKind: TypeAlias = Literal["auto", "uv", "pip"]
"""What installs Python packages; ``auto`` is uv where there is one, otherwise pip."""
TunePolicy: TypeAlias = Literal["auto", "never"]
"""Whether the first rows of a job show which plan is fastest on this machine."""
FileKind: TypeAlias = Literal["project", "user"]
"""Whose file: a project's, or the user's own."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, in words for people and as a check."""

    key: str
    meaning: str
    expected: str
    """What it may hold, as the end of a sentence."""
    accepts: Callable[[Any], bool]
    default: str
    """In words."""
    files: tuple[FileKind, ...] = ("project", "user")
    """Whose files may set it."""
    flag: str | None = None
    variable: str | None = None
    parse: Callable[[str], object] = str
    """A variable's text as the value that a file would have."""


def _choice(choices: tuple[str, ...]) -> tuple[str, Callable[[Any], bool]]:
    return " or ".join(f"`{choice}`" for choice in choices), choices.__contains__


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_source(value: object) -> bool:
    return isinstance(value, str) and ONE_LINE.fullmatch(value) is not None


def _is_table_of_sources(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_source, value.values()))


def _is_list_of_required(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict)
        and {"source", "keys"} <= each.keys() <= {"source", "keys", "trusted-root"}
        and _is_text(each["source"])
        and _is_list_of_text(each["keys"])
        and _is_text(each.get("trusted-root", ""))
        for each in value
    )


def _parse_flag(text: str) -> bool | str:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    return text


SETTINGS: Final = (
    Setting(
        "offline",
        "use no network, and fail where it would be needed",
        "`true` or `false`",
        lambda value: isinstance(value, bool),
        default="`false`",
        flag="--offline",
        variable="HUB_OFFLINE",
        parse=_parse_flag,
    ),
    Setting(
        "install",
        "whether a pipeline may install an operator that it misses",
        *_choice(get_args(InstallPolicy)),
        default="`on-demand`",
        variable="HUB_INSTALL",
    ),
    Setting(
        "installer",
        "what installs Python packages; `auto` is uv where there is one",
        *_choice(get_args(InstallerKind)),
        default="`auto`",
        variable="HUB_INSTALLER",
    ),
    Setting(
        "tune",
        "whether the first rows of a job show "
        "[which plan is fastest](executor.md) on this machine",
        *_choice(get_args(TunePolicy)),
        default="`auto`",
        variable="HUB_TUNE",
    ),
    Setting(
        "sources",
        "where names come from",
        "a table of source by name pattern, without tab or line end",
        _is_table_of_sources,
        default='`"*" = "bundled"`',
        flag="--source",
    ),
    Setting(
        "trusted",
        "whose code may run here: `hub trust` writes the user's list, and a project's "
        "narrows it",
        "a list of sources",
        _is_list_of_text,
        default="none",
    ),
    Setting(
        "require-signature",
        "who must [have signed](security.md#signatures) what a source gives",
        "tables with a `source`, a list of `keys` and maybe a `trusted-root`",
        _is_list_of_required,
        default="none",
        files=("user",),
    ),
    Setting(
        "cache-dir",
        "where fetched things lie",
        "a path",
        _is_text,
        default="the system's cache folder",
        files=("user",),
        variable="HUB_CACHE_DIR",
    ),
    Setting(
        "config-dir",
        "the folder of the user's `config.toml`",
        "a path",
        _is_text,
        default="the system's configuration folder",
        files=(),
        variable="HUB_CONFIG_DIR",
    ),
)

DEFAULTS: Final[dict[str, Any]] = {
    "offline": False,
    "install": "on-demand",
    "installer": "auto",
    "tune": "auto",
    "sources": {"*": "bundled"},
}


def settings_of(kind: FileKind) -> dict[str, Setting]:
    """The settings that a file of this kind may have, by key."""
    return {each.key: each for each in SETTINGS if kind in each.files}


def variables() -> dict[str, Setting]:
    """The settings that an environment variable decides, by its name."""
    return {each.variable: each for each in SETTINGS if each.variable}
