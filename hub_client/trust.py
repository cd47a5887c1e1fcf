"""Whose code may run here: decided by source, before anything is fetched."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from hub_client.atomic_file import write_atomically
from hub_client.config import check_own
from hub_client.git_url import parse_git_url
from hub_client.home import expanded
from hub_client.small_file import read_small
from hub_client.sources import (
    BUNDLED,
    DIRECTORY,
    GIT,
    HUGGING_FACE,
    HUGGING_FACE_AT,
    INDEX,
)
from hub_client.sources.hugging_face_client import PUBLIC_ENDPOINT, endpoint
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tomlkit import TOMLDocument

    from hub_client.candidate import Fetchable

T = TypeVar("T", bound="Fetchable")

_FILE: Final = "config.toml"
_LOCK: Final = ".config.lock"
_SLASHES_OF_A_BARE_HOST: Final = 2


class UntrustedPublisher(HubError):
    """Operators come from sources that the user did not say they trust."""

    def __init__(self, untrusted: Iterable[tuple[Fetchable, str]]) -> None:
        self.untrusted = tuple(untrusted)
        lines = "\n".join(
            f"  {found.name} {found.release.version} from `{at}`"
            for found, at in self.untrusted
        )
        sources = dict.fromkeys(at for _, at in self.untrusted)
        commands = [f"hub trust add {shlex.quote(at)}" for at in sources]
        one = "Read the code, then run `{}`, or pass `--trust-once`"
        more = "Read the code, then pass `--trust-once`, or run\n  {}"
        super().__init__(
            f"An operator is its publisher's code, and these are not trusted\n{lines}",
            hint=(more if commands[1:] else one).format("\n  ".join(commands)),
        )


class OutsideProject(HubError):
    """Operators come from sources that the project itself rules out."""

    def __init__(
        self, outside: Iterable[tuple[Fetchable, str]], entries: Sequence[str]
    ) -> None:
        self.outside = tuple(outside)
        allowed = " and ".join(f"`{each}`" for each in (BUNDLED, *entries))
        lines = "\n".join(
            f"  {found.name} {found.release.version} from `{at}`"
            for found, at in self.outside
        )
        super().__init__(
            f"This project takes operators from {allowed} alone\n{lines}",
            hint="Take them from there, or add the source to the project's `trusted`",
        )


class InvalidTrust(HubError, ValueError):
    """An entry names no source, or so many that trusting it says nothing."""


def find_untrusted(
    operators: Iterable[T],
    trusted: Sequence[str],
    *,
    directory: Path | None = None,
) -> tuple[tuple[T, str], ...]:
    """Operators whose source no entry covers, with that source.

    An entry covers the source it equals and those below it, at a ``/``. Bundled
    operators need none.

    :param directory: what relative ``dir:`` sources start from; the current folder if
        not given.
    :raises InvalidTrust: if an entry is not one that ``add_trusted`` would write.
    """
    entries = _checked(trusted, "Your configuration's")
    return tuple(
        (operator, source)
        for operator in operators
        if not _covered(source := locate(operator.source, directory), entries)
    )


def is_trusted(source: str, trusted: Sequence[str], *, directory: Path | None) -> bool:
    """Whether an entry covers a source.

    :param directory: as for ``find_untrusted``.
    :raises InvalidTrust: likewise.
    """
    entries = _checked(trusted, "Your configuration's")
    return _covered(locate(source, directory), entries)


def check_within(
    operators: Iterable[Fetchable], entries: Sequence[str], *, directory: Path | None
) -> None:
    """Refuse operators from sources that a project rules out.

    :param entries: as a project writes them: a ``dir:`` may be relative, and `bundled`
        may be said although it need not.
    :raises InvalidTrust: if an entry is no source.
    :raises OutsideProject: naming every one.
    """
    entries = [each for each in entries if each != BUNDLED]
    located = [locate(entry, directory) for entry in entries]
    located = _checked(located, "This project's")
    if outside := find_untrusted(operators, located, directory=directory):
        raise OutsideProject(outside, entries)


def list_trusted(config_dir: Path) -> tuple[str, ...]:
    """Every entry of the user's ``config.toml``, in the order they were added."""
    return tuple(map(str, read_document(config_dir).get("trusted", ())))


def add_trusted(config_dir: Path, entry: str) -> str:
    """Remember an entry in the user's ``config.toml``; what else it holds stays.

    :returns: the entry as written: a folder's path absolute, a host in lower case.
    :raises InvalidTrust: if it is no source, or says nothing about who is trusted.
    """
    written = check_entry(locate(entry, Path.cwd()))
    with editing(config_dir) as document:
        entries = document.setdefault("trusted", [])
        if written not in map(spelled, entries):
            entries.append(written)
            entries.multiline(multiline=True)
    return written


def remove_trusted(config_dir: Path, entry: str) -> bool:
    """Forget an entry; whether there was one."""
    gone = spelled(entry)
    if gone not in map(spelled, list_trusted(config_dir)):
        return False
    with editing(config_dir) as document:
        entries = document.get("trusted", [])
        for each in [one for one in entries if spelled(one) == gone]:
            entries.remove(each)
    return True


