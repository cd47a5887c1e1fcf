from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import Response
from servers.operator_files import write_files

from hub_client.bundle.download import Wanted, copy
from hub_client.lockfile import Lockfile
from hub_client.sources.hugging_face_transfer import LISTING_LIMIT
from plugin_spec.manifest import Weights

if TYPE_CHECKING:
    from fastapi import Request
    from servers.hugging_face import HuggingFaceServer
    from servers.operator_files import OperatorFolder

    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]
CONTENT = bytes(range(256)) * 64
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def shelf_with_weights(shelf: OperatorFolder) -> OperatorFolder:
    folder = shelf.publish("acme/embed", "1.0.0")
    manifest = (folder / "operator.yaml").read_text(encoding="utf-8")
    line = "weights: [{repo: acme/model, file: model.safetensors}]\n"
    write_files(folder, {"operator.yaml": (manifest + line).encode()})
    return shelf


@pytest.fixture
def server(
    hugging_face: HuggingFaceServer, monkeypatch: pytest.MonkeyPatch
) -> HuggingFaceServer:
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    return hugging_face


def locked() -> Weights:
    (operator,) = Lockfile.load(Path("hub.lock")).operators
    (weights,) = operator.weights
    return weights


def test_weights_are_locked_by_commit_hash_and_size(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    commit = server.create("acme/model", {"model.safetensors": CONTENT})
    hub.said("add", "acme/embed", *into)
    assert locked() == Weights(
        {}, "acme/model", "model.safetensors", commit, SHA256, len(CONTENT)
    )


@pytest.mark.slow  # takes more than a second
def test_what_was_pinned_stays_until_an_upgrade(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    first = server.create("acme/model", {"model.safetensors": CONTENT})
    hub.said("add", "acme/embed", *into)
    repository = server.repository("acme/model")
    newer = server.store("model.safetensors", b"others")
    second = repository.commit("main", {"model.safetensors": newer}, "train again")
    shelf_with_weights.publish("acme/blur", "1.0.0")
    hub.said("add", "acme/blur", *into)
    weights = {
        each.name.name: each for each in Lockfile.load(Path("hub.lock")).operators
    }
    assert weights["embed"].weights[0].revision == first
    said = hub.said("lock", "--upgrade")
    weights = {
        each.name.name: each for each in Lockfile.load(Path("hub.lock")).operators
    }
    assert weights["embed"].weights[0].revision == second
    others = hashlib.sha256(b"others").hexdigest()
    assert said == (
        f"Locking\n~ acme/model/model.safetensors {first[:12]} -> {second[:12]}\n"
        "    vectors of another space: make them and their indexes anew\n"
        f"      weights: {SHA256}, {others}\n"
        "Wrote `hub.lock`\n"
    )


@pytest.mark.parametrize("said", ["", ", revision: main"])
def test_an_upgrade_without_an_answer_keeps_what_was_pinned(
    hub: Hub,
    shelf_with_weights: OperatorFolder,
    server: HuggingFaceServer,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
) -> None:
    manifest = shelf_with_weights.path / "acme/embed/1.0.0/operator.yaml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("acme/model,", f"acme/model{said},"), "utf-8")
    Path("hub.toml").write_text('operators = ["acme/embed"]\n', "utf-8")
    server.create("acme/model", {"model.safetensors": CONTENT})
    hub.said("lock")
    before = Path("hub.lock").read_bytes()
    assert locked().sha256 == SHA256
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for flags in ([], ["--offline"]):
        assert (
            "warning: These weights stay as they were locked: "
            "`acme/model/model.safetensors`"
        ) in hub.said("lock", "--upgrade", *flags)
        assert Path("hub.lock").read_bytes() == before


@pytest.mark.slow  # takes more than a second
def test_offline_no_weights_are_fetched(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    commit = server.create("acme/model", {"model.safetensors": CONTENT})
    hub.said("add", "acme/embed", *into)
    asked = len(server.requests)
    refused = (
        f"error: `acme/model/model.safetensors` at {commit} would be fetched, and you "
        "are offline\n\nhint: Run again without `--offline`, or with HUB_OFFLINE=0\n"
    )
    for command in (["sync", "--weights"], ["mirror", "mirrored"]):
        words = (*command, *into) if command[0] == "sync" else command
        assert hub.refused(*words, "--offline").endswith(refused)
    assert len(server.requests) == asked
    hub.said("sync", "--weights", *into)
    hub.said("sync", "--weights", "--offline", *into)
    assert hub("mirror", "mirrored", "--offline").returncode == 0


def test_without_weights_nothing_is_done_and_no_value_is_given(
    hub: Hub, shelf_with_weights: OperatorFolder, into: Into
) -> None:
    hub.said("add", "acme/embed", "--offline", *into)
    hub.said("uninstall", "acme/embed", *into)
    done = hub("sync", "--weights", "--json", *into)
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(hub("list", "--json", *into).stdout) == []


def test_sync_brings_the_weights_that_are_pinned(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    server.create("acme/model", {"model.safetensors": CONTENT})
    hub.said("add", "acme/embed", *into)
    assert hub.said("sync", "--weights", *into) == (
        "The environment matches `hub.lock`\n"
        "Fetching weights\nacme/model/model.safetensors\n1 file of weights is here\n"
    )
    cache = Path(os.environ["HF_HOME"]) / "hub"
    (found,) = cache.rglob("model.safetensors")
    assert found.read_bytes() == CONTENT


def test_several_files_of_weights_come_side_by_side(
    hub: Hub, shelf: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    folder = shelf.publish("acme/embed", "1.0.0")
    manifest = (folder / "operator.yaml").read_text(encoding="utf-8")
    files = ("large.safetensors", "model.safetensors", "small.safetensors")
    named = ", ".join(f"{{repo: acme/model, file: {each}}}" for each in files)
    write_files(folder, {"operator.yaml": f"{manifest}weights: [{named}]\n".encode()})
    server.create("acme/model", {each: each.encode() for each in files})
    hub.said("add", "acme/embed", *into)
    asked = set()

    class Together(Response):
        """Comes when every file is asked for."""

        async def __call__(self, *connection: Any) -> None:  # noqa: ANN401
            for _ in range(100):
                if len(asked) == len(files):
                    return await super().__call__(*connection)
                await asyncio.sleep(0.05)
            return await Response(status_code=404)(*connection)

    def before(request: Request) -> Response | None:
        if request.method != "GET" or "/resolve/" not in request.url.path:
            return None
        asked.add(request.url.path)
        return Together(request.url.path.rpartition("/")[2])

    server.before = before
    said = hub.said("sync", "--weights", *into)
    assert said.endswith("\n3 files of weights are here\n")
    assert {f"acme/model/{each}" for each in files} <= {*said.splitlines()}


def test_on_a_terminal_one_sees_how_much_of_the_weights_is_here(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    server.create("acme/model", {"model.safetensors": bytes(3 << 20)})
    hub.said("add", "acme/embed", *into)
    shown = hub.drawn("sync", "--weights", *into)
    assert b"Fetching weights" in shown
    assert b"3.0/3.0 MiB" in shown


def test_a_full_disk_under_the_weights_is_one_clear_error(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    server.create("acme/model", {"model.safetensors": bytes(99_999)})
    hub.said("add", "acme/embed", *into)
    cache = Path(os.environ["HF_HOME"]) / "hub"
    cache.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(cache)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs more rights")
    try:
        assert hub.refused("sync", "--weights", "--no-progress", *into) == (
            "The environment matches `hub.lock`\n"
            f"error: Cannot keep what `{server.url}/acme/model` gives in `{cache}`: "
            "No space left on device\n\n"
            "hint: Make room on that disk, or set HF_HUB_CACHE to a folder on "
            "another one\n"
        )
        # From a bundle no part of a file stays, either.
        whole = cache.parent / "whole"
        whole.write_bytes(bytes(99_999))
        wanted = Wanted("`whole`", hashlib.sha256(whole.read_bytes()).hexdigest())
        with pytest.raises(OSError, match="No space left on device"):
            copy(whole, cache / "blob", wanted, lambda _: None)
        assert not (cache / "blob.part").exists()
    finally:
        subprocess.run(["umount", str(cache)], check=True)


def test_other_weights_of_the_same_length_are_refused(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    server.create("acme/model", {"model.safetensors": CONTENT})
    hub.said("add", "acme/embed", *into)
    (server._folder / "large-files" / SHA256).write_bytes(bytes(len(CONTENT)))
    done = hub("sync", "--weights", *into)
    assert done.returncode == 1
    assert f"expected sha256:{SHA256}" in done.stderr
    assert not list((Path(os.environ["HF_HOME"]) / "hub").rglob("*/blobs/*"))


def test_a_link_out_of_the_cache_is_replaced_and_what_it_leads_to_stays(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    server.create("acme/model", {"model.safetensors": CONTENT})
    hub.said("add", "acme/embed", *into)
    hub.said("sync", "--weights", *into)
    (cached,) = (Path(os.environ["HF_HOME"]) / "hub").rglob("model.safetensors")
    mine = Path("mine").resolve()
    mine.write_bytes(b"of somebody else")
    cached.unlink()
    cached.symlink_to(mine)
    hub.said("sync", "--weights", *into)
    assert cached.read_bytes() == CONTENT
    assert mine.read_bytes() == b"of somebody else"


LISTED = {
    "type": "file",
    "path": "model.safetensors",
    "oid": "0" * 40,
    "size": 5,
    "lfs": {"oid": SHA256, "size": 5, "pointerSize": 130},
}


@pytest.mark.parametrize(
    ("part", "body", "problem"),
    [
        ("/api/models/acme/model", {"id": "acme/model"}, "None is no commit"),
        (
            "/api/models/acme/model",
            {"id": "acme/model", "sha": "main"},
            "'main' is no commit",
        ),
        ("/paths-info/", [{**LISTED, "size": "5"}], "'5' is no number of bytes"),
        ("/paths-info/", [{**LISTED, "size": -5}], "-5 is no number of bytes"),
        (
            "/paths-info/",
            [{**LISTED, "lfs": {"oid": "zz", "size": 5, "pointerSize": 130}}],
            "'zz' is no SHA-256",
        ),
        (
            "/paths-info/",
            [{**LISTED, "lfs": {"oid": None, "size": 5, "pointerSize": 130}}],
            "None is no SHA-256",
        ),
    ],
)
def test_what_pins_nothing_does_not_go_into_a_lock(  # noqa: PLR0913, PLR0917
    hub: Hub,
    shelf_with_weights: OperatorFolder,
    server: HuggingFaceServer,
    into: Into,
    part: str,
    body: object,
    problem: str,
) -> None:
    server.create("acme/model", {"model.safetensors": CONTENT})
    answer = Response(json.dumps(body), media_type="application/json")
    server.before = lambda request: answer if part in request.url.path else None
    assert (
        "warning: These weights are not pinned: `acme/model/model.safetensors`\n"
        f"  `{server.url}` does not answer for `acme/model` as a Hugging Face server "
        f"does: {problem}"
    ) in hub.said("add", "acme/embed", *into)
    assert locked() == Weights({}, "acme/model", "model.safetensors")


def test_a_folder_is_no_file_of_weights(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    commit = server.create("acme/model", {"model.safetensors/part": CONTENT})
    folder = {"type": "directory", "path": "model.safetensors", "oid": "0" * 40}
    answer = Response(json.dumps([folder]), media_type="application/json")
    server.before = lambda request: (
        answer if "/paths-info/" in request.url.path else None
    )
    assert (
        f"`{server.url}/acme/model` has no file `model.safetensors` at {commit}"
    ) in hub.said("add", "acme/embed", *into)


def test_weights_that_are_gone_are_named(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    commit = server.create("acme/model", {"model.safetensors": CONTENT})
    hub.said("add", "acme/embed", *into)
    headers = {"X-Error-Code": "EntryNotFound"}
    server.before = lambda request: (
        Response(status_code=404, headers=headers)
        if "/resolve/" in request.url.path
        else None
    )
    assert hub.refused("sync", "--weights", "--no-progress", *into) == (
        "The environment matches `hub.lock`\n"
        f"error: `{server.url}/acme/model` does not have `model.safetensors` at "
        f"{commit}\n\n"
        "hint: Ask its publisher; `hub lock --upgrade` pins what is there now\n"
    )


def test_a_lock_does_not_wait_for_a_server_that_does_not_answer(
    hub: Hub,
    shelf_with_weights: OperatorFolder,
    into: Into,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    said = hub.said("add", "acme/embed", *into)
    assert (
        "warning: These weights are not pinned: `acme/model/model.safetensors`" in said
    )
    assert locked() == Weights({}, "acme/model", "model.safetensors")
    assert hub.refused("sync", "--weights", *into).endswith(
        "error: `acme/model/model.safetensors` is not pinned\n"
        "\n"
        "hint: Run `hub lock --upgrade` where its server can be reached\n"
    )
    assert json.loads(hub("lock", "--json").stdout)["operators"] == {
        "acme/embed": "1.0.0"
    }


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("part", ["/api/models/acme/model", "/paths-info/"])
def test_a_server_that_is_busy_for_now_is_asked_again_before_a_lock_goes_without(  # noqa: PLR0913, PLR0917
    hub: Hub,
    shelf_with_weights: OperatorFolder,
    server: HuggingFaceServer,
    into: Into,
    part: str,
    status: int,
) -> None:
    server.create("acme/model", {"model.safetensors": CONTENT})
    busy = iter([Response(status_code=status, headers={"Retry-After": "0"})])
    server.before = lambda request: (
        next(busy, None) if part in request.url.path else None
    )
    assert "warning" not in hub.said("add", "acme/embed", *into)
    assert next(busy, None) is None
    assert locked().sha256 == SHA256


def test_weights_that_are_pinned_come_though_others_are_not(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    server.create("acme/model", {"model.safetensors": CONTENT})
    folder = shelf_with_weights.publish("acme/blur", "1.0.0")
    with (folder / "operator.yaml").open("a", encoding="utf-8") as manifest:
        files = ("one", "two")
        weights = [f"{{repo: acme/gone, file: {each}.safetensors}}" for each in files]
        manifest.write(f"weights: [{', '.join(weights)}]\n")
    hub.said("add", "acme/blur", "acme/embed", *into)
    said = hub.refused("sync", "--weights", *into)
    assert "1 file of weights is here\n" in said
    assert said.endswith(
        "error: `acme/gone/one.safetensors` and `acme/gone/two.safetensors` are not "
        "pinned\n\nhint: Run `hub lock --upgrade` where its server can be reached\n"
    )


@pytest.mark.slow
def test_weights_larger_than_a_listing_may_be_are_fetched(
    hub: Hub, shelf_with_weights: OperatorFolder, server: HuggingFaceServer, into: Into
) -> None:
    content = bytes(LISTING_LIMIT + 1)
    server.create("acme/model", {"model.safetensors": content})
    hub.said("add", "acme/embed", *into)
    assert locked().size == len(content)
    done = hub("sync", "--weights", *into)
    assert done.returncode == 0, done.stderr
    assert "1 file of weights is here\n" in done.stderr
