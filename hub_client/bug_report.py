"""What whoever mends a bug has to know of a machine, and nothing private."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hub_client.config import (
    HubConfig,
    InvalidConfig,
    find_project_file,
    user_config_dir,
)
from hub_client.discretion import discreet
from hub_client.packages.uv import find_uv
from hub_client.settings import SETTINGS
from hub_client.version import VERSION
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hub_client.environment import Environment
    from hub_client.receipt import Receipt

_TELLING: Final = re.compile(
    r"(HUB|HF|UV|PIP|SSL|GIT|CUDA|OMP)_\w+|(HTTPS?|ALL|NO)_PROXY|(NO|FORCE)_COLOR"
    r"|VIRTUAL_ENV|CONDA_PREFIX|PYTHONPATH|REQUESTS_CA_BUNDLE|XDG_\w+_HOME",
    re.IGNORECASE,
)
"""Variables that change what is done. That one is set is told, and not to what."""
_OFFLINE: Final = "HUB_OFFLINE"
_ALWAYS: Final = frozenset({"numpy", "torch", "huggingface-hub"})
"""Python packages that matter to whatever is installed."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A value, and what decided it: a flag, a variable, a file or the default."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class DecidedSource(Decided):
    """A source by its pattern."""

    problem: str | None
    """Why nothing can come from it; None if nothing speaks against it."""


@dataclass(frozen=True, slots=True)
class BugReport:
    """Everything in it may be shown to anyone."""

    versions: Mapping[str, str | None]
    """Of programs; None for one that is missing."""
    packages: Mapping[str, str]
    """Versions of the Python packages that the installed operators ask for."""
    paths: Mapping[str, str | None]
    settings: tuple[Decided, ...]
    sources: tuple[DecidedSource, ...]
    variables: tuple[str, ...]
    operators: tuple[tuple[str, str, str], ...]
    """Name, version, source."""
    problems: tuple[str, ...]

    @classmethod
    def of(cls, environment: Environment, *, offline: bool = False) -> BugReport:
        """Look around; what does not read is a problem in the report."""
        problems: list[str] = []
        config = None
        try:
            config = HubConfig.load(offline=offline or None)
        except InvalidConfig as error:
            problems.append(discreet(str(error)))
        receipts = environment.receipts()
        sources = () if config is None else tuple(_sources(config))
        problems += (
            f"`{each.value}` for `{each.key}` in `{each.origin}`: {each.problem}"
            for each in sources
            if each.problem
        )
        if config is not None and (problem := _trust_problem(config)):
            problems.append(problem)
        return cls(
            versions=_versions(environment),
            packages=_packages(environment, receipts),
            paths={
                key: None if path is None else discreet(str(path))
                for key, path in _paths(environment, config).items()
            },
            settings=() if config is None else tuple(_settings(config)),
            sources=sources,
            variables=tuple(_variables(offline=offline)),
            operators=tuple(
                (str(each.name), str(each.version), discreet(each.source))
                for each in receipts
            ),
            problems=tuple(problems),
        )

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        names = ("name", "version", "source")
        operators = [dict(zip(names, each, strict=True)) for each in self.operators]
        return {**asdict(self), "operators": operators}


def _versions(environment: Environment) -> dict[str, str | None]:
    uv = find_uv()
    return {
        "hub": VERSION,
        "python": environment.markers["python_full_version"],
        "platform": platform.platform(),
        "git": _program("git", "--version"),
        "uv": uv and _program(uv, "--version"),
    }


def _program(*words: str) -> str | None:
    """What a program says of its version; None if it cannot be started."""
    try:
        done = subprocess.run(  # noqa: S603  (git and uv, as we start them anyway)
            words, check=True, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\d+(\.\w+)+", done.stdout)
    return found[0] if found else None


def _packages(environment: Environment, receipts: Iterable[Receipt]) -> dict[str, str]:
    from packaging.requirements import Requirement  # noqa: PLC0415  (slow)
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    asked = {
        str(canonicalize_name(Requirement(text).name))
        for receipt in receipts
        for text in receipt.packages
    }
    installed = environment.installed_packages()
    return {
        name: installed[name] for name in sorted(asked | _ALWAYS) if name in installed
    }


def _paths(
    environment: Environment, config: HubConfig | None
) -> dict[str, Path | None]:
    user = user_config_dir() / "config.toml"
    try:
        project = find_project_file(Path.cwd())
    except InvalidConfig:
        project = None  # it is a problem of the report already
    lock = None if project is None else project.parent / "hub.lock"
    return {
        "python": environment.python,
        "environment": environment.prefix,
        "cache": None if config is None else config.cache_dir,
        "user": user if user.is_file() else None,
        "project": project,
        "lock": lock if lock and lock.is_file() else None,
    }


def _variables(*, offline: bool) -> Iterable[str]:
    for name, value in sorted(os.environ.items()):
        # The flag sets that one, for children.
        if value and _TELLING.fullmatch(name) and not (offline and name == _OFFLINE):
            yield name


def _settings(config: HubConfig) -> Iterable[Decided]:
    values = {
        "offline": config.offline,
        "install": config.install,
        "installer": config.installer,
        "tune": config.tune,
        "trusted": [discreet(each) for each in config.trusted],
        "require-signature": [discreet(each) for each in config.required_signatures],
        "cache-dir": discreet(str(config.cache_dir)),
        "config-dir": discreet(str(config.config_dir)),
    }
    for setting in SETTINGS:
        if setting.key in values:
            origin = discreet(config.origins[setting.key])
            yield Decided(setting.key, values[setting.key], origin)


def _sources(config: HubConfig) -> Iterable[DecidedSource]:
    for pattern, spec in sorted(config.sources.items()):
        origin = discreet(config.origins[f"sources {pattern}"])
        yield DecidedSource(pattern, discreet(spec), origin, _problem(pattern, spec))


def _problem(pattern: str, spec: str) -> str | None:
    from hub_client.sources.router import check_spec  # noqa: PLC0415  (slow)
    from hub_client.sources.rules import SourceRules  # noqa: PLC0415

    project = find_project_file(Path.cwd())
    try:
        SourceRules({pattern: spec})
        check_spec(spec, directory=project and project.parent)
    except HubError as error:
        return discreet(str(error))
    return None


def _trust_problem(config: HubConfig) -> str | None:
    from hub_client.trust import InvalidTrust, find_untrusted  # noqa: PLC0415  (slow)

    try:
        find_untrusted((), config.trusted)
    except InvalidTrust as error:
        return discreet(str(error))
    return None
