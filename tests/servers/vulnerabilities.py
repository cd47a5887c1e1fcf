"""A vulnerability service on 127.0.0.1: as much of OSV's API as uv asks."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DATE = "2026-01-01T00:00:00Z"


@contextmanager
def serve_vulnerabilities(known: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Serve one vulnerability for each package and version, fixed in 9.0."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            asked = json.loads(self.rfile.read(length))["queries"]
            ids = (known.get((q["package"]["name"], q["version"])) for q in asked)
            vulns = (
                {"vulns": [{"id": i, "modified": _DATE}]} if i else {} for i in ids
            )
            self._answer({"results": list(vulns)})

        def do_GET(self) -> None:
            wanted = self.path.rpartition("/")[2]
            (name,) = {package for (package, _), i in known.items() if i == wanted}
            package = {"ecosystem": "PyPI", "name": name}
            events = [{"introduced": "0"}, {"fixed": "9.0"}]
            ranges = [{"type": "ECOSYSTEM", "events": events}]
            self._answer(
                {
                    "id": wanted,
                    "modified": _DATE,
                    "published": _DATE,
                    "summary": f"{name} runs what it reads",
                    "references": [
                        {"type": "ADVISORY", "url": f"https://osv.example/{wanted}"}
                    ],
                    "affected": [{"package": package, "ranges": ranges}],
                }
            )

        def _answer(self, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
