"""A Hugging Face-compatible server on 127.0.0.1, over bare git repositories.

The real clients talk to it: huggingface_hub through the API, git through smart HTTP,
git-lfs through its batch API; all three see the same repositories. Large files lie in a
folder by their sha256, and the repositories hold pointers to them.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>\d+)\n"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LARGE = (".safetensors", ".bin", ".pt", ".onnx")
_FIRST_FILES = {
    ".gitattributes": "".join(
        f"*{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in _LARGE
    ).encode()
}
_IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Server"), ("EMAIL", "server@example.org"))
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit; ``oid`` and ``size`` are the large file's, if it is one."""

    path: str
    blob: str
    oid: str
    size: int
    pointer_size: int | None

    def to_dict(self) -> dict[str, Any]:
        """The entry as the tree endpoint gives it."""
        entry = {"type": "file", "path": self.path, "oid": self.blob, "size": self.size}
        if self.pointer_size is not None:
            entry["lfs"] = {
                "oid": self.oid,
                "size": self.size,
                "pointerSize": self.pointer_size,
            }
        return entry


@dataclass(frozen=True, slots=True)
class Repository:
    """One bare repository, and the large files that its pointers name."""

    path: Path
    large_files: Path

    def git(self, *words: str, typed: bytes = b"") -> bytes:
        """Run git on this repository.

        :raises CalledProcessError: if git refuses.
        """
        return subprocess.run(
            ["git", "--git-dir", self.path, *words],
            input=typed,
            capture_output=True,
            check=True,
            env={**os.environ, **_IDENTITY},
        ).stdout

    def commit_of(self, revision: str) -> str:
        """Resolve a branch, a tag or a commit; 404 as the real service says it."""
        try:
            words = (
                "rev-parse",
                "--verify",
                "--end-of-options",
                f"{revision}^{{commit}}",
            )
            return self.git(*words).decode().strip()
        except subprocess.CalledProcessError:
            raise _not_found("RevisionNotFound", f"no revision {revision}") from None

    def references(self, prefix: str) -> list[dict[str, str]]:
        """Branches or tags with the commits that they lead to."""
        form = "%(refname) %(refname:short) %(objectname) %(*objectname)"
        lines = (
            self.git("for-each-ref", f"--format={form}", prefix).decode().splitlines()
        )
        return [
            {"ref": ref, "name": name, "targetCommit": peeled[0] if peeled else commit}
            for ref, name, commit, *peeled in map(str.split, lines)
        ]

    def entries(self, revision: str) -> list[Entry]:
        """Every file of a commit, large ones with their own digest and size."""
        is_commit = _COMMIT.fullmatch(revision) is not None
        return _entries(self, revision if is_commit else self.commit_of(revision))

    def folder(self, commit: str, path: str) -> list[Entry]:
        """The files below a folder, all without one; 404 as the real service says it."""
        entries = self.entries(commit)
        found = [each for each in entries if each.path.startswith(f"{path}/")]
        if path and not found:
            raise _not_found("EntryNotFound", f"no folder {path}")
        return found if path else entries

    def read(self, entry: Entry) -> bytes:
        """The file's own bytes, wherever they lie."""
        if entry.pointer_size is None:
            return self.git("cat-file", "blob", entry.blob)
        return (self.large_files / entry.oid).read_bytes()

    def commit(
        self, branch: str, files: Mapping[str, bytes | None], message: str
    ) -> str:
        """Write one commit on ``branch``; a file of None is deleted, a folder by ``/``."""
        lines = [b"commit refs/heads/%s\nmark :1\n" % branch.encode()]
        lines.append(b"committer Server <server@example.org> now\n")
        lines.append(_data(message.encode()))
        if any(ref["name"] == branch for ref in self.references("refs/heads")):
            lines.append(b"from refs/heads/%s^0\n" % branch.encode())
        for path, content in files.items():
            name = path.rstrip("/").encode()
            if content is None:
                lines.append(b"D %s\n" % name)
            else:
                lines.append(b"M 100644 inline %s\n%s" % (name, _data(content)))
        lines.append(b"get-mark :1\n")
        command = ("fast-import", "--quiet", "--date-format=now")
        return self.git(*command, typed=b"".join(lines)).decode().strip()


