from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from hub_client.lockfile import LockedPackage, Lockfile
from hub_client.lockfile.changes import lock_changes

if TYPE_CHECKING:
    from hub_client.lockfile import LockedOperator


@pytest.fixture
def locked_operator(lockfile: Lockfile) -> LockedOperator:
    return lockfile.operators[0]


def package(name: str, version: str, marker: str | None = None) -> LockedPackage:
    return LockedPackage(name, version, marker, (f"sha256:{'0' * 64}",))


def test_what_changed_is_told_operators_first_each_by_name(
    locked_operator: LockedOperator,
) -> None:
    newer = replace(locked_operator, version=Version("2.0.0"))
    linux, others = "sys_platform == 'linux'", "sys_platform != 'linux'"
    before = Lockfile(
        (), (locked_operator,), (package("numpy", "2.0"), package("old", "1.0"))
    )
    after = Lockfile(
        (),
        (newer,),
        (package("numpy", "2.1", linux), package("numpy", "2.2", others)),
    )
    assert [str(each) for each in lock_changes(before, after)] == [
        f"~ {newer.name} {locked_operator.version} -> 2.0.0",
        "~ numpy 2.0 -> 2.1 and 2.2",
        "- old 1.0",
    ]
    assert list(lock_changes(after, after)) == []
    *_, numpy, old = lock_changes(before, after)
    assert [
        (each["action"], each["locked"], each["version"])
        for change in (numpy, old)
        for each in change.to_dicts()
    ] == [("change", "2.0", "2.1"), ("add", None, "2.2"), ("remove", "1.0", None)]


def test_another_commit_of_a_version_is_a_change(
    locked_operator: LockedOperator,
) -> None:
    other = replace(locked_operator, tree=f"sha256:{'1' * 64}")
    (change,) = lock_changes(
        Lockfile((), (locked_operator,), ()), Lockfile((), (other,), ())
    )
    assert str(change) == (f"~ {other.name} {other.version}, which is another one now")
    (told,) = change.to_dicts()
    assert told["version"] == told["locked"] == str(other.version)
