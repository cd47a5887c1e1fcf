"""Known vulnerabilities of locked Python packages, as uv's own audit finds them."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from hub_client.packages import InstallerMissing
from hub_client.packages.uv import find_uv, neutral_ground
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hub_client.lockfile import LockedPackage

_PROJECT: Final = '[project]\nname = "hub-lock"\nversion = "0"\n'
# uv asks by name and version, and never the registry that a lock names.
_SOURCE: Final = '{ registry = "https://registry.invalid/simple" }'
_TIMEOUT_SECONDS: Final = 300


class AuditFailed(HubError):
    """uv could not ask for vulnerabilities; what it said is in the message."""


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """Something that is known to be wrong with one version of a package."""

    package: str
    version: str
    id: str
    summary: str
    fixed_in: tuple[str, ...]
    link: str | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Take what uv reports: a line each, as anybody may write an advisory."""
        return cls(
            package=_line(data["dependency"]["name"]),
            version=_line(data["dependency"]["version"]),
            id=_line(data.get("display_id") or data["id"]),
            summary=_line(data.get("summary") or ""),
            fixed_in=tuple(map(_line, data.get("fix_versions") or ())),
            link=_line(data.get("link") or "") or None,
        )


def find_vulnerabilities(
    packages: Sequence[LockedPackage], *, service: str | None = None
) -> tuple[Vulnerability, ...]:
    """Ask a service that speaks OSV's API about every locked package.

    :param service: its address; the public one if not given.
    :raises AuditFailed: if it does not answer, or this uv cannot audit.
    """
    if not packages:
        return ()
    if (uv := find_uv()) is None:
        raise InstallerMissing("An audit of packages needs uv", hint="pip install uv")
    where = (f"--service-url={service}",) if service else ()
    # A project of uv's own, which asks for what is locked.
    with neutral_ground(_pyproject(packages)) as folder:
        Path(folder, "uv.lock").write_text("\n".join(_uv_lock(packages)), "utf-8")
        words = ("audit", "--frozen", "--output-format", "json", *where)
        features = ("--preview-features", "audit-command,json-output")
        done = subprocess.run(  # noqa: S603  (no word of it comes from outside)
            [uv, *words, *features],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=_TIMEOUT_SECONDS,
        )
    try:
        found = json.loads(done.stdout)["vulnerabilities"]
        return tuple(map(Vulnerability.from_dict, found))
    except (ValueError, KeyError, TypeError) as error:
        raise AuditFailed(
            f"uv could not audit the Python packages: {_said(done.stderr) or error}",
            hint="It asks a vulnerability service: check your network, name another "
            "with `--service-url`, and see that `uv audit` is there",
        ) from error


def _line(value: object) -> str:
    return " ".join(str(value).split())


def _said(text: str) -> str:
    r"""What uv said, with its causes in one sentence.

    >>> _said("error: Request failed\n  cause: dns error\n  cause: no such name\n")
    'Request failed: dns error: no such name'
    """
    lines = (line.strip() for line in text.splitlines())
    parts = (re.sub(r"^(error|cause|Caused by): ", "", line) for line in lines)
    return ": ".join(filter(None, parts))


def _pyproject(packages: Iterable[LockedPackage]) -> str:
    names = sorted({each.name for each in packages})
    return f"{_PROJECT}requires-python = '>=3.11'\ndependencies = {json.dumps(names)}\n"


def _uv_lock(packages: Iterable[LockedPackage]) -> Iterator[str]:
    """The packages as uv would have locked them, each asked for by the project."""
    versions = sorted({(each.name, each.version) for each in packages})
    yield 'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n'
    needed = "".join(
        f'    {{ name = "{name}", version = "{version}", source = {_SOURCE} }},\n'
        for name, version in versions
    )
    yield '[[package]]\nname = "hub-lock"\nversion = "0"\nsource = { virtual = "." }'
    yield f"dependencies = [\n{needed}]\n"
    for name, version in versions:
        # uv refuses a package without a file; nothing is ever fetched from it.
        file = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        url = f"https://registry.invalid/{file}"
        digest = f"sha256:{'0' * 64}"
        yield f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {_SOURCE}'
        yield f'wheels = [{{ url = "{url}", hash = "{digest}" }}]\n'
