from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import random
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from docs.json_shapes import differences, read_shapes
from servers.operator_files import write_files
from servers.python_packages import make_environment

from hub_client.bundle.listing import BundleListing
from hub_client.lockfile import Lockfile
from hub_client.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.hugging_face import HuggingFaceServer
    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from tests.hub_client.cli.conftest import Hub

CONTENT = bytes(range(256)) * 64
SHA256 = hashlib.sha256(CONTENT).hexdigest()
CLOSED = "http://127.0.0.1:9"
NO_NETWORK = ["unshare", "--map-root-user", "--net"]


@pytest.fixture
def project(
    hub: Hub,
    shelf: OperatorFolder,
    python_packages: PackageFolder,
    hugging_face: HuggingFaceServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Lockfile:
    """A project of two operators, a package and a file of weights, locked."""
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    hugging_face.create("acme/model", {"model.safetensors": CONTENT})
    python_packages.add("hub-tensor", "2.0", requires=["hub-win; os_name == 'nt'"])
    python_packages.add("hub-win", "1.0")
    shelf.publish("acme/blur", "1.0.0")
    folder = shelf.publish(
        "acme/embed", "1.0.0", operators=["acme/blur"], packages=["hub-tensor>=2"]
    )
    line = b"weights: [{repo: acme/model, file: model.safetensors}]\n"
    manifest = (folder / "operator.yaml").read_bytes()
    write_files(folder, {"operator.yaml": manifest + line})
    Path("hub.toml").write_text('operators = ["acme/embed"]\n', encoding="utf-8")
    assert hub("lock").returncode == 0
    return Lockfile.load(Path("hub.lock"))


class Machine:
    """Another machine: an empty cache, its own environment, and no network at all."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self._hub = hub
        self.environment = make_environment(folder / "venv")
        self.cache, self.weights = folder / "cache", folder / "hugging-face"
        self.variables = {
            "HUB_CACHE_DIR": str(self.cache),
            "HF_HOME": str(self.weights),
            "UV_CACHE_DIR": str(folder / "uv"),
            # Whoever did ask for something would be told to ask here.
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), CLOSED),
            "HF_ENDPOINT": CLOSED,
            "UV_INDEX_URL": CLOSED,
        }

    def hub(self, *words: object, network: bool = False) -> tuple[int, str]:
        """Run ``hub`` there; its exit status and what it printed."""
        prefix = [] if network or not _can_unshare() else NO_NETWORK
        target = ("--python", self.environment.prefix)
        done = subprocess.run(
            [*prefix, *self._hub.words(*words, *target)],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **self.variables, "NO_PROXY": "127.0.0.1"},
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    def sync(self, place: object, *words: object, network: bool = False) -> str:
        """Sync from a bundle, which must succeed."""
        status, said = self.hub("sync", "--from", place, *words, network=network)
        assert status == 0, said
        return said

    def refused(self, place: object, *words: object, network: bool = False) -> str:
        """What a sync that is refused says; it leaves the environment as it was."""
        status, said = self.hub("sync", "--from", place, *words, network=network)
        assert status == 1, said
        assert not self.environment.receipts()
        assert "hub-tensor" not in self.environment.installed_packages()
        return said

    def check(self, lock: Lockfile) -> None:
        """All that the lock pins is here, with its digests."""
        store = Store(self.cache / "store")
        for each in lock.operators:
            store.verify(each.tree)
        trees = {each.name: each.tree for each in lock.operators}
        receipts = self.environment.receipts()
        assert {each.name: each.tree for each in receipts} == trees
        assert self.environment.installed_packages()["hub-tensor"] == "2.0"
        (weights,) = (each for operator in lock.operators for each in operator.weights)
        path = f"hub/models--acme--model/snapshots/{weights.revision}/{weights.file}"
        found = (self.weights / path).read_bytes()
        assert hashlib.sha256(found).hexdigest() == weights.sha256 == SHA256


@functools.cache
def _can_unshare() -> bool:
    """Whether this system lets a test have no network; closed proxies have to do."""
    try:
        done = subprocess.run([*NO_NETWORK, "true"], check=False, capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture
def machine(hub: Hub, tmp_path: Path) -> Machine:
    return Machine(hub, tmp_path / "elsewhere")


@pytest.fixture
def bundle(hub: Hub, project: Lockfile, tmp_path: Path) -> Path:
    hub.said("bundle", "-o", tmp_path / "usb")
    return tmp_path / "usb"


def serving(folder: Path) -> http.server.ThreadingHTTPServer:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    return server


@pytest.fixture
def address(bundle: Path) -> Iterator[str]:
    """Where a static web server gives the bundle."""
    with serving(bundle) as server:
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def damage(folder: Path, pattern: str) -> Path:
    """Change a byte of a file, and not its length."""
    (file,) = folder.glob(pattern)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    return file.relative_to(folder)


def test_a_machine_without_a_network_gets_the_same_digests(
    bundle: Path, project: Lockfile, machine: Machine
) -> None:
    said = machine.sync(bundle)
    machine.check(project)
    assert "Checking 1 wheel\n" in said
    assert "+ acme/blur 1.0.0\n+ acme/embed 1.0.0\n+ 1 Python package" in said
    assert said.endswith(
        "No source was asked whether these are its files: "
        "`hub.lock` says so of acme/blur and acme/embed\n"
        "Put 1 file of weights into the cache\n"
    )
    assert list((machine.cache / "arriving").iterdir()) == []
    # Nor does anybody believe it later, where the source can be asked.
    store = Store(machine.cache / "store")
    for each in project.operators:
        assert store.has(each.tree)
        assert not store.has(each.tree, source=each.source)


@pytest.mark.slow
def test_a_bundle_says_what_it_has_and_what_to_do_with_it(
    hub: Hub, project: Lockfile, tmp_path: Path
) -> None:
    words = ("--platform", "linux", "--platform", "windows", "--python", "3.11")
    said = hub.said("bundle", "-o", "usb", *words, "--python", "3.12")
    size = sum(
        file.size
        for file in BundleListing.loads(
            Path("usb/bundle.json").read_bytes(), place=""
        ).files.values()
    )
    assert said == (
        "Collecting 7 files\n"
        "`usb` has 2 operators, 2 wheels and 1 weights file for linux-x86_64 and "
        f"windows-x86_64 with Python 3.11 and 3.12, {size / 1024:.1f} KiB\n"
        "There, in the project: `hub sync --from usb`\n"
    )
    # Whoever was killed at the very end runs it again, and it is done.
    again = hub("bundle", "-o", "usb", *words, "--python", "3.12")
    assert (again.returncode, again.stderr) == (0, said.partition("\n")[2])
    Path("usb").rename("my usb")
    again = hub("bundle", "-o", "my usb", *words, "--python", "3.12")
    assert again.stderr.endswith("`hub sync --from 'my usb'`\n")
    Path("my usb").rename("usb")
    assert hub.refused("bundle", "-o", "usb") == (
        "error: `usb` is another bundle already\n\n"
        "hint: Bring it up to date with `hub mirror usb`, or name another folder\n"
    )


@pytest.mark.slow
def test_a_web_server_gives_a_bundle(
    address: str, project: Lockfile, machine: Machine
) -> None:
    machine.sync(address, network=True)
    machine.check(project)


@pytest.mark.slow
def test_pip_installs_from_a_bundle_too(
    bundle: Path, project: Lockfile, machine: Machine
) -> None:
    machine.variables["HUB_INSTALLER"] = "pip"
    machine.sync(bundle)
    machine.check(project)


@pytest.mark.slow
def test_a_second_sync_has_nothing_to_do(bundle: Path, machine: Machine) -> None:
    machine.sync(bundle)
    assert machine.sync(bundle) == "The environment matches `hub.lock`\n"


@pytest.mark.slow
def test_a_dry_run_changes_nothing(bundle: Path, machine: Machine) -> None:
    said = machine.sync(bundle, "--dry-run", "--json")
    assert json.loads(said)["packages"][0]["name"] == "hub-tensor"
    assert machine.environment.receipts() == ()
    assert not machine.weights.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern", ["wheels/hub_tensor*", "weights/*", "trees/{blur}/operator.yaml"]
)
def test_a_damaged_file_is_named_before_anything_is_installed(
    bundle: Path, project: Lockfile, machine: Machine, pattern: str
) -> None:
    path = damage(bundle, pattern.format(blur=project.operators[0].tree[7:]))
    said = machine.refused(bundle)
    assert f"error: `{path}` in `{bundle}` is damaged\n  expected sha256:" in said
    assert said.endswith("where there is a network, `hub mirror --recheck` mends it\n")


@pytest.mark.slow
def test_wheels_of_a_failed_sync_are_there_for_the_next_one(
    bundle: Path, project: Lockfile, machine: Machine
) -> None:
    manifest = bundle / "trees" / project.operators[0].tree[7:] / "operator.yaml"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[::-1])
    machine.refused(bundle)
    manifest.write_bytes(whole)
    damage(bundle, "wheels/hub_tensor*")
    machine.sync(bundle)
    machine.check(project)
    assert list((machine.cache / "arriving").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["wheels/hub_tensor*", "weights/*"])
def test_every_byte_from_a_web_server_is_checked(
    bundle: Path, address: str, machine: Machine, pattern: str
) -> None:
    path = damage(bundle, pattern)
    said = machine.refused(address, network=True)
    assert f"error: `{address}{path}` is damaged\n" in said


@pytest.mark.slow
def test_a_missing_file_is_named(bundle: Path, machine: Machine) -> None:
    (bundle / "weights" / SHA256).unlink()
    assert f"error: `weights/{SHA256}` in `{bundle}` is missing\n" in machine.refused(
        bundle
    )


@pytest.mark.slow
def test_a_bundle_of_another_platform_or_lock_is_refused(
    hub: Hub,
    project: Lockfile,
    machine: Machine,
    shelf: OperatorFolder,
    bundle: Path,
) -> None:
    hub.said("bundle", "-o", "mac", "--platform", "macos")
    assert "error: `mac` was made for macos-arm64 with Python" in machine.refused("mac")
    shelf.publish("acme/blur", "1.1.0")
    hub.said("lock", "--upgrade")
    assert machine.refused(bundle).startswith(
        f"error: `{bundle}` was made for another `hub.lock`\n"
        "  acme/blur 1.1.0 is not in it\n"
    )


@pytest.mark.slow
def test_only_trusted_publishers_come_out_of_a_bundle(
    bundle: Path, machine: Machine, shelf: OperatorFolder, tmp_path: Path
) -> None:
    config = tmp_path / "nobody"
    config.mkdir()
    (config / "config.toml").write_text(f'[sources]\n"*" = "{shelf.spec}"\n')
    machine.variables["HUB_CONFIG_DIR"] = str(config)
    assert machine.refused(bundle, "--frozen").startswith(
        "error: An operator is its publisher's code, and these are not trusted\n"
    )
    said = machine.sync(bundle, "--frozen", "--trust-once")
    assert "Trusting acme/blur 1.0.0, this once\n" in said
    assert "    echo/__init__.py  " in said


@pytest.mark.slow
def test_the_lock_of_a_bundle_is_not_taken_unread(
    bundle: Path, machine: Machine
) -> None:
    Path("hub.lock").unlink()
    assert machine.refused(bundle) == (
        "error: There is no `hub.lock` here, and it says what is right\n\n"
        "hint: Bring the project's own, or read and copy "
        f"`{bundle}/hub.lock`\n"
    )
    shutil.copy(bundle / "hub.lock", "hub.lock")
    machine.sync(bundle)


@pytest.mark.slow
def test_a_stale_lock_is_not_locked_anew(bundle: Path, machine: Machine) -> None:
    Path("hub.toml").write_text('operators = ["acme/blur"]\n', encoding="utf-8")
    assert machine.refused(bundle).startswith(
        "error: `hub.lock` does not match `hub.toml`"
    )


@pytest.mark.slow
def test_weights_may_be_left_out(hub: Hub, project: Lockfile, machine: Machine) -> None:
    hub.said("bundle", "-o", "small", "--no-weights")
    assert not Path("small/weights").exists()
    said = machine.refused("small", "--weights")
    assert said.startswith("error: `small` was made without weights\n")
    machine.sync("small")
    assert not machine.weights.exists()
    hub("mirror", "small")
    assert not Path("small/weights").exists()


@pytest.mark.slow
def test_a_mirror_follows_the_lock(
    hub: Hub, project: Lockfile, shelf: OperatorFolder, machine: Machine
) -> None:
    first = json.loads(hub("mirror", "share", "--json").stdout)
    assert list(differences(read_shapes()["mirror"], first)) == []
    assert (first["operators"], first["wheels"], first["weights"]) == (2, 1, 1)
    assert hub.said("mirror", "share") == "`share` is up to date\n"
    shelf.publish("acme/blur", "1.1.0")
    hub.said("lock", "--upgrade")
    done = hub("mirror", "share")
    lock = Lockfile.load(Path("hub.lock"))
    tree = lock.operators[0].tree.removeprefix("sha256:")
    assert done.stdout == (
        f"+ trees/{tree}/echo/__init__.py\n+ trees/{tree}/operator.yaml\n"
    )
    machine.sync("share")
    machine.check(lock)
    gone = project.operators[0].tree.removeprefix("sha256:")
    assert hub("mirror", "share").stdout == (
        f"- trees/{gone}/echo/__init__.py\n- trees/{gone}/operator.yaml\n"
    )


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_killed_mirror_never_shows_a_half(
    hub: Hub, project: Lockfile, shelf: OperatorFolder
) -> None:
    """Killed at any moment, what is listed is whole, and the next run ends it."""
    chance = random.Random(7)  # noqa: S311  (moments, no secrets)
    assert hub("mirror", "share").returncode == 0
    for number in range(1, 16):
        shelf.publish("acme/blur", f"1.{number}.0")
        assert hub("lock", "--upgrade").returncode == 0
        words = hub.words("mirror", "share")
        with subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(chance.uniform(0.3, 1.2))
            process.kill()
        check_listed(Path("share"))
    assert hub("mirror", "share").returncode == 0
    check_listed(Path("share"))
    newest = Lockfile.load(Path("hub.lock"))
    listing = BundleListing.loads(Path("share/bundle.json").read_bytes(), place="")
    assert all(listing.tree(each.tree) for each in newest.operators)


def check_listed(folder: Path) -> None:
    text = (folder / "bundle.json").read_bytes()
    for path, file in BundleListing.loads(text, place=str(folder)).files.items():
        digest = hashlib.sha256((folder / path).read_bytes()).hexdigest()
        assert file.digest == f"sha256:{digest}", path
