"""A file from a web server or a folder: whole and checked, or not there at all."""

from __future__ import annotations

import base64
import hashlib
import netrc
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
)
from io import BufferedReader, RawIOBase
from typing import IO, TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit

from hub_client.proxies import through
from hub_client.staging import NO_ROOM
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hub_client.listed_file import ListedFile
    from hub_client.transfer import Advance

T = TypeVar("T")

WAITS: Final = (0.5, 2.0, 5.0)
"""Seconds before each further try."""
_BLOCK: Final = 1 << 20
_PATIENCE: Final = 30.0
_SLOWEST: Final = 1000
"""Bytes a second, once ``_PATIENCE`` seconds have passed; as for git."""
_LARGEST: Final = 1 << 35
"""Bytes; no file of unknown size may have more."""
_SAID: Final = 200
"""Characters of what a server says that are shown."""
_WORTH_A_TRY: Final = frozenset({408, 429, 500, 502, 503, 504})


class FileMissing(HubError, LookupError):
    """A file is not where it should be."""


class FileDamaged(HubError):
    """A file does not have the bytes that were promised."""


class ServerSilent(HubError):
    """A server does not answer, refuses, or stops before the end."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The bytes that a file must have."""

    subject: str
    """What to call it in a message."""
    sha256: str
    """64 hexadecimal digits."""
    size: int | None = None

    @classmethod
    def listed(cls, file: ListedFile, subject: str) -> Self:
        """The bytes of a file that a listing has."""
        return cls(subject, file.digest[7:], file.size)

    def check_size(self, size: int) -> None:
        """Refuse a file by its size alone.

        :raises FileDamaged: if it is another one.
        """
        if self.size not in {None, size}:
            raise FileDamaged(
                f"{self.subject} is damaged\n"
                f"  expected {self.size} bytes\n"
                f"  found    {size} bytes"
            )

    def check(self, file: Path) -> None:
        """Hash a file.

        :raises FileDamaged: if it is another one.
        """
        self.check_size(file.stat().st_size)
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != self.sha256:
            raise FileDamaged(
                f"{self.subject} is damaged\n"
                f"  expected sha256:{self.sha256}\n"
                f"  found    sha256:{found}"
            )


def copy(source: Path, into: Path, wanted: Wanted, advance: Advance) -> None:
    """Copy a regular file; ``into`` appears when its bytes are checked.

    :raises FileMissing: if there is none.
    :raises FileDamaged: if it is a link, a device, or not what is wanted.
    """

    def fill(part: Path) -> None:
        with open_regular(source, wanted.subject) as content, part.open("wb") as file:
            wanted.check_size(os.fstat(content.fileno()).st_size)
            while block := content.read(_BLOCK):
                file.write(block)
                advance(len(block))

    _publish(into, wanted, fill)


def download(address: str, into: Path, wanted: Wanted, advance: Advance) -> None:
    """Fetch a file over HTTP, from where an interrupted run stopped.

    :raises FileMissing: if the server does not have it.
    :raises FileDamaged: if what it gives is not what is wanted.
    :raises ServerSilent: with what it said last.
    """
    try:
        _publish(into, wanted, lambda part: _fill(address, part, wanted, advance))
    except FileDamaged:
        # What was there from an earlier run may be what is wrong.
        _publish(into, wanted, lambda part: _fill(address, part, wanted, advance))


def read(address: str, limit: int) -> bytes:
    """The bytes of a small file.

    :raises FileMissing: if the server does not have it.
    :raises FileDamaged: if it is larger than ``limit``.
    :raises ServerSilent: with what it said.
    """
    wanted = Wanted(f"`{shown(address)}`", "", limit)

    def answer() -> bytes:
        with _ask(address) as response:
            return b"".join(_blocks(response, address, wanted, 0))

    return _patiently(address, answer, waits=())


def open_regular(path: Path, subject: str) -> IO[bytes]:
    """Open a file that is no link, and whose opening does not wait for anything.

    :raises FileMissing: if there is none.
    :raises FileDamaged: if it is something else.
    """
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise FileDamaged(f"{subject} is not a regular file")
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileMissing(f"{subject} is missing") from error


