"""Addresses of git repositories: what git may be given, and nothing else."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMES: Final = ("file", "git", "http", "https", "ssh")

_URL = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://"
    r"(?:(?P<user>[^/@]*)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^/:@]*)(?::(?P<port>[0-9]*))?"
    r"(?P<path>/.*)"
)
_HOST = re.compile(r"\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9][a-zA-Z0-9._-]*")
_USER = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]*")
_LAST_PORT: Final = "65535"
_SCP = re.compile(r"(?P<host>\w[\w.-]*@\w[\w.-]*):/?(?P<path>[^:]+)")


class InvalidGitUrl(HubError, ValueError):
    """An address is not one of a git repository that may be asked."""


@dataclass(frozen=True, slots=True)
class GitUrl:
    """An address with a known scheme, a plain host and a path without ``..``."""

    scheme: str
    authority: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_git_url(text: str) -> GitUrl:
    """Parse; the scheme and the host come out in lower case.

    >>> str(parse_git_url("HTTPS://Git.Acme.example/embed.git"))
    'https://git.acme.example/embed.git'

    :raises InvalidGitUrl: with what is wrong with it.
    """
    match = _URL.fullmatch(text)
    if match is None or match["scheme"].lower() not in SCHEMES:
        raise InvalidGitUrl(
            f"expected the address of a git repository, got {text!r}", hint=_hint(text)
        )
    scheme, user, host, port, path = match.groups()
    scheme = scheme.lower()
    if problem := (
        _authority_problem(scheme, user, host)
        or _port_problem(port)
        or _path_problem(path)
    ):
        shown = text if user is None else text.replace(f"{user}@", "…@", 1)
        hint = "Write a space as `%20`" if " " in path else None
        raise InvalidGitUrl(f"the git address {shown!r} {problem}", hint=hint)
    authority = (f"{user}@" if user else "") + host.lower()
    return GitUrl(scheme, authority + (f":{port}" if port else ""), path)


def decoded(path: str) -> str:
    """A path as a server has it that decodes it twice, as one behind another may.

    >>> decoded("/a%252fb%2Fc")
    '/a/b/c'
    """
    return unquote(unquote(path))


def mirror_path(url: GitUrl, cache_dir: Path) -> Path:
    """Where the mirror of a repository lies, or would lie."""
    name = hashlib.sha256(str(url).encode()).hexdigest()[:32]
    return cache_dir / "git" / name


def is_whole(mirror: Path) -> bool:
    """Whether git takes the folder for a repository; if not, it is made anew."""
    return (mirror / "HEAD").is_file() and (mirror / "objects").is_dir()


def _hint(text: str) -> str:
    if scp := _SCP.fullmatch(text):
        return f"Write it as `ssh://{scp['host']}/{scp['path']}`"
    return "Write it with one of " + ", ".join(f"`{scheme}://`" for scheme in SCHEMES)


def _authority_problem(scheme: str, user: str | None, host: str) -> str | None:
    if scheme == "file":
        return "has a host before its path" if host or user else None
    if host.startswith("-") or (user or "").startswith("-"):
        return "has a host that ssh would read as an option"
    if user and ":" in user:
        return "has a password in it: keep it in git's credential helper or ~/.netrc"
    if not _HOST.fullmatch(host):
        return "has no plain host name"
    if user is not None and not _USER.fullmatch(user):
        return "has no plain user name"
    return None


def _port_problem(port: str | None) -> str | None:
    number = (port or "").lstrip("0")
    if (len(number), number) > (len(_LAST_PORT), _LAST_PORT):
        # Some systems would begin again at 0: one place by many names.
        return f"has a port above {_LAST_PORT}"
    return None


def _path_problem(path: str) -> str | None:
    plain = decoded(path)
    if not plain.isprintable() or " " in path or "\\" in plain:
        return "has a space, a backslash or a control character in its path"
    # Some servers take what follows a semicolon for no part of a folder's name, and
    # some systems a space for none.
    if {".", ".."} & {part.partition(";")[0].strip() for part in plain.split("/")}:
        return "has `.` or `..` in its path"
    if any(mark in path for mark in "?#{}"):
        return "has a query, a fragment or an unknown placeholder"
    return None
