"""Publishers who sign: with an ssh key, or with an OpenPGP key of a gpg of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servers.git_repository import GitRepository, Special


@dataclass(frozen=True, slots=True)
class Publisher:
    """Somebody with a key, and what git needs to sign with it."""

    signer: str
    """As a lock writes it."""
    public: Path
    settings: tuple[str, ...]
    variables: Mapping[str, str]

    def release(
        self,
        repository: GitRepository,
        version: str,
        files: Mapping[str, bytes | Special],
        *,
        sign: str = "tag",
        tag: str | None = None,
    ) -> str:
        """A commit and its version tag, one of them signed; ``tag`` is its own name."""
        commit = repository.commit(files)
        if sign == "commit":
            words = ("commit-tree", "-S", "-m", "signed", f"{commit}^{{tree}}")
            commit = self._git(repository, *words)
            repository.branch("main", commit)
            repository.tag(f"v{version}", commit)
            return commit
        name = tag or f"v{version}"
        self._git(repository, "tag", "--force", "-s", "-m", name, "--", name, commit)
        if tag is not None:
            named = repository.git("rev-parse", f"refs/tags/{tag}")
            repository.git("update-ref", f"refs/tags/v{version}", named)
        return commit

    def _git(self, repository: GitRepository, *words: str) -> str:
        command = ["git", f"--git-dir={repository.path}", *self.settings, *words]
        return subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **self.variables},
        ).stdout.strip()


def ssh_publisher(folder: Path, name: str) -> Publisher:
    """Somebody with a new ssh key."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / name
    words = ("-q", "-t", "ed25519", "-N", "", "-C", f"{name}@acme", "-f", str(key))
    subprocess.run(["ssh-keygen", *words], check=True)
    public = key.with_suffix(".pub")
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", public], check=True, capture_output=True, text=True
    ).stdout
    settings = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={public}")
    return Publisher(f"ssh:{shown.split()[1]}", public, settings, {})


@contextmanager
def gpg_publisher(name: str, *, expired: bool = False) -> Iterator[Publisher]:
    """Somebody with a new OpenPGP key; their gpg goes with them.

    An expired key was good for a day, on which its owner goes on living.
    """
    # A socket lies in this folder, so that its path must be short.
    home = Path(tempfile.mkdtemp(prefix="gpg-", dir="/tmp"))
    variables = {"GNUPGHOME": str(home)}
    program = home / "gpg"

    def set_clock(hour: int) -> None:
        # Each start begins at that second: a key made later would be of the future.
        then = f"--faked-system-time 20200101T{hour:02}0000" if expired else ""
        program.write_text(f'#!/bin/sh\nexec gpg {then} "$@"\n', encoding="ascii")
        program.chmod(0o700)

    def gpg(*words: str) -> str:
        command = [str(program), "--batch", "--no-tty", "--quiet", *words]
        environment = {**os.environ, **variables}
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment
        )
        return done.stdout

    try:
        flags = ("--passphrase", "", "--pinentry-mode", "loopback")
        who = f"{name} <{name}@acme.example>"
        until = "1d" if expired else "never"
        set_clock(0)
        gpg(*flags, "--quick-gen-key", who, "ed25519", "sign", until)
        set_clock(12)
        listing = gpg("--with-colons", "--list-keys").splitlines()
        fingerprint = next(line.split(":")[9] for line in listing if "fpr:" in line)
        public = home / f"{name}.asc"
        public.write_text(gpg("--armor", "--export", fingerprint), encoding="ascii")
        settings = ("-c", f"user.signingkey={fingerprint}")
        settings += ("-c", f"gpg.program={program}")
        yield Publisher(f"gpg:{fingerprint}", public, settings, variables)
    finally:
        words = ["gpgconf", "--kill", "gpg-agent"]
        subprocess.run(words, check=False, env={**os.environ, **variables})
        shutil.rmtree(home, ignore_errors=True)
