"""Operators that collide, lie or misbehave: their rows fail, and nothing around them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from plugin_spec import InvalidOperator
from tests.towhee.conftest import HEADER
from towhee.executors.local import LocalExecutor
from towhee.loader import load_operator

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from hub_client.installed import InstalledOperator
    from towhee.bound import BoundPipeline

    WriteOperator: TypeAlias = Callable[..., InstalledOperator]
    Bound: TypeAlias = Callable[..., BoundPipeline]

SUBJECT = """
class Subject(Operator):
    def __call__(self, value):
        return __name__
"""


@pytest.mark.parametrize("module", ["models", "numpy"])
def test_a_module_named_like_another_collides_with_none(
    write_operator: WriteOperator, module: str
) -> None:
    before = sys.modules.get(module)
    files = {f"{module}/__init__.py": HEADER + SUBJECT}
    installed = write_operator("unused = 1", module=module, files=files)
    loaded = load_operator(
        installed.tree, installed.receipt.tree, installed.manifest, {}
    )
    assert str(loaded.apply(0)).startswith("_towhee_operators.")
    assert sys.modules.get(module) is before
    assert str(installed.tree) not in sys.path


def test_an_operator_that_imports_itself_by_its_public_name_is_refused(
    write_operator: WriteOperator,
) -> None:
    installed = write_operator(f"import subject\n{SUBJECT}")
    with pytest.raises(InvalidOperator, match="test/subject"):
        load_operator(installed.tree, installed.receipt.tree, installed.manifest, {})


# Python can only tell of an error in `__del__`; pytest would make it one of the test's.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_error_while_something_is_deleted_changes_no_row(
    write_operator: WriteOperator, bound: Bound
) -> None:
    code = """
    class Grudge:
        def __del__(self):
            raise RuntimeError("while going")

    class Subject(Operator):
        def __call__(self, value):
            Grudge()
            return value + 1
    """
    executor = LocalExecutor(workers=2)
    values = executor.values(bound(write_operator(code)), range(9))
    assert list(values) == [*range(1, 10)]
