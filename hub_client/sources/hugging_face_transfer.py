"""Limits on what a Hugging Face server may send: bytes, time without any, and names."""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from importlib import import_module
from math import inf
from typing import TYPE_CHECKING, Any, Final

from hub_client.side_by_side import check_needed
from hub_client.steps import note
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_client.transfer import Advance

LISTING_LIMIT: Final = 32 << 20
"""Bytes; more than a page of a listing may have."""
_SLOWEST: Final = 1000
"""Bytes a second, from ``_GRACE`` seconds on; as for git."""
_GRACE: Final = 30.0
PATIENCE: Final = 120.0
"""Seconds without a byte after which nothing is asked again; what arrived is kept."""
_ANSWER_TO_WRITING: Final = 300.0
"""Seconds; a server may think that long about a commit."""

BUSY: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""What a server says for now."""

# Under these the client keeps what it fetches, in its cache's own folders.
_NAMES: Final = ("ETag", "X-Linked-Etag", "X-Repo-Commit")
_NAME: Final = re.compile(r"[0-9A-Za-z_-]{1,200}")
# What a name stands for: its versions, and their files.
_ASKED: Final = re.compile(r"/api/models/([^/]+/[^/]+)/(?:refs|tree/.+)")

_FACTORY: Final = "_GLOBAL_CLIENT_FACTORY"
_watching: set[Callable[[], Any]] = set()
_held: ContextVar[Held | None] = ContextVar("held", default=None)


@dataclass(slots=True)
class Held:
    """What one question is held to."""

    server: str
    """The address of the one that is asked; a token is for it alone."""
    most: int
    """Bytes that one answer may have."""
    patience: float
    """Seconds without anything new."""
    until: float = 0.0
    """When its patience is over, on the clock that only goes forward."""
    furthest: int = 0
    """Where in a file it came to: whoever begins again and again gets nowhere."""
    due: float = inf
    """When what is awaited has to be here, be it headers alone."""

    def __post_init__(self) -> None:
        self.arrived(1)

    def arrived(self, position: int) -> None:
        """Be patient from now on, if that is further than before."""
        if position > self.furthest:
            self.furthest = position
            self.until = time.monotonic() + self.patience

    def await_next(self) -> None:
        """Wait for headers, or for the next bytes, from now on."""
        self.due = time.monotonic() + self.patience

    def await_nothing(self) -> None:
        """What was awaited is here, or nobody waits for it."""
        self.due = inf

    def check_due(self) -> None:
        """Go on waiting.

        :raises NoAnswer: if that has taken too long.
        """
        if time.monotonic() > self.due:
            raise self.no_answer()

    def no_answer(self) -> NoAnswer:
        """That its patience is over."""
        return NoAnswer(f"nothing new came for {self.patience:g} seconds")


class TooMuch(HubError):
    """A server sends more than it may."""


class UnsafeAnswer(HubError):
    """A server names a file in a way that could lie anywhere on this machine."""


class NoAnswer(HubError):
    """Nothing new came for longer than anybody waits."""


class SentOn(HubError):
    """A server has another answer for what was asked: a repository was moved."""

    def __init__(self, to: str) -> None:
        self.to = to
        super().__init__(f"it is at {to} now")


class NoClient(HubError):
    """The environment's proxies or certificates let nothing be asked."""


class ClientUnknown(HubError):
    """The installed ``huggingface_hub`` is not one that can be held to limits."""


@dataclass(slots=True)
class Arrived:
    """Counts the bytes of one file, which may come in pieces, or be here already."""

    advance: Advance
    size: int
    counted: int = 0

    def count(self, number: int) -> None:
        """Say that more have arrived."""
        number = min(number, self.size - self.counted)
        self.counted += number
        self.advance(number)

    def complete(self) -> None:
        """Say that all are here."""
        self.count(self.size)

    def bar_class(self) -> type:
        """What the client takes for a progress bar, and tells what arrives."""
        from huggingface_hub.utils.tqdm import tqdm

        class Bar(tqdm):
            def __init__(bar, *words: Any, **more: Any) -> None:  # noqa: ANN401, N805
                super().__init__(  # type: ignore[no-untyped-call]
                    *words, **{**more, "disable": True}
                )

            def update(bar, n: float | None = 1) -> bool | None:  # noqa: N805
                self.count(int(n or 0))
                return None

            # Xet's chunks on their way are told here, its bytes on disk above.
            def update_transfer(bar, n: float) -> None:  # noqa: N805
                del n

            def set_transfer_postfix_str(bar, text: str, *, refresh: bool) -> None:  # noqa: N805
                del text, refresh

        return Bar


