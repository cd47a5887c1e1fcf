"""Real git servers on 127.0.0.1 over a folder of bare repositories."""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SSHD = Path("/usr/sbin/sshd")


class GitHttpServer(ThreadingHTTPServer):
    """Smart HTTP: ``git http-backend`` for each request.

    ``requests`` lists what was asked, ``packs_sent`` the paths that objects were sent
    for, and ``bytes_sent`` counts the bodies of the answers.
    With ``authorization`` set, a request needs that header.
    What is asked of a path that ends in ``lost`` is done, and not answered as it should
    be: with status 502, or with nothing if ``cuts``.
    With ``moved_to`` set, every answer sends on to the same path there.
    """

    daemon_threads = True

    def __init__(self, root: Path, authorization: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _GitHttpHandler)
        self.root = root
        self.authorization = authorization
        self.requests: list[str] = []
        self.packs_sent: list[str] = []
        self.bytes_sent = 0
        self.lost: str | None = None
        self.cuts = False
        self.moved_to: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _GitHttpHandler(BaseHTTPRequestHandler):
    server: GitHttpServer

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        if self.server.moved_to is not None:
            self.send_response(301)
            self.send_header("Location", self.server.moved_to + self.path)
            self.end_headers()
            return
        wanted = self.server.authorization
        if wanted and self.headers["Authorization"] != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        output = self._run_backend()
        if self.server.lost is None or not self.path.endswith(self.server.lost):
            self._answer(output)
        elif not self.server.cuts:
            self.send_error(502)

    do_POST = do_GET  # noqa: N815  (http.server looks for this name)

    def log_message(self, *_: object) -> None:
        """Say nothing; pytest shows ``requests`` where it matters."""

    def _run_backend(self) -> bytes:
        path, _, query = self.path.partition("?")
        body = self._read_body()
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "test",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        return subprocess.run(
            ["git", "http-backend"],
            input=body,
            env=environment,
            capture_output=True,
            check=True,
        ).stdout

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, output: bytes) -> None:
        head, _, body = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200 OK").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.bytes_sent += len(body)
        if b"packfile\n" in body:
            self.server.packs_sent.append(self.path)


@contextlib.contextmanager
def serve_http(root: Path, authorization: str | None = None) -> Iterator[GitHttpServer]:
    with GitHttpServer(root, authorization) as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def serve_git(root: Path) -> Iterator[str]:
    """``git daemon``; gives the URL of the folder."""
    programs = subprocess.run(
        ["git", "--exec-path"], capture_output=True, text=True, check=True
    ).stdout.strip()
    port = _free_port()
    command = [
        f"{programs}/git-daemon",
        "--listen=127.0.0.1",
        f"--port={port}",
        f"--base-path={root}",
        "--export-all",
        "--informative-errors",
        "--reuseaddr",
    ]
    with _running(command, port):
        yield f"git://127.0.0.1:{port}"


@contextlib.contextmanager
def serve_ssh(folder: Path) -> Iterator[tuple[str, str]]:
    """An sshd of our own; gives the URL of ``/`` and the GIT_SSH_COMMAND that logs in."""
    folder.mkdir()
    for key in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key],
            check=True,
        )
    port = _free_port()
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
    host_key = (folder / "host.pub").read_text()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/authorized\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    client = f"ssh -F none -i {shlex.quote(str(folder / 'user'))} -o BatchMode=yes"
    client += f" -o UserKnownHostsFile={shlex.quote(str(folder / 'known'))}"
    user = pwd.getpwuid(os.getuid()).pw_name
    with _running([str(SSHD), "-D", "-e", "-f", str(folder / "config")], port):
        yield f"ssh://{user}@127.0.0.1:{port}", client


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the block ends; it is up when its port answers."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.02)
            else:
                raise RuntimeError(f"{command[0]} did not start")
            yield
        finally:
            process.terminate()