@cache
def _entries(repository: Repository, commit: str) -> list[Entry]:
    """Read it once: it cannot change."""
    words = ("ls-tree", "-r", "-z", "--full-tree", commit)
    rows = [row.split("\t") for row in repository.git(*words).decode().split("\0")[:-1]]
    blobs = [attributes.split()[2] for attributes, _ in rows]
    typed = "".join(f"{blob}\n" for blob in blobs).encode()
    contents = io.BytesIO(repository.git("cat-file", "--batch", typed=typed))
    entries = []
    for (_, path), blob in zip(rows, blobs, strict=True):
        size = int(contents.readline().split()[2])
        pointer = _POINTER.fullmatch(contents.read(size))
        contents.read(1)
        oid = pointer["oid"].decode() if pointer else blob
        large, pointer_size = (int(pointer["size"]), size) if pointer else (size, None)
        entries.append(Entry(path, blob, oid, large, pointer_size))
    return entries


def _data(content: bytes) -> bytes:
    """Bytes as git's fast-import reads them."""
    return b"data %d\n%s\n" % (len(content), content)


class HuggingFaceServer:
    """Serves until the ``with`` block ends.

    ``requests`` lists what was asked, as ``GET /path``; so a test can say that nothing
    was. ``before`` may answer in the place of the server, to misbehave.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "large-files").mkdir(parents=True)
        self.requests: list[str] = []
        self.before: Any = lambda request: None
        config = uvicorn.Config(
            _application(self), host="127.0.0.1", port=0, log_level="error", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    @property
    def url(self) -> str:
        """What ``HF_ENDPOINT`` has to be."""
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def repository(self, name: str) -> Repository:
        """Open ``organization/name``; 404 as the real service says it."""
        path = self._folder / f"{name}.git"
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or not path.is_dir():
            raise _not_found("RepoNotFound", f"no repository {name}")
        return Repository(path, self._folder / "large-files")

    def create(self, name: str, files: Mapping[str, bytes] | None = None) -> str:
        """Make a repository with these files, large ones by pointer; give the commit."""
        path = self._folder / f"{name}.git"
        words = ["git", "init", "--quiet", "--bare", "--initial-branch=main", path]
        subprocess.run(words, check=True)
        repository = self.repository(name)
        repository.git("config", "http.receivepack", "true")
        repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
        stored = {path: self.store(path, data) for path, data in (files or {}).items()}
        return repository.commit("main", {**_FIRST_FILES, **stored}, "Initial commit")

    def store(self, path: str, content: bytes) -> bytes:
        """Keep a large file aside and give its pointer; give a small one back."""
        if not path.endswith(_LARGE):
            return content
        oid = hashlib.sha256(content).hexdigest()
        (self._folder / "large-files" / oid).write_bytes(content)
        return _pointer(oid, len(content))


def _pointer(oid: str, size: int) -> bytes:
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"
    ).encode()


def _not_found(code: str, message: str) -> HTTPException:
    headers = {"X-Error-Code": code, "X-Error-Message": message}
    return HTTPException(HTTPStatus.NOT_FOUND, message, headers)


def _application(server: HuggingFaceServer) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.middleware("http")
    async def record(request: Request, call_next: Any) -> Response:  # noqa: ANN401
        server.requests.append(f"{request.method} {request.url.path}")
        answer: Response = server.before(request) or await call_next(request)
        return answer

    _add_reading(app, server)
    _add_files(app, server)
    _add_writing(app, server)
    _add_references(app, server)
    _add_large_files(app, server)
    _add_git(app, server)
    return app


def _add_reading(app: FastAPI, server: HuggingFaceServer) -> None:
    @app.get("/api/whoami-v2")
    def whoami() -> dict[str, Any]:
        return {"type": "user", "name": "tester", "fullname": "Tester", "orgs": []}

    @app.get("/api/models")
    def search(search: str = "") -> list[dict[str, Any]]:
        paths = sorted(server._folder.glob("*/*.git"))
        names = (f"{path.parent.name}/{path.stem}" for path in paths)
        return [{"id": name, "modelId": name} for name in names if search in name]

    @app.get("/api/models/{organization}/{name}")
    @app.get("/api/models/{organization}/{name}/revision/{revision:path}")
    def info(organization: str, name: str, revision: str = "main") -> dict[str, Any]:
        repository = server.repository(f"{organization}/{name}")
        commit = repository.commit_of(revision)
        files = [
            {"rfilename": entry.path, "size": entry.size, "blobId": entry.blob}
            for entry in repository.entries(commit)
        ]
        date = "2024-01-01T00:00:00.000Z"
        return {
            "id": f"{organization}/{name}",
            "modelId": f"{organization}/{name}",
            "sha": commit,
            "siblings": files,
            "private": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "createdAt": date,
            "lastModified": date,
        }

    @app.get("/api/models/{organization}/{name}/refs")
    def refs(organization: str, name: str) -> dict[str, Any]:
        repository = server.repository(f"{organization}/{name}")
        return {
            "branches": repository.references("refs/heads"),
            "tags": repository.references("refs/tags"),
            "converts": [],
        }


def _add_files(app: FastAPI, server: HuggingFaceServer) -> None:
    @app.get("/api/models/{organization}/{name}/tree/{revision}")
    @app.get("/api/models/{organization}/{name}/tree/{revision}/{path:path}")
    def tree(
        organization: str, name: str, revision: str, path: str = ""
    ) -> list[dict[str, Any]]:
        repository = server.repository(f"{organization}/{name}")
        entries = repository.folder(repository.commit_of(revision), path)
        return [entry.to_dict() for entry in entries]

    @app.post("/api/models/{organization}/{name}/paths-info/{revision}")
    async def paths_info(
        request: Request, organization: str, name: str, revision: str
    ) -> list[dict[str, Any]]:
        repository = server.repository(f"{organization}/{name}")
        wanted = set((await request.form()).getlist("paths"))
        entries = repository.entries(repository.commit_of(revision))
        return [entry.to_dict() for entry in entries if entry.path in wanted]

    @app.api_route(
        "/{organization}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"]
    )
    def resolve(
        request: Request, organization: str, name: str, revision: str, path: str
    ) -> Response:
        repository = server.repository(f"{organization}/{name}")
        commit = repository.commit_of(revision)
        found = [entry for entry in repository.entries(commit) if entry.path == path]
        if not found:
            raise _not_found("EntryNotFound", f"no file {path}")
        (entry,) = found
        headers = {"X-Repo-Commit": commit, "ETag": f'"{entry.oid}"'}
        if entry.pointer_size is not None:
            headers |= {
                "X-Linked-Etag": f'"{entry.oid}"',
                "X-Linked-Size": str(entry.size),
            }
        if request.method == "HEAD":
            return Response(headers={**headers, "Content-Length": str(entry.size)})
        return _ranged(repository.read(entry), request.headers.get("range"), headers)


def _ranged(content: bytes, wanted: str | None, headers: dict[str, str]) -> Response:
    """Answer with all, or from where a broken transfer stopped."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
    kind = "application/octet-stream"
    if match is None:
        return Response(content, headers=headers, media_type=kind)
    first, last = int(match[1]), int(match[2] or len(content) - 1)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    part = content[first : last + 1]
    return Response(part, HTTPStatus.PARTIAL_CONTENT, headers, kind)


