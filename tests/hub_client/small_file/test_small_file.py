from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_client.config import HubConfig
from hub_client.environment import receipts_folder
from hub_client.lockfile import Lockfile
from hub_client.project import Project
from hub_client.small_file import SMALL, OddFile, read_small
from hub_client.trust import read_document
from plugin_spec.errors import HubError
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_client.environment import Environment


def test_what_is_read_is_all_of_it_and_no_more_than_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in (b"", b"a\r\nb\r", bytes(SMALL)):
        file.write_bytes(content)
        assert read_small(file) == content
    os.truncate(file, SMALL + 1)
    with pytest.raises(OddFile) as refusal:
        read_small(file)
    assert str(refusal.value) == f"`{file}` has more than 4 MiB"
    assert refusal.value.hint == "Move it away, or delete it"
    assert read_small(file, SMALL + 1) == bytes(SMALL + 1)
    for missing, error in {"gone": FileNotFoundError, "": IsADirectoryError}.items():
        with pytest.raises(error) as failure:
            read_small(tmp_path / missing)
        assert failure.value.filename == str(tmp_path / missing)


def make_huge(file: Path) -> str:
    with file.open("wb") as opened:
        opened.truncate(5 << 30)
    return "has more than "


def make_endless(file: Path) -> str:
    file.symlink_to("/dev/zero")
    return "is not a regular file"


def make_silent(file: Path) -> str:
    os.mkfifo(file)
    return "is not a regular file"


@pytest.mark.parametrize("make", [make_huge, make_endless, make_silent])
def test_whatever_takes_no_end_is_refused_by_all_that_read_it(
    tmp_path: Path, target: Environment, make: Callable[[Path], str]
) -> None:
    name = OperatorName.parse("acme/blur")
    receipts = receipts_folder(target.prefix) / "acme"
    config = Path(os.environ["HUB_CONFIG_DIR"])
    readers: dict[Path, Callable[[], object]] = {
        receipts / "blur.json": lambda: target.receipt(name),
        tmp_path / "hub.lock": lambda: Lockfile.load(tmp_path / "hub.lock"),
        tmp_path / "hub.toml": lambda: Project.open(tmp_path / "hub.toml"),
        tmp_path / "pyproject.toml": lambda: Project.open(tmp_path / "pyproject.toml"),
        config / "config.toml": lambda: read_document(config),
    }
    for file, read in readers.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        reason = make(file)
        with pytest.raises(HubError, match=f"`{file}` {reason}"):
            read()


def test_a_huge_configuration_is_refused_by_every_command() -> None:
    make_huge(Path("hub.toml"))
    with pytest.raises(OddFile, match=r"hub\.toml` has more than 4 MiB"):
        HubConfig.load()
