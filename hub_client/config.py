"""Configuration: flags, then the environment, the project, the user, the defaults."""

from __future__ import annotations

import os
from collections import ChainMap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from hub_client.home import expanded
from hub_client.merge_markers import CHOOSE, merge_markers
from hub_client.settings import DEFAULTS, SETTINGS, settings_of, variables
from hub_client.small_file import read_small
from hub_client.toml_text import read_toml
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from hub_client.settings import InstallerKind, InstallPolicy, Setting, TunePolicy

_APPLICATION = "towhee-hub"
_LEADING: Final = ("HUB_CONFIG_DIR", "XDG_CONFIG_HOME", "HOME")
"""Variables that say where the user's configuration is, the first that is set."""
_MARKS: Final = ("hub.toml", "pyproject.toml", ".git")
"""What a folder has that others may have filled."""


class InvalidConfig(HubError, ValueError):
    """A configuration file or a ``HUB_*`` variable holds what it may not.

    ``problems`` holds one sentence a problem, each with its place.
    """

    def __init__(
        self, place: str, problems: Iterable[str], *, hint: str | None = None
    ) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"`{place}` is not a valid configuration\n{lines}", hint=hint)


@dataclass(frozen=True, slots=True)
class HubConfig:
    """What the user, the project and this run decided."""

    cache_dir: Path
    config_dir: Path
    offline: bool
    install: InstallPolicy
    installer: InstallerKind
    sources: Mapping[str, str]
    """Source specs by name pattern; the most specific pattern answers for a name."""
    trusted: tuple[str, ...]
    """Sources whose code may run here. Only the user's own file can name one."""
    tune: TunePolicy = "auto"
    required_signatures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys by source, one of which must have signed; from the user's own file alone."""
    trusted_roots: Mapping[str, Path] = field(default_factory=dict)
    """Files of what counts as sigstore, by source; without one the public one does."""
    narrowed: tuple[str, ...] | None = None
    """Of the sources that the user trusts, those that the project wants to have used;
    None if it does not say."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What decided a setting, by its key: a flag, a variable, a file or ``default``.
    A source has the key ``sources`` and its pattern, with a space between."""

    @classmethod
    def load(  # noqa: PLR0913  (one keyword per setting that a flag can change)
        cls,
        *,
        directory: Path | None = None,
        cache_dir: Path | None = None,
        offline: bool | None = None,
        install: InstallPolicy | None = None,
        installer: InstallerKind | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> Self:
        """Read every layer; the first that has a setting decides it.

        ``sources`` are merged pattern by pattern, in the same order.

        :param directory: where to look for a project, upwards; the current folder if
            not given.
        :raises InvalidConfig: with every problem of the first file that has some.
        """
        flags = {
            "cache-dir": None if cache_dir is None else str(cache_dir),
            "offline": offline,
            "install": install,
            "installer": installer,
            "sources": sources,
        }
        config_dir = user_config_dir()
        directory = directory or Path.cwd()
        if _is_there(config_dir / "config.toml"):
            check_own(config_dir, directory)
        file = find_project_file(directory)
        project = _read_project(file)
        user = _read_user(config_dir / "config.toml")
        narrowed, trusted = project.pop("trusted", None), user.get("trusted", ())
        layers: dict[str, dict[str, Any]] = {
            "flag": {key: value for key, value in flags.items() if value is not None},
            "variable": _read_environment(),
            str(file): project,
            str(config_dir / "config.toml"): user,
            "default": DEFAULTS,
        }
        settings = ChainMap(*layers.values())
        return cls(
            cache_dir=_folder(settings.get("cache-dir") or _default_cache_dir()),
            config_dir=config_dir,
            offline=settings["offline"],
            install=settings["install"],
            installer=settings["installer"],
            sources=dict(
                ChainMap(*(layer.get("sources", {}) for layer in settings.maps))
            ),
            trusted=tuple(trusted),
            tune=settings["tune"],
            required_signatures=_signatures(user.get("require-signature", ())),
            trusted_roots=_roots(config_dir, user.get("require-signature", ())),
            narrowed=None if narrowed is None else tuple(narrowed),
            origins=_origins(layers),
        )


def _origins(layers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Where each value is from: the first layer that has it."""
    found: dict[str, str] = {}
    for setting in SETTINGS:
        names = {"flag": setting.flag, "variable": setting.variable}
        for layer, values in layers.items():
            origin = names.get(layer) or layer
            if setting.key in values:
                found.setdefault(setting.key, origin)
            if setting.key == "sources":
                for pattern in values.get("sources", ()):
                    found.setdefault(f"sources {pattern}", origin)
        found.setdefault(setting.key, "default")
    return found


def user_config_dir() -> Path:
    """The folder of the user's ``config.toml``: ``HUB_CONFIG_DIR``, or the system's."""
    if chosen := os.environ.get("HUB_CONFIG_DIR"):
        return _folder(chosen)
    from platformdirs import user_config_path  # noqa: PLC0415  (4 ms, seldom needed)

    return user_config_path(_APPLICATION, appauthor=False)


def find_project_file(directory: Path) -> Path | None:
    """The nearest ``hub.toml``, or ``pyproject.toml`` with ``[tool.hub]``, upwards."""
    for folder in (directory.absolute(), *directory.absolute().parents):
        if (file := folder / "hub.toml").is_file():
            return file
        file = folder / "pyproject.toml"
        if file.is_file() and "hub" in _subtable(_parse(file), "tool"):
            return file
    return None


def _default_cache_dir() -> Path:
    from platformdirs import user_cache_path  # noqa: PLC0415  (as in user_config_dir)

    return user_cache_path(_APPLICATION, appauthor=False)


def _folder(path: str | Path) -> Path:
    return expanded(path).absolute()


_PROJECT_KEYS: Final = frozenset({"operators", "prerelease", "requires-python"})
"""Keys of the same table that ``Project`` reads and checks."""


def _read_environment() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, setting in variables().items():
        if text := os.environ.get(variable):
            value = {setting.key: setting.parse(text)}
            found |= _checked(variable, value, {setting.key: setting})
    return found


def _signatures(
    tables: Iterable[Mapping[str, Any]],
) -> dict[str, tuple[str, ...]]:
    """Keys by source; those of a source that stands twice are joined."""
    keys: dict[str, tuple[str, ...]] = {}
    for each in tables:
        keys[each["source"]] = (*keys.get(each["source"], ()), *each["keys"])
    return keys


def _roots(config_dir: Path, tables: Iterable[Mapping[str, Any]]) -> dict[str, Path]:
    """Trusted roots by source; a path is relative to the configuration's folder.

    :raises InvalidConfig: if a source has two, as its keys would be of either.
    """
    roots: dict[str, str | None] = {}
    for each in tables:
        root = each.get("trusted-root")
        if roots.setdefault(each["source"], root) != root:
            problem = f"require-signature: {each['source']!r} has two trusted roots"
            raise InvalidConfig(str(config_dir / "config.toml"), [problem])
    return {
        source: config_dir / expanded(root)
        for source, root in roots.items()
        if root is not None
    }


def check_own(config_dir: Path, directory: Path) -> None:
    """Refuse what lies in a project as its user's own: it would say whom they trust.

    :param directory: where somebody works; what a project may be begins there or above.
    :raises InvalidConfig: if a variable leads into one.
    """
    home = _home_of_account().resolve()
    leading = {name: os.environ.get(name) for name in _LEADING}
    if leading.pop("HOME") in {None, str(home)} and not any(leading.values()):
        return
    target = config_dir.resolve()
    for folder in (directory.absolute(), *directory.absolute().parents):
        project = folder.resolve()
        # A project that is all of somebody's home has their configuration inside.
        if (
            target.is_relative_to(project)
            and not home.is_relative_to(project)
            and any((folder / mark).exists() for mark in _MARKS)
        ):
            problem = (
                f"`{config_dir}` is inside the project `{folder}`, "
                "and whom you trust is not a project's to say"
            )
            raise InvalidConfig(
                next(filter(os.environ.get, _LEADING)),
                [problem],
                hint="Set HUB_CONFIG_DIR to a folder outside of every project",
            )


def _home_of_account() -> Path:
    """The user's home as the system has it, whatever a variable says."""
    try:
        import pwd  # noqa: PLC0415  (not on Windows)

        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (ImportError, KeyError):
        return Path.home()


def _read_project(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    table = _parse(file)
    if file.name == "pyproject.toml":
        table = _subtable(_subtable(table, "tool"), "hub")
    settings = {key: table[key] for key in table if key not in _PROJECT_KEYS}
    return _checked(file, settings, settings_of("project"), others=_PROJECT_KEYS)


def _read_user(file: Path) -> dict[str, Any]:
    if file.parent.is_file():
        raise InvalidConfig(str(file.parent), ["expected a folder, got a file"])
    if not _is_there(file):
        return {}
    return _checked(file, _parse(file), settings_of("user"))


def _is_there(file: Path) -> bool:
    """Whether there is anything of that name, be it a link that leads nowhere.

    Whoever has one means it to count: passed over, it would not.
    """
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _parse(file: Path) -> dict[str, Any]:
    content = read_small(file)
    try:
        return read_toml(content.decode())
    # Not TOML, not UTF-8, or a number of thousands of digits.
    except ValueError as error:
        if markers := list(merge_markers(content.decode(errors="replace"))):
            raise InvalidConfig(str(file), markers, hint=CHOOSE) from error
        raise InvalidConfig(str(file), [f"not TOML: {error}"]) from error


def _subtable(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def _checked(
    place: Path | str,
    table: dict[str, Any],
    settings: Mapping[str, Setting],
    *,
    others: Collection[str] = (),
) -> dict[str, Any]:
    if problems := list(_problems(table, settings, others)):
        raise InvalidConfig(str(place), problems)
    return table


def _problems(
    table: Mapping[str, Any], settings: Mapping[str, Setting], others: Collection[str]
) -> Iterator[str]:
    for key, value in table.items():
        if key in settings:
            if not settings[key].accepts(value):
                yield f"{key}: expected {settings[key].expected}, got {value!r}"
        elif key in settings_of("user"):
            yield f"{key}: only the user's own configuration may set this"
        else:
            known = ", ".join(f"`{name}`" for name in sorted({*settings, *others}))
            yield f"{key}: unknown key, expected one of {known}"