def _add_writing(app: FastAPI, server: HuggingFaceServer) -> None:
    @app.post("/api/repos/create")
    async def create(request: Request) -> Response:
        wanted = await request.json()
        name = f"{wanted.get('organization') or 'tester'}/{wanted['name']}"
        body = json.dumps({"url": f"{server.url}/{name}", "name": name})
        if (server._folder / f"{name}.git").exists():
            return Response(body, HTTPStatus.CONFLICT, media_type="application/json")
        server.create(name)
        return Response(body, media_type="application/json")

    @app.post("/api/validate-yaml")
    def validate() -> dict[str, Any]:
        return {"errors": [], "warnings": []}

    @app.post("/api/models/{organization}/{name}/preupload/{revision:path}")
    async def preupload(request: Request) -> dict[str, Any]:
        wanted = await request.json()
        return {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(_LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for file in wanted["files"]
            ]
        }

    @app.post("/api/models/{organization}/{name}/commit/{revision:path}")
    async def commit(
        request: Request, organization: str, name: str, revision: str
    ) -> dict[str, Any]:
        lines = [json.loads(line) for line in (await request.body()).splitlines()]
        repository = server.repository(f"{organization}/{name}")
        (header,) = (line["value"] for line in lines if line["key"] == "header")
        files = _files_of(line for line in lines if line["key"] != "header")
        oid = repository.commit(revision, files, header.get("summary", "Upload"))
        url = f"{server.url}/{organization}/{name}/commit/{oid}"
        return {"commitUrl": url, "commitOid": oid, "success": True}