@contextmanager
def limited(server: str, limit: int, patience: float | None = None) -> Iterator[Held]:
    """Hold what this thread asks through the client to ``limit`` bytes an answer.

    The client that the process shares is asked as before by everyone else. Of itself it
    asks a busy server again, and waits unheard for as long as that likes; here not.

    :param server: the address of the one that is asked.
    :param patience: seconds without anything new; ``PATIENCE`` if not given.
    :raises TooMuch: in the block, from the question that goes beyond.
    :raises NoAnswer: if its patience is over.
    """
    _watch_new_clients()
    _watch(_client())
    for handler in logging.getLogger("huggingface_hub").handlers:
        handler.addFilter(_overhear)
    held = Held(server, limit, PATIENCE if patience is None else patience)
    token = _held.set(held)
    try:
        yield held
    finally:
        _held.reset(token)


def _client() -> Any:  # noqa: ANN401  (its HTTP library's)
    """The client that the process shares.

    :raises NoClient: if the environment does not let one be made.
    """
    from huggingface_hub import get_session

    try:
        return get_session()
    # A certificate, a proxy's address, a package for its kind: each fails differently.
    except Exception as error:
        raise NoClient(
            f"Nothing can be asked over HTTP: {error}",
            hint="Check what SSL_CERT_FILE, SSL_CERT_DIR, HTTP_PROXY, HTTPS_PROXY and "
            "ALL_PROXY say",
        ) from error


def _overhear(record: logging.LogRecord) -> bool:
    """Keep what the client logs of our questions for those who are told each step."""
    if _held.get() is None:
        return True
    note(record.name, record.getMessage())
    return False


def _watch(client: Any) -> Any:  # noqa: ANN401  (its HTTP library's)
    hooks = client.event_hooks
    if _hurry not in hooks["request"]:
        client.event_hooks = {
            **hooks,
            "request": [*hooks["request"], _hurry],
            "response": [*hooks["response"], _hold],
        }
    return client


def _watch_new_clients() -> None:
    """Watch those too that the library makes when a connection fails, in mid-question.

    By a private name, as no public one will do: ``set_client_factory`` closes the
    client that others are using, and takes the place of a factory that the user set,
    which nothing gives; ``get_session`` gives the client of now alone.

    :raises ClientUnknown: if that name is gone, rather than go without limits.
    """
    from huggingface_hub import __version__
    from huggingface_hub.utils import _http

    make = vars(_http).get(_FACTORY)
    if make is None:
        raise ClientUnknown(
            f"`huggingface_hub` {__version__} makes its connections in a way that this "
            "hub does not know, and cannot hold to its limits",
            hint="Upgrade `towhee-hub`, or install an earlier `huggingface_hub`",
        )
    if make not in _watching:

        def watched() -> Any:  # noqa: ANN401
            return _watch(make())

        _watching.add(watched)
        setattr(_http, _FACTORY, watched)


def _hurry(request: Any) -> None:  # noqa: ANN401  (its HTTP library's)
    """Give a request the patience of a download, unless it has its own."""
    if (held := _held.get()) is None:
        return
    check_needed()
    if time.monotonic() > held.until:
        raise held.no_answer()
    held.await_next()
    from huggingface_hub import constants

    patience = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
    reading = patience if request.method in {"GET", "HEAD"} else _ANSWER_TO_WRITING
    usual = {"connect": patience, "read": reading, "write": reading, "pool": reading}
    chosen = request.extensions.get("timeout", {})
    request.extensions = {
        **request.extensions,
        "timeout": {
            key: seconds if chosen.get(key) is None else chosen[key]
            for key, seconds in usual.items()
        },
    }
    # What is unpacked is not counted, so nothing may come packed.
    request.headers["Accept-Encoding"] = "identity"
    server = type(request.url)(held.server)
    if request.method == "GET" and not _is_at(server, request.url):
        # A listing may say that it goes on elsewhere.
        request.headers.pop("Authorization", None)


