"""What a tag ``yanked-v1.0.0`` says, and what it can do."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version
from servers.operator_files import operator_files

from hub_client.candidate import Release
from hub_client.sources.git import GitSource
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from pathlib import Path

    from servers.git_repository import GitRepository

NAME = OperatorName.parse("acme/embed")


@pytest.fixture
def commit(embed: GitRepository) -> str:
    """Version 1.0.0, not yanked yet."""
    return embed.release("1.0.0", operator_files("acme/embed", "1.0.0"))


def yank(embed: GitRepository, commit: str, message: str) -> None:
    embed.git("tag", "--force", "-a", "-m", message, "yanked-v1.0.0", commit)


def versions(
    embed: GitRepository, cache: Path, *, offline: bool = False
) -> tuple[Release, ...]:
    source = GitSource(embed.url, cache_dir=cache, offline=offline, trusted=True)
    return source.versions(NAME)


def reason(embed: GitRepository, cache: Path, *, offline: bool = False) -> str | None:
    (release,) = versions(embed, cache, offline=offline)
    return release.yanked


def test_the_message_is_the_reason_and_a_new_one_counts(
    embed: GitRepository, commit: str, tmp_path: Path
) -> None:
    assert reason(embed, tmp_path) is None
    yank(embed, commit, "Swaps red and blue\n\nSeen with JPEG.")
    assert reason(embed, tmp_path) == "Swaps red and blue"
    yank(embed, commit, "Wrong mean")
    assert reason(embed, tmp_path) == "Wrong mean"
    embed.delete_tag("yanked-v1.0.0")
    assert reason(embed, tmp_path) is None


def test_offline_the_last_known_reason_counts(
    embed: GitRepository, commit: str, tmp_path: Path
) -> None:
    (release,) = versions(embed, tmp_path)
    GitSource(embed.url, cache_dir=tmp_path, trusted=True).manifest(NAME, release)
    yank(embed, commit, "Wrong mean")
    assert reason(embed, tmp_path) == "Wrong mean"
    assert reason(embed, tmp_path, offline=True) == "Wrong mean"


def test_a_reason_cannot_move_the_cursor(
    embed: GitRepository, commit: str, tmp_path: Path
) -> None:
    yank(embed, commit, "Fine\x1b[2K\x1b[1A; run\tthis\x07")
    assert reason(embed, tmp_path) == "Fine[2K[1A; run this"


@pytest.mark.parametrize("end", ["\u2028", "\x0c", "\x85", "\x1c"])
@pytest.mark.parametrize("trusted", [True, False])
def test_a_reason_may_have_any_end_of_line_in_it(
    trusted: bool, end: str, embed: GitRepository, commit: str, tmp_path: Path
) -> None:
    yank(embed, commit, f"Wrong{end}mean")
    source = GitSource(embed.url, cache_dir=tmp_path, trusted=trusted)
    (release,) = source.versions(NAME)
    assert release.yanked is not None
    assert release.yanked.replace(" ", "") == "Wrongmean"


def test_a_tag_that_is_no_text_hides_no_version(
    embed: GitRepository, commit: str, tmp_path: Path
) -> None:
    subprocess.run(
        ["git", f"--git-dir={embed.path}", "update-ref", b"refs/tags/v2.0\xff", commit],
        check=True,
    )
    assert [str(each.version) for each in versions(embed, tmp_path)] == ["1.0.0"]


@pytest.mark.parametrize(
    ("size", "kept"),
    [(1 << 20, "x" * 500 + "…"), (33 << 20, "withdrawn by its publisher")],
)
def test_a_reason_is_no_longer_than_anybody_reads(
    size: int, kept: str, embed: GitRepository, commit: str, tmp_path: Path
) -> None:
    head = (
        f"object {commit}\ntype commit\ntag yanked-v1.0.0\ntagger a <a@b> 1 +0000\n\n"
    )
    tag = embed.git("mktag", stdin=head.encode() + b"x" * size + b"\n")
    embed.git("update-ref", "refs/tags/yanked-v1.0.0", tag)
    assert reason(embed, tmp_path) == kept


def test_the_yank_of_a_version_that_is_not_there_says_nothing(
    embed: GitRepository, commit: str, tmp_path: Path
) -> None:
    for tag in ("yanked-v2.0.0", "yanked-v", "yanked-vx", "yanked-1.0.0"):
        embed.tag(tag, commit)
    assert versions(embed, tmp_path) == (
        Release(Version("1.0.0"), commit, "refs/tags/v1.0.0"),
    )


def test_a_reason_that_cannot_be_fetched_does_not_hide_the_yank(
    embed: GitRepository, commit: str, tmp_path: Path
) -> None:
    text = (
        f"object {commit}\ntype commit\ntag yanked-v1.0.0\n"
        "tagger A <a@example.org> 007 +0000\n\nWrong mean\n"
    )
    malformed = embed.write("tag", text.encode())
    embed.git("update-ref", "refs/tags/yanked-v1.0.0", malformed)
    assert reason(embed, tmp_path) == "withdrawn by its publisher"
