"""The only module that starts git: few commands, nothing of the user's setup run.

``docs/decisions/0002-git-plumbing.md`` says why it is git itself and not a library.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from contextlib import contextmanager
from itertools import chain
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Final, Literal, TypeAlias

from hub_client.bounded_process import Bounds, SaidTooMuch, run_bounded
from hub_client.steps import step
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

SignedKind: TypeAlias = Literal["commit", "tag"]
"""What git can sign."""

TIMEOUT_SECONDS: Final = 600
"""How long one command may take in all; a stalled HTTP transfer ends much sooner."""
_GIT_DAEMON: Final = "git://"
_LISTING_SECONDS: Final = 30
"""How long a git daemon may take to list what it has: git waits for it without end, as
it does for no other server, and nobody is asked for a password meanwhile."""
OUTPUT_LIMIT: Final = 32 << 20
"""Bytes that one command may print; whoever made a repository decides how many."""

_SETTINGS: Final = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "safe.bareRepository": "explicit",
    "transfer.fsckObjects": "true",
    "protocol.version": "2",
    # What another host has there is not what was trusted, and tokens would go there.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "init.defaultBranch": "main",
}
_TRANSFERS: Final = {"fetch": 4 << 30, "ls-remote": 1 << 30, "push": None}
"""The commands that other repositories are asked by, and bytes of memory for each: they
keep all that is listed to them."""
_PROTOCOLS: Final = "file:git:http:https:ssh"
_ENVIRONMENT: Final = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # A repository around the current folder is no business of ours.
    "GIT_DIR": os.devnull,
    # Nor does a repository that we read say where its missing objects come from. A git
    # before 2.45 may not know this one: but for a transfer it has no protocol, too.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# The user's ways to reach and to prove; any other GIT_* may belong to a hook around us.
_KEPT_VARIABLES = re.compile(
    r"(?!GIT_)|GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_\w+)$"
    r"|GIT_(AUTHOR|COMMITTER)_(NAME|EMAIL)$"
)
_KEPT_SETTINGS: Final = (
    r"^(credential\.|http\.|core\.(sshcommand|excludesfile)$|user\.(name|email)$"
    r"|url\..*\.(push)?insteadof$)"
)
_INSTEAD: Final = re.compile(r"url\.(?P<address>.*)\.(push)?insteadof", re.DOTALL)
_WAY_IN: Final = re.compile(r"^([a-z][a-z0-9+.-]*://)?([^@/]*@)?", re.IGNORECASE)
"""How an address is reached, and as whom; what follows is where it is."""
_OURS: Final = ".followredirects"
"""What a user's setting for one address would otherwise say before ours for all."""
_DISK_ERRORS: Final = {
    **{os.strerror(each): each for each in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)},
    "write error. Out of diskspace": errno.ENOSPC,
}
"""What git says of a disk, and what that means."""
_LOST: Final = "Could not read from remote repository"
"""What git says of a program that it speaks through: the program says why."""
_REDIRECTED = re.compile(r"The requested URL returned error: 30[12378]")
_ENDED: Final = "it ended before its answer"
_SSH: Final = "ssh -o BatchMode=yes -o ConnectTimeout=30"