def shown(address: str) -> str:
    """An address as a message may have it: without a password."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _publish(into: Path, wanted: Wanted, fill: Callable[[Path], object]) -> None:
    """Let ``fill`` write beside ``into``; it gets its name when it is checked."""
    part = into.with_name(f"{into.name}.part")
    into.parent.mkdir(parents=True, exist_ok=True)
    try:
        fill(part)
        wanted.check(part)
    except FileDamaged:
        part.unlink(missing_ok=True)
        raise
    except OSError as error:
        if error.filename is None:
            error.filename = str(into)  # a write that failed does not say where
        if error.errno in NO_ROOM:
            part.unlink(missing_ok=True)  # others need what room there is
        raise
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(into)


def _fill(address: str, part: Path, wanted: Wanted, advance: Advance) -> None:
    """Append what is missing of a file that may have been begun."""
    counted = 0

    def attempt() -> None:
        nonlocal counted
        start = part.stat().st_size if part.exists() else 0
        if wanted.size is not None and start >= wanted.size:
            if start == wanted.size:
                return
            part.unlink()
            start = 0
        with _ask(address, start=start) as response:
            if response.status != HTTPStatus.PARTIAL_CONTENT:
                start = 0  # it gives all of it, whatever was asked
            if start > counted:
                advance(start - counted)
                counted = start
            with part.open("r+b" if part.exists() else "w+b") as file:
                file.truncate(start)
                file.seek(start)
                for block in _blocks(response, address, wanted, start):
                    file.write(block)
                    end = file.tell()
                    advance(max(0, end - counted))
                    counted = max(counted, end)

    _patiently(address, attempt, waits=WAITS)


def _blocks(
    response: HTTPResponse, address: str, wanted: Wanted, start: int
) -> Iterator[bytes]:
    """What a server sends, held to a size and to a pace."""
    limit = (_LARGEST if wanted.size is None else wanted.size) - start
    received, started = 0, time.monotonic()
    while block := response.read1(_BLOCK):
        received += len(block)
        if received > limit:
            raise FileDamaged(f"{wanted.subject} is damaged: it is too long")
        waited = time.monotonic() - started
        if waited > _PATIENCE and received < waited * _SLOWEST:
            raise TimeoutError(f"fewer than {_SLOWEST} bytes a second")
        yield block
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and received < int(length):
        raise ConnectionError(f"`{shown(address)}` ended too soon")


def _patiently(
    address: str, attempt: Callable[[], T], *, waits: tuple[float, ...]
) -> T:
    for wait in (*waits, None):
        try:
            return attempt()
        except HTTPError as error:
            error.close()
            if error.code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
                raise FileMissing(f"`{shown(address)}` is missing") from error
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise FileDamaged(
                    f"`{shown(address)}` has no more bytes than came earlier"
                ) from error
            if wait is None or error.code not in _WORTH_A_TRY:
                raise _silent(address, f"{error.code} {error.reason}") from error
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            if wait is None:
                said = str(getattr(error, "reason", "") or error)
                raise _silent(address, said or type(error).__name__) from error
        time.sleep(wait)
    raise AssertionError  # the last wait is None, which returns or raises


def _silent(address: str, said: str) -> ServerSilent:
    # A server chooses these words, and a terminal obeys some of them.
    plain = "".join(filter(str.isprintable, said))[:_SAID]
    return ServerSilent(
        f"`{shown(address)}` cannot be had{through(address)}: {plain}",
        hint="Check the address and your network, and try again",
    )


def _ask(address: str, *, start: int = 0) -> HTTPResponse:
    parts = urlsplit(address)
    plain = shown(address)
    question = request.Request(plain, headers={"User-Agent": "towhee-hub"})  # noqa: S310  (the opener knows no other schemes)
    if start:
        question.add_header("Range", f"bytes={start}-")
    if secret := _secret(parts.hostname or "", parts.username, parts.password):
        # Not for whoever the server sends us to.
        question.add_unredirected_header("Authorization", f"Basic {secret}")
    response: HTTPResponse = _opener().open(question, timeout=_PATIENCE)
    return response


def _secret(host: str, user: str | None, password: str | None) -> str | None:
    """What proves who the user is: from the address, or from their ``.netrc``."""
    if user is None:
        with suppress(OSError, UnicodeError, netrc.NetrcParseError):
            if found := netrc.netrc().hosts.get(host):
                user, _, password = found
    if not user:
        return None
    both = f"{unquote(user)}:{unquote(password or '')}"
    return base64.b64encode(both.encode()).decode()


class _Timely(RawIOBase):
    """What a socket gives until a moment: its own patience begins with every byte."""

    def __init__(self, socket: RawIOBase) -> None:
        self._socket = socket
        self.wait()

    def wait(self) -> None:
        """Be patient from now on."""
        self._until = time.monotonic() + _PATIENCE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401  (any buffer)
        if time.monotonic() > self._until:
            raise TimeoutError(f"nothing whole came in {_PATIENCE:g} seconds")
        return self._socket.readinto(buffer)

    def close(self) -> None:
        self._socket.close()
        super().close()


class _Answer(HTTPResponse):
    """One whose headers, and each block of whose content, come in time."""

    def __init__(self, *words: Any, **more: Any) -> None:  # noqa: ANN401  (its own)
        super().__init__(*words, **more)
        self._timely = _Timely(self.fp.detach())
        self.fp = BufferedReader(self._timely)

    def read1(self, n: int = -1) -> bytes:
        """Some bytes; none at the end."""
        self._timely.wait()
        return super().read1(n)


class _Connection(HTTPConnection):
    response_class = _Answer


class _SecureConnection(HTTPSConnection):
    response_class = _Answer


class _HTTPHandler(request.HTTPHandler):
    def http_open(self, req: request.Request) -> HTTPResponse:
        return self.do_open(_Connection, req)


class _HTTPSHandler(request.HTTPSHandler):
    def https_open(self, req: request.Request) -> HTTPResponse:
        return self.do_open(_SecureConnection, req)


class _RedirectHandler(request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: request.Request,
        fp: IO[bytes],
        *words: Any,  # noqa: ANN401  (its own)
    ) -> request.Request | None:
        fp.close()  # it would be read to its end, if it has one
        return super().redirect_request(req, fp, *words)


@cache
def _opener() -> request.OpenerDirector:
    """Speaks HTTP alone: no address leads to a file of this machine."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.UnknownHandler(),
        _HTTPHandler(),
        _HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        _RedirectHandler(),
        request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