def spelled(entry: str) -> str:
    """An entry as ``add_trusted`` would write it; as it is, if it is none."""
    try:
        return check_entry(locate(entry, Path.cwd()))
    except HubError:
        return entry


def _checked(entries: Iterable[str], whose: str) -> list[str]:
    """Entries in their one spelling; the error says where they stand."""
    try:
        return [check_entry(each) for each in entries]
    except HubError as error:
        message = f"{whose} `trusted` cannot be followed: {error}"
        raise InvalidTrust(message, hint=error.hint) from error


def _covered(source: str, entries: Iterable[str]) -> bool:
    return source == BUNDLED or any(covers(entry, source) for entry in entries)


def covers(entry: str, source: str) -> bool:
    """Whether a source is an entry's own or lies below it; both as ``locate`` gives."""
    return source == entry or source.startswith(entry.rstrip("/") + "/")


def locate(source: str, directory: Path | None) -> str:
    """The source in its one spelling: links in a path stay, ``..`` does not."""
    kind, path = source[:4], source[4:]
    if kind == DIRECTORY:
        return DIRECTORY + os.path.abspath(  # noqa: PTH100  (Path keeps `..`)
            (directory or Path.cwd()) / expanded(path)
        )
    if kind == GIT:
        # A bare host, as in an entry, is the root of all its repositories.
        bare = path.count("/") == _SLASHES_OF_A_BARE_HOST
        return f"{GIT}{parse_git_url(path + '/' if bare else path)}"
    if source.startswith(HUGGING_FACE) and endpoint() != PUBLIC_ENDPOINT:
        # Trust in an organization there is no trust in its namesake on another server.
        return f"{HUGGING_FACE_AT}{endpoint()}/{source.removeprefix(HUGGING_FACE)}"
    return source


def check_entry(entry: str) -> str:
    """An entry in its one spelling.

    :raises InvalidTrust: if it is no source, or says nothing about who is trusted.
    """
    if entry.startswith((HUGGING_FACE, HUGGING_FACE_AT)):
        return _checked_hugging_face(entry)
    if entry.startswith(INDEX):
        raise InvalidTrust(
            f"an index only lists, and is not whose code runs: {entry!r}",
            hint="Trust the sources that it names; `hub info NAME` says an operator's",
        )
    kind, path = entry[:4], entry[4:]
    if kind not in {DIRECTORY, GIT}:
        instead = f"`{GIT}{entry}`" if "://" in entry else "`git+URL`"
        raise InvalidTrust(
            f"expected a source to trust, got {entry!r}",
            hint=f"Write {instead}, `hf:ORG` or `dir:PATH`; "
            "bundled operators need no trust",
        )
    if kind == DIRECTORY and not Path(path).is_absolute():
        raise InvalidTrust(f"the trusted folder {path!r} is not an absolute path")
    located = locate(entry, None)
    everything = {f"{DIRECTORY}{Path(path).anchor}".rstrip("/"), f"{GIT}file:"}
    if located.rstrip("/") in everything:
        raise InvalidTrust(f"trusting {entry!r} would trust every folder")
    whole_host = located.count("/") == _SLASHES_OF_A_BARE_HOST + 1
    return located if whole_host else located.rstrip("/")


def _checked_hugging_face(entry: str) -> str:
    """An organization, or a repository of it, at the public server or at another."""
    form = r"hf:([\w.-]+)(/[\w.-]+)?/?|hf\+https?://[\w.:[\]-]+(/[\w.-]+){0,3}/?"
    if not re.fullmatch(form, entry, re.ASCII) or "/.." in entry:
        raise InvalidTrust(
            f"expected whom to trust at Hugging Face, got {entry!r}",
            hint="Write `hf:ORG`, `hf:ORG/REPO` or `hf+https://SERVER/ORG`",
        )
    return entry.rstrip("/")


def read_document(config_dir: Path) -> TOMLDocument:
    """The user's ``config.toml``, to be edited with all else it says.

    :raises InvalidTrust: if it does not read.
    """
    import tomlkit  # noqa: PLC0415  (slow to import, seldom needed)

    file = config_dir / _FILE
    try:
        text = read_small(file).decode() if file.exists() else ""
        return tomlkit.parse(text)
    except (ValueError, OSError) as error:
        raise InvalidTrust(f"Cannot read `{file}`: {error}") from error


@contextmanager
def editing(config_dir: Path) -> Iterator[TOMLDocument]:
    """The user's ``config.toml``, to be changed; whoever else changes it waits.

    It is replaced in one step at the end, unless it is as it was.

    :raises InvalidConfig: if it would lie in a project, and not count there.
    :raises InvalidTrust: if it does not read.
    """
    import tomlkit  # noqa: PLC0415  (slow to import, seldom needed)
    from filelock import FileLock  # noqa: PLC0415  (24 ms)

    check_own(config_dir, Path.cwd())
    config_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(config_dir / _LOCK):
        document = read_document(config_dir)
        before = tomlkit.dumps(document)
        yield document
        if (after := tomlkit.dumps(document)) != before:
            write_atomically(config_dir / _FILE, after.encode())
