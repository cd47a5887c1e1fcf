from __future__ import annotations

import re

import pytest

from hub_client.bundle.platforms import Platform, UnknownPlatform, parse_platforms
from hub_client.environment import Environment
from hub_client.lockfile import LockedPackage

WHEELS = [
    "torch-2.9.1-cp312-cp312-manylinux_2_28_x86_64.whl",
    "torch-2.9.1-cp312-cp312-manylinux2014_x86_64.whl",
    "torch-2.9.1-cp312-cp312-manylinux_2_34_x86_64.whl",
    "torch-2.9.1-cp312-cp312-manylinux_2_28_aarch64.whl",
    "torch-2.9.1-cp312-none-macosx_11_0_arm64.whl",
    "torch-2.9.1-cp312-cp312-win_amd64.whl",
    "torch-2.9.1-cp311-abi3-win_arm64.whl",
    "torch-2.9.1-cp313-cp313-manylinux_2_28_x86_64.whl",
    "torch-2.9.1-cp312-cp312-musllinux_1_2_x86_64.whl",
    "not a wheel",
]


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("linux-x86_64", 0),
        ("linux-x86_64-glibc2.17", 1),
        ("x86_64-manylinux_2_34", 2),
        ("aarch64-unknown-linux-gnu", 3),
        ("macos", 4),
        ("windows", 5),
        ("windows-arm64", 6),
        ("macos-x86_64", None),
    ],
)
def test_each_platform_takes_the_wheel_that_an_installer_would(
    name: str, chosen: int | None
) -> None:
    expected = None if chosen is None else WHEELS[chosen]
    assert Platform.parse(name, "3.12").best(WHEELS) == expected


@pytest.mark.parametrize(
    ("marker", "selected"),
    [
        (None, True),
        ("sys_platform == 'win32'", True),
        ("platform_machine == 'x86_64'", False),
        ("python_full_version < '3.12.4'", True),
        ("python_full_version >= '3.12.4'", True),
        ("python_full_version >= '3.12.4' and python_full_version < '3.12.6'", True),
        ("python_full_version >= '3.12.9' and python_full_version < '3.12.2'", False),
        ("python_version >= '3.13'", False),
    ],
)
def test_a_package_counts_if_it_does_in_any_patch_release(
    marker: str | None, selected: bool
) -> None:
    package = LockedPackage("torch", "2.9.1", marker, ())
    assert Platform.parse("windows", "3.12").selects(package) is selected


@pytest.mark.parametrize(
    ("name", "python", "message"),
    [
        ("solaris", "3.12", "expected a platform, got 'solaris'"),
        ("linux-x86", "3.12", "got 'linux-x86': did you mean `linux-x86_64`?"),
        ("linux-../x", "3.12", "expected a platform, got 'linux-../x'"),
        ("macos-arm64-glibc2.17", "3.12", "only Linux has a glibc"),
        ("linux", "3.12.1", "expected a version as 3.12, got '3.12.1'"),
        ("linux", "2.7", "expected a version as 3.12, got '2.7'"),
    ],
)
def test_an_unknown_platform_is_refused(name: str, python: str, message: str) -> None:
    with pytest.raises(UnknownPlatform, match=re.escape(message)):
        Platform.parse(name, python)


def test_what_is_not_named_is_that_of_this_machine() -> None:
    here = Environment.current()
    own = Platform.of(here)
    assert parse_platforms([], [], here=here) == (own,)
    assert parse_platforms(["macos"], [], here=here) == (
        Platform("macos-arm64", own.python),
    )
    assert parse_platforms(["windows", "linux"], ["3.12", "3.11"], here=here) == (
        Platform("linux-x86_64", "3.11"),
        Platform("linux-x86_64", "3.12"),
        Platform("windows-x86_64", "3.11"),
        Platform("windows-x86_64", "3.12"),
    )