def _add_references(app: FastAPI, server: HuggingFaceServer) -> None:
    @app.post("/api/models/{organization}/{name}/branch/{branch:path}")
    async def make_branch(
        request: Request, organization: str, name: str, branch: str
    ) -> Response:
        repository = server.repository(f"{organization}/{name}")
        wanted = await request.json() if await request.body() else {}
        refs = {ref["name"] for ref in repository.references("refs/heads")}
        if branch in refs:
            return Response(status_code=HTTPStatus.CONFLICT)
        commit = repository.commit_of(wanted.get("startingPoint") or "main")
        repository.git("update-ref", f"refs/heads/{branch}", commit)
        return Response()

    @app.post("/api/models/{organization}/{name}/tag/{revision}")
    async def tag(
        request: Request, organization: str, name: str, revision: str
    ) -> Response:
        repository = server.repository(f"{organization}/{name}")
        wanted = await request.json()
        commit = repository.commit_of(revision)
        if any(
            ref["name"] == wanted["tag"] for ref in repository.references("refs/tags")
        ):
            return Response(status_code=HTTPStatus.CONFLICT)
        message = wanted.get("message")
        words = ("-m", message, wanted["tag"]) if message else (wanted["tag"],)
        repository.git("tag", *words, commit)
        return Response()

    @app.delete("/api/models/{organization}/{name}/tag/{tag}")
    def untag(organization: str, name: str, tag: str) -> Response:
        server.repository(f"{organization}/{name}").git("tag", "--delete", tag)
        return Response()


def _files_of(lines: Iterable[Mapping[str, Any]]) -> dict[str, bytes | None]:
    """What a commit's lines ask for: bytes by path, None for what is to go."""
    files: dict[str, bytes | None] = {}
    for line in lines:
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            files[value["path"]] = _pointer(value["oid"], value["size"])
        else:
            files[value["path"]] = None
    return files


def _add_large_files(app: FastAPI, server: HuggingFaceServer) -> None:
    folder = server._folder / "large-files"

    @app.post("/{organization}/{name}.git/info/lfs/objects/batch")
    async def batch(request: Request) -> dict[str, Any]:
        wanted = await request.json()
        upload = wanted["operation"] == "upload"
        objects = []
        for item in wanted["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if (folder / item["oid"]).exists() != upload:
                action = {"href": f"{server.url}/large-files/{item['oid']}"}
                answer["actions"] = {wanted["operation"]: action}
            objects.append(answer)
        return {"transfer": "basic", "objects": objects}

    @app.put("/large-files/{oid}")
    async def put(request: Request, oid: str) -> Response:
        content = await request.body()
        if hashlib.sha256(content).hexdigest() != oid:
            return Response(status_code=HTTPStatus.UNPROCESSABLE_ENTITY)
        (folder / oid).write_bytes(content)
        return Response()

    @app.get("/large-files/{oid}")
    def get(oid: str) -> Response:
        assert re.fullmatch(r"[0-9a-f]{64}", oid)
        return Response((folder / oid).read_bytes())


def _add_git(app: FastAPI, server: HuggingFaceServer) -> None:
    @app.api_route("/{organization}/{name}.git/{path:path}", methods=["GET", "POST"])
    @app.api_route("/{organization}/{name}/{path:path}", methods=["GET", "POST"])
    async def smart_http(
        request: Request, organization: str, name: str, path: str
    ) -> Response:
        repository = server.repository(f"{organization}/{name}")
        variables = {
            "GIT_PROJECT_ROOT": str(repository.path),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{path}",
            "QUERY_STRING": request.url.query,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "REMOTE_USER": "tester",
        }
        output = subprocess.run(  # noqa: ASYNC221  (one test at a time talks to it)
            ["git", "http-backend"],
            input=await request.body(),
            stdout=subprocess.PIPE,
            check=True,
            env={**os.environ, **variables},
        ).stdout
        head, _, body = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return Response(body, status, headers)