class GitMissing(HubError):
    """There is no git on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "This source needs `git`, which is not installed",
            hint="Install git 2.32 or newer",
        )


class GitFailed(HubError):
    """A git command failed; ``reason`` is what git, or its ssh, says first."""

    def __init__(self, command: str, stderr: str) -> None:
        self.stderr = stderr
        self.reason = _reason(stderr)
        super().__init__(f"`git {command}` failed: {self.reason}")

    @property
    def disk_error(self) -> OSError | None:
        """What a disk of this machine said, if that is why git failed.

        >>> GitFailed("fetch", "fatal: write error: No space left on device").disk_error
        OSError(28, 'No space left on device')
        >>> GitFailed("push", "remote: fatal: No space left on device").disk_error
        """
        lines = self.stderr.splitlines()
        own = [line for line in lines if not line.startswith("remote:")]
        for said, number in _DISK_ERRORS.items():
            if any(said in line for line in own):
                return OSError(number, os.strerror(number))
        return None


class TooLong(GitFailed):
    """A git command printed more than ``OUTPUT_LIMIT``, and was ended."""


def run_git(  # noqa: PLR0913  (what one command is, and what it may)
    command: str,
    *arguments: str,
    git_dir: Path | None = None,
    work_tree: Path | None = None,
    typed: bytes = b"",
    remote: bool = False,
    settings: Mapping[str, str] = MappingProxyType({}),
    file_limit: int | None = None,
) -> bytes:
    """Run one command and return what it printed.

    :param arguments: options first, then ``--``, then what our own parsers made.
    :param git_dir: the bare repository it works in; none if not given.
    :param work_tree: a folder whose files it may list; no other command gets one.
    :param typed: what it reads from stdin.
    :param remote: whether it needs who the user is: their name, their credentials.
    :param settings: of git, for this command alone.
    :param file_limit: bytes that it may write to one file, where the system can hold it
        to that.
    :raises GitFailed: with git's own words, also after ``TIMEOUT_SECONDS``.
    :raises TooLong: if it prints more than ``OUTPUT_LIMIT``.
    """
    where = [] if git_dir is None else [f"--git-dir={git_dir}"]
    where += [] if work_tree is None else [f"--work-tree={work_tree}"]
    try:
        own = {key: [value] for key, value in settings.items()}
        environment = _environment({**own, **(_user_settings() if remote else {})})
    except FileNotFoundError as error:
        raise GitMissing from error
    if command in _TRANSFERS:
        environment["GIT_ALLOW_PROTOCOL"] = _PROTOCOLS
    with step("git", command, *arguments):
        words = [*where, command, *arguments]
        done = _run(command, words, environment, typed, file_limit)
    if done.returncode != 0:
        raise GitFailed(command, done.stderr.decode(errors="replace"))
    return done.stdout


def check_signature(
    kind: SignedKind, object_id: str, *, git_dir: Path, signers: Path, gnupg_home: Path
) -> str:
    """Have git check the signature of a commit or an annotated tag.

    :param signers: the ssh keys that count, as ssh-keygen reads them.
    :param gnupg_home: the folder of a keyring with the OpenPGP keys that count.
    :returns: what ssh-keygen or gpg said.
    :raises GitFailed: if it is not good, or there is none.
    """
    settings = {
        "gpg.ssh.allowedSignersFile": [str(signers)],
        # Its certificates would be asked of the network.
        "gpg.x509.program": [os.devnull],
    }
    command = f"verify-{kind}"
    words = [f"--git-dir={git_dir}", command, "--raw", "--", object_id]
    environment = {**_environment(settings), "GNUPGHOME": str(gnupg_home)}
    done = _run(command, words, environment)
    said = done.stderr.decode(errors="replace")
    if done.returncode != 0:
        raise GitFailed(command, said)
    return said


@contextmanager
def open_objects(git_dir: Path) -> Iterator[Callable[[str, IO[bytes]], None]]:
    """Give a function that copies the object with an id into a file.

    One process serves all objects; none is held in memory as a whole.

    :raises GitFailed: if an object is not there whole, or the process ends.
    """
    try:
        with _started_objects(git_dir) as copy:
            yield copy
    except BrokenPipeError as error:
        raise GitFailed("cat-file", _ENDED) from error


@contextmanager
def _started_objects(git_dir: Path) -> Iterator[Callable[[str, IO[bytes]], None]]:
    try:
        started = subprocess.Popen(  # noqa: S603  (as in run_git)
            ["git", f"--git-dir={git_dir}", "cat-file", "--batch"],  # noqa: S607
            env=_environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise GitMissing from error
    with started as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def copy(object_id: str, into: IO[bytes]) -> None:
            requests.write(f"{object_id}\n".encode())
            requests.flush()
            header = answers.readline().split()
            if not header:
                raise GitFailed("cat-file", _ENDED)
            if len(header) != 3:  # noqa: PLR2004  (id, type, size)
                raise GitFailed("cat-file", f"object {object_id} is missing")
            left = int(header[2])
            while left and (block := answers.read(min(left, 1 << 20))):
                into.write(block)
                left -= len(block)
            if left:
                raise GitFailed("cat-file", f"object {object_id} is cut short")
            answers.read(1)

        yield copy


def _run(
    command: str,
    words: Sequence[str],
    environment: Mapping[str, str],
    typed: bytes = b"",
    file_limit: int | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run git, whether it fails or not.

    :raises GitFailed: if it goes on for too long.
    """
    seconds = TIMEOUT_SECONDS
    if command == "ls-remote" and any(word.startswith(_GIT_DAEMON) for word in words):
        seconds = min(seconds, _LISTING_SECONDS)
    bounds = Bounds(seconds, OUTPUT_LIMIT, _TRANSFERS.get(command), file_limit)
    try:
        return run_bounded(["git", *words], bounds, env=environment, typed=typed)
    except FileNotFoundError as error:
        raise GitMissing from error
    except subprocess.TimeoutExpired as error:
        raise GitFailed(command, f"no end after {seconds} seconds") from error
    except SaidTooMuch as error:
        raise TooLong(command, f"no end after {OUTPUT_LIMIT:,} bytes") from error


