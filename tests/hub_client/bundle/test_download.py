from __future__ import annotations

import hashlib
import http.server
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import pytest

from hub_client.bundle import download
from hub_client.bundle.download import FileDamaged, FileMissing, ServerSilent, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 1024
WANTED = Wanted("`x.whl`", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
HALF = len(CONTENT) // 2

Answer: TypeAlias = Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclass(slots=True)
class WebServer:
    """Answers each request with the next of its answers, and then with the last."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)


@pytest.fixture
def web() -> Iterator[WebServer]:
    told = WebServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.ranges.append(self.headers["Range"])
            told.authorizations.append(self.headers["Authorization"])
            answer = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        told.url = f"http://127.0.0.1:{server.server_port}/x.whl"
        try:
            yield told
        finally:
            server.shutdown()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "WAITS", (0.0, 0.0))


def giving(
    content: bytes, *, status: int = 200, length: int | None = None, **headers: str
) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        size = len(content) if length is None else length
        handler.send_header("Content-Length", str(size))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def ranged(handler: http.server.BaseHTTPRequestHandler) -> None:
    start = int((handler.headers["Range"] or "bytes=0-")[6:-1])
    giving(CONTENT[start:], status=206 if start else 200)(handler)


def fetched(web: WebServer, into: Path) -> int:
    """Download; the number of bytes that were told."""
    arrived: list[int] = []
    download.download(web.url, into, WANTED, arrived.append)
    assert into.read_bytes() == CONTENT
    assert not into.with_name(f"{into.name}.part").exists()
    return sum(arrived)


def test_a_file_appears_whole(web: WebServer, tmp_path: Path) -> None:
    web.answers = [giving(CONTENT)]
    assert fetched(web, tmp_path / "x") == len(CONTENT)


def test_a_cut_transfer_goes_on_where_it_stopped(
    web: WebServer, tmp_path: Path
) -> None:
    web.answers = [giving(CONTENT[:HALF], length=len(CONTENT)), ranged]
    assert fetched(web, tmp_path / "x") == len(CONTENT)
    assert web.ranges == [None, f"bytes={HALF}-"]


def test_what_an_interrupted_run_left_is_used(web: WebServer, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT[:HALF])
    web.answers = [ranged]
    assert fetched(web, tmp_path / "x") == len(CONTENT)
    assert web.ranges == [f"bytes={HALF}-"]


def test_a_server_without_ranges_gives_all_of_it_again(
    web: WebServer, tmp_path: Path
) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT[:HALF])
    web.answers = [giving(CONTENT)]
    assert fetched(web, tmp_path / "x") == len(CONTENT)


@pytest.mark.parametrize("left", [bytes(HALF), CONTENT + b"more", bytes(len(CONTENT))])
def test_a_wrong_beginning_is_thrown_away(
    web: WebServer, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "x.part").write_bytes(left)
    web.answers = [ranged]
    fetched(web, tmp_path / "x")


def unsatisfiable(handler: http.server.BaseHTTPRequestHandler) -> None:
    """A server that has nothing from there on, as RFC 9110 wants it said."""
    beyond = handler.headers["Range"] is not None
    (giving(b"", status=416) if beyond else giving(CONTENT))(handler)


def test_all_that_a_killed_run_left_of_unknown_size_does_not_end_it(
    web: WebServer, tmp_path: Path
) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT)
    web.answers = [unsatisfiable]
    unsized = replace(WANTED, size=None)
    download.download(web.url, tmp_path / "x", unsized, lambda _: None)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert web.ranges == [f"bytes={len(CONTENT)}-", None]


def test_a_server_that_trickles_is_left(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trickle(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(ConnectionError):
            while True:
                handler.wfile.write(b"x")
                time.sleep(0.01)

    monkeypatch.setattr(download, "_PATIENCE", 0.2)
    web.answers = [trickle]
    said = refused(web, tmp_path / "x", ServerSilent)
    assert said == f"`{web.url}` cannot be had: fewer than 1000 bytes a second"


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
    ],
    ids=["header", "continue", "chunk", "trailer"],
)
def test_a_server_that_never_comes_to_the_content_is_left(
    web: WebServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    beginning: bytes,
    drop: bytes,
) -> None:
    def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
        with suppress(ConnectionError):
            handler.wfile.write(beginning)
            while True:
                handler.wfile.write(drop)
                time.sleep(0.01)

    monkeypatch.setattr(download, "_PATIENCE", 0.2)
    web.answers = [drip]
    said = refused(web, tmp_path / "x", ServerSilent)
    assert said == f"`{web.url}` cannot be had: nothing whole came in 0.2 seconds"


def test_a_busy_server_is_asked_again(web: WebServer, tmp_path: Path) -> None:
    web.answers = [giving(b"", status=503), giving(b"", status=429), giving(CONTENT)]
    fetched(web, tmp_path / "x")


def refused(web: WebServer, into: Path, kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        download.download(web.url, into, WANTED, lambda _: None)
    assert not into.exists()
    return str(caught.value)


def test_wrong_bytes_of_the_right_length_are_refused(
    web: WebServer, tmp_path: Path
) -> None:
    web.answers = [giving(bytes(len(CONTENT)))]
    said = refused(web, tmp_path / "x", FileDamaged)
    found = hashlib.sha256(bytes(len(CONTENT))).hexdigest()
    assert said == (
        "`x.whl` is damaged\n"
        f"  expected sha256:{WANTED.sha256}\n"
        f"  found    sha256:{found}"
    )
    assert not (tmp_path / "x.part").exists()


def test_a_server_that_does_not_stop_is_left(web: WebServer, tmp_path: Path) -> None:
    def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(ConnectionError):
            while True:
                handler.wfile.write(CONTENT)

    web.answers = [endless]
    assert refused(web, tmp_path / "x", FileDamaged) == (
        "`x.whl` is damaged: it is too long"
    )
    with pytest.raises(FileDamaged, match="is too long"):
        download.read(web.url, 1000)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (404, FileMissing, "is missing"),
        (403, ServerSilent, "cannot be had: 403 Forbidden"),
        (500, ServerSilent, "cannot be had: 500 Internal Server Error"),
    ],
)
def test_a_refusal_names_the_address(
    web: WebServer, tmp_path: Path, status: int, kind: type[Exception], said: str
) -> None:
    web.answers = [giving(b"", status=status)]
    assert refused(web, tmp_path / "x", kind) == f"`{web.url}` {said}"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_leads_to_no_file_of_this_machine(
    web: WebServer, tmp_path: Path, target: str
) -> None:
    web.answers = [giving(b"", status=302, Location=target)]
    refused(web, tmp_path / "x", ServerSilent)


def test_what_stands_beside_a_redirect_is_not_read(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_PATIENCE", 2.0)
    monkeypatch.setattr(download, "WAITS", ())  # it would go better another time

    def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/y.whl")
        handler.end_headers()
        with suppress(ConnectionError):
            while True:
                handler.wfile.write(CONTENT)

    web.answers = [endless, giving(CONTENT)]
    assert fetched(web, tmp_path / "x") == len(CONTENT)


def test_a_server_does_not_write_on_the_terminal(
    web: WebServer, tmp_path: Path
) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(403, "\x1b[2J" + "x" * 1000)
        handler.end_headers()

    web.answers = [answer]
    said = refused(web, tmp_path / "x", ServerSilent)
    assert said == f"`{web.url}` cannot be had: 403 [2J{'x' * 193}"


def test_a_password_is_sent_and_not_shown(web: WebServer, tmp_path: Path) -> None:
    web.url = web.url.replace("http://", "http://me:se%20cret@")
    web.answers = [giving(b"", status=403)]
    assert "cret" not in refused(web, tmp_path / "x", ServerSilent)
    assert web.authorizations == ["Basic bWU6c2UgY3JldA=="]


def test_a_password_comes_from_a_netrc_for_its_server_alone(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".netrc"
    file.write_text("machine 127.0.0.1 login me password secret\n", encoding="utf-8")
    file.chmod(0o600)
    web.answers = [giving(CONTENT)]
    fetched(web, tmp_path / "x")
    file.write_text("machine other.example login me password secret\n", "utf-8")
    fetched(web, tmp_path / "y")
    assert web.authorizations == ["Basic bWU6c2VjcmV0", None]


def test_a_netrc_that_is_no_text_has_no_password(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".netrc"
    file.write_bytes(b"machine 127.0.0.1 login me password \xff\n")
    file.chmod(0o600)
    web.answers = [giving(CONTENT)]
    fetched(web, tmp_path / "x")
    assert web.authorizations == [None]


def test_a_password_does_not_follow_a_redirect(web: WebServer, tmp_path: Path) -> None:
    plain = web.url
    web.url = web.url.replace("http://", "http://me:secret@")
    web.answers = [giving(b"", status=302, Location=f"{plain}?2"), giving(CONTENT)]
    fetched(web, tmp_path / "x")
    assert web.authorizations == ["Basic bWU6c2VjcmV0", None]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_a_regular_file_is_copied(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "source"
    if kind == "link":
        (tmp_path / "real").write_bytes(CONTENT)
        source.symlink_to("real")
    elif kind == "pipe":
        os.mkfifo(source)
    else:
        source.mkdir()
    with pytest.raises(FileDamaged, match="is not a regular file"):
        download.copy(source, tmp_path / "x", WANTED, lambda _: None)


def test_a_copy_of_another_size_is_not_begun(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(CONTENT + b"1")
    with pytest.raises(FileDamaged) as caught:
        download.copy(tmp_path / "source", tmp_path / "x", WANTED, lambda _: None)
    assert str(caught.value) == (
        "`x.whl` is damaged\n  expected 262144 bytes\n  found    262145 bytes"
    )
    assert not (tmp_path / "x").exists()