def _is_at(server: Any, url: Any) -> bool:  # noqa: ANN401  (its HTTP library's)
    same = (server.host, server.port) == (url.host, url.port)
    return same and url.scheme in {server.scheme, "https"}


def _check_names(response: Any) -> None:  # noqa: ANN401  (its HTTP library's)
    """Refuse names of which the client would make paths that leave its cache.

    It takes them from the answers to HEAD alone, and marks and quotes off them.
    """
    if response.request.method != "HEAD":
        return
    for header in _NAMES:
        value = response.headers.get(header)
        if value and not _NAME.fullmatch(value.lstrip("W/").strip('"')):
            raise UnsafeAnswer(
                f"`{response.request.url}` names what it has {value[:200]!r}, "
                f"which is no name for a file",
                hint="Ask its server's operator; nothing of it was kept",
            )


def _check_size(response: Any, most: int) -> None:  # noqa: ANN401
    """Refuse a file before its bytes, which with Xet do not come through here.

    :raises TooMuch: if it is larger than it may be.
    """
    size = response.headers.get("X-Linked-Size", "")
    if response.request.method == "HEAD" and size.isdecimal() and int(size) > most:
        raise TooMuch(f"`{response.request.url}` has more than {most} bytes")


def _check_place(response: Any) -> None:  # noqa: ANN401
    """Refuse to be sent on to another repository: who has it, nobody said to trust.

    The bytes of a file may lie anywhere, as its commit's list says what they are.
    """
    asked = _ASKED.search(response.request.url.path)
    if asked is None or not response.has_redirect_location:
        return
    target = response.request.url.join(response.headers["Location"])
    now = _ASKED.search(target.path)
    if now is None or now[1] != asked[1]:
        raise SentOn(now[1] if now else str(target))


def _first_byte(wanted: str) -> int:
    match = re.match(r"bytes=(\d+)-", wanted)
    return int(match[1]) if match else 0


def _hold(response: Any) -> None:  # noqa: ANN401
    """Count what arrives from here on, and leave a busy server to who asks."""
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # it documents it
        hf_raise_for_status,
    )

    request = response.request
    note(request.method, str(request.url), str(response.status_code))
    if (current := _held.get()) is None:
        return
    held: Held = current
    held.await_nothing()
    _check_names(response)
    _check_size(response, held.most)
    _check_place(response)
    where = response.request.url
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise TooMuch(f"`{where}` sends packed bytes, which nobody asked for")
    resumed = response.status_code == HTTPStatus.PARTIAL_CONTENT
    first = _first_byte(request.headers.get("Range", "")) if resumed else 0
    library = import_module(type(response).__module__.partition(".")[0])

    class Counted(library.SyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, stream: Any) -> None:  # noqa: ANN401
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            started, received = time.monotonic(), 0
            held.await_next()
            for part in self._stream:
                check_needed()
                held.await_nothing()
                received += len(part)
                held.arrived(first + received)
                if received > held.most:
                    raise TooMuch(f"`{where}` sends more than {held.most} bytes")
                waited = time.monotonic() - started
                if waited > _GRACE and received < waited * _SLOWEST:
                    raise library.ReadTimeout(f"fewer than {_SLOWEST} bytes a second")
                yield part
                held.await_next()
            held.await_nothing()

        def close(self) -> None:
            held.await_nothing()
            self._stream.close()

    response.stream = Counted(response.stream)
    if request.method in {"GET", "HEAD"} and response.status_code in BUSY:
        hf_raise_for_status(response)