def _environment(user_settings: Mapping[str, list[str]]) -> dict[str, str]:
    kept = {key: v for key, v in os.environ.items() if _KEPT_VARIABLES.match(key)}
    if "GIT_SSH" not in kept and "core.sshcommand" not in user_settings:
        kept.setdefault("GIT_SSH_COMMAND", _SSH)
    settings = [
        *_SETTINGS.items(),
        *((key, value) for key, values in user_settings.items() for value in values),
    ]
    # Through the environment: arguments, and the tokens in them, are seen by everyone.
    numbered = chain.from_iterable(
        ((f"GIT_CONFIG_KEY_{i}", key), (f"GIT_CONFIG_VALUE_{i}", value))
        for i, (key, value) in enumerate(settings)
    )
    return {
        **kept,
        **_ENVIRONMENT,
        "GIT_CONFIG_COUNT": str(len(settings)),
        **dict(numbered),
    }


def _user_settings() -> dict[str, list[str]]:
    """How the user proves who they are, and reaches the network, in git's settings."""
    settings: dict[str, list[str]] = {}
    done = subprocess.run(  # noqa: S603  (constants)
        ["git", "config", "--includes", "--null", "--get-regexp", _KEPT_SETTINGS],  # noqa: S607
        env=os.environ | {"GIT_DIR": os.devnull},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    for entry in filter(None, done.stdout.decode(errors="replace").split("\0")):
        key, _, value = entry.partition("\n")
        if not key.endswith(_OURS) and _leads_to_the_same(key, value):
            settings.setdefault(key, []).append(value)
    return settings


def _leads_to_the_same(key: str, value: str) -> bool:
    """Whether a setting puts no other place in that of an address.

    A token in it, or ssh for HTTPS, is a way in; another host is not what was trusted.

    >>> host = "https://git.acme.example/"
    >>> _leads_to_the_same("url.https://ci:token@git.acme.example/.insteadof", host)
    True
    >>> _leads_to_the_same("url.git@git.acme.example:.insteadof", host)
    True
    >>> _leads_to_the_same("url.https://mirror.example/.insteadof", host)
    False
    """
    instead = _INSTEAD.fullmatch(key)
    return instead is None or _place(instead["address"]) == _place(value)


def _place(address: str) -> str:
    return _WAY_IN.sub("", address).replace(":", "/", 1).lower()


def _reason(stderr: str) -> str:
    r"""What git calls an error first, and what ssh said before git lost it.

    >>> _reason("Host key verification failed.\r\nfatal: Could not read from remote "
    ...         "repository.\n\nPlease make sure")
    'Host key verification failed; Could not read from remote repository'
    >>> _reason("warning: a\nerror: b.\nfatal: c")
    'b'
    >>> _reason("fatal: unable to access: The requested URL returned error: 301")
    'its server sends on to another address, and that is not followed: ...
    """
    if _REDIRECTED.search(stderr):
        return (
            "its server sends on to another address, and that is not followed: "
            "if you trust who has it there, name that address as the source"
        )
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    first = (marked or lines[-1:] or ["it gave no reason"])[0]
    reason = first.removeprefix("fatal: ").removeprefix("error: ").rstrip(".")
    before = lines[: lines.index(first)][-1:] if reason == _LOST else []
    return "; ".join([*(each.rstrip(".") for each in before), reason])
