"""What the loader promises: checked first, private, shared, and clear when it fails."""

from __future__ import annotations

import gc
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from hub_client.tree_digest import DigestMismatch
from plugin_spec import HubError, InvalidOperator
from towhee import loader
from towhee.loader import load_operator
from towhee.options import InvalidOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    from hub_client.installed import InstalledOperator
    from towhee.loaded_operator import LoadedOperator

    WriteOperator: TypeAlias = Callable[..., InstalledOperator]

PLAIN = """
class Subject(Operator):
    def __init__(self, size=1, mode="fast", data=None):
        self.size, self.mode, self.data = size, mode, data

    def __call__(self, value):
        return value * self.size
"""
PARAMETERS = {
    "size": {"type": "integer", "minimum": 1},
    "mode": {"type": "string", "enum": ["fast", "exact"]},
    "data": {},
}
NO_HOOK = "from plugin_spec import Operator, hookimpl\n"


def load(installed: InstalledOperator, **options: object) -> LoadedOperator:
    return load_operator(
        installed.tree, installed.receipt.tree, installed.manifest, options
    )


def refusal(installed: InstalledOperator, **options: object) -> tuple[str, str | None]:
    with pytest.raises(InvalidOperator) as caught:
        load(installed, **options)
    return str(caught.value), caught.value.hint


def test_an_operator_is_loaded_with_its_options(write_operator: WriteOperator) -> None:
    operator = write_operator(PLAIN, parameters=PARAMETERS)
    assert load(operator, size=3).apply("ab") == "ababab"


def test_equal_options_share_one_instance_while_it_is_used(
    write_operator: WriteOperator,
) -> None:
    operator = write_operator(PLAIN, parameters=PARAMETERS)
    first, other = load(operator, size=2, mode="fast"), load(operator, size=3)
    assert load(operator, mode="fast", size=2) is first is not other
    assert load(operator, data=first) is not load(operator, data=first)


def test_an_instance_whose_file_was_written_anew_is_not_shared(
    write_operator: WriteOperator, tmp_path: Path
) -> None:
    code = """
    from pathlib import Path

    from plugin_spec.file_state import file_state

    class Subject(Operator):
        def __init__(self, path):
            self.path, self.state = path, file_state(path)
            self.text = Path(path).read_text()

        @property
        def is_current(self):
            return file_state(self.path) == self.state

        def __call__(self, value):
            return value + self.text
    """
    operator = write_operator(code, parameters={"path": {"type": "string"}})
    file = tmp_path / "words"
    file.write_text("old")
    first = load(operator, path=str(file))
    assert load(operator, path=str(file)) is first
    file.write_text("newer")
    second = load(operator, path=str(file))
    assert (first.apply(""), second.apply("")) == ("old", "newer")
    assert load(operator, path=str(file)) is second
    file.unlink()
    with pytest.raises(InvalidOperator, match="FileNotFoundError"):
        load(operator, path=str(file))


def test_an_instance_is_closed_when_nothing_uses_it(
    write_operator: WriteOperator,
) -> None:
    closed: list[str] = []
    code = """
    class Subject(Operator):
        def __init__(self, closed):
            self.closed = closed

        def __call__(self, value):
            return value

        def close(self):
            self.closed("closed")
            raise RuntimeError("while closing")
    """
    loaded = load(write_operator(code, parameters={"closed": {}}), closed=closed.append)
    assert loaded.apply(1) == 1
    assert closed == []
    del loaded
    gc.collect()
    assert closed == ["closed"]


def test_nothing_runs_from_a_tree_that_was_changed(
    write_operator: WriteOperator,
) -> None:
    load(write_operator(PLAIN, version="0.9.0", parameters=PARAMETERS))
    operator = write_operator("raise SystemExit('this ran')")
    init = operator.tree / "subject" / "__init__.py"
    init.write_bytes(init.read_bytes().replace(b"this", b"that"))
    with pytest.raises(DigestMismatch, match=r"The files of `test/subject` 1\.0\.0"):
        load(operator)


@pytest.mark.parametrize("ends", ["", "raise SystemExit('it ended')"])
@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_while_an_operator_is_imported_and_no_longer(
    enabled: bool, ends: str, write_operator: WriteOperator
) -> None:
    # Each case has code of its own: what was imported once stays.
    code = f"import gc\nRESTED = not gc.isenabled()  # {enabled}\n{ends}\n{PLAIN}"
    operator = write_operator(code)
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        if ends:
            assert "it ended" in refusal(operator)[0]
        else:
            kind = type(load(operator).operator)
            assert sys.modules[kind.__module__].RESTED
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_two_versions_run_side_by_side(write_operator: WriteOperator) -> None:
    code = """
    from .answer import ANSWER

    class Subject(Operator):
        def __call__(self, value):
            from . import answer
            return ANSWER, answer.__name__
    """
    outputs = [
        load(
            write_operator(
                code,
                version=version,
                files={"subject/answer.py": f"ANSWER = {version!r}"},
            )
        ).apply(0)
        for version in ("1.0.0", "2.0.0")
    ]
    assert [answer for answer, _ in outputs] == ["1.0.0", "2.0.0"]
    names = {name for _, name in outputs}
    assert len(names) == 2
    assert all(name.startswith("_towhee_operators.d") for name in names)
    assert not {"subject", "answer", "subject.answer"} & set(sys.modules)


def test_compiled_files_are_neither_written_nor_read(
    write_operator: WriteOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    operator = write_operator(
        "from .inner import Subject", files={"subject/inner.py": "Subject = 3"}
    )
    assert refusal(operator)[0].startswith("`test/subject` provides 3")
    assert list(operator.tree.rglob("__pycache__")) == []


@pytest.mark.parametrize(
    ("code", "header", "message", "hint"),
    [
        (
            "class Subject(Operator): pass",
            NO_HOOK,
            "`test/subject` gives no class from a hook `operator_class`",
            "Define `@hookimpl def operator_class()` in `subject`",
        ),
        (
            "@hookimpl\ndef operator_klass(): pass",
            NO_HOOK,
            "`test/subject` implements a hook that does not exist: unknown hook 'operator_klass'",
            "The hook is `def operator_class() -> type[Operator]`",
        ),
        (
            "Subject = dict",
            None,
            "`test/subject` provides <class 'dict'>, which is no `plugin_spec.Operator`",
            "Return a class that derives from `Operator` or `ModelOperator`",
        ),
        (
            "class Subject(ModelOperator): pass",
            None,
            "`test/subject` does not implement `predict`, `prepare`",
            None,
        ),
        (
            "class Subject(Operator):\n  __call__ = print\n  def __init__(self): 1 / 0",
            None,
            "`test/subject` cannot be built: ZeroDivisionError: division by zero",
            "Check the options, or report this to its publisher",
        ),
        (
            "class Subject(Operator):\n  __call__ = print\n  def __init__(self): exit(3)",
            None,
            "`test/subject` cannot be built: SystemExit: 3",
            "Check the options, or report this to its publisher",
        ),
        (
            "class Subject(ModelOperator):\n  batch_size = 0\n  prepare = predict = print",
            None,
            "`test/subject` has the `batch_size` 0",
            "Make it an integer, 1 or more",
        ),
        (
            "import a_package_that_is_missing",
            None,
            "`test/subject` cannot be imported: ModuleNotFoundError: No module named 'a_package_that_is_missing'",
            "Run `hub install test/subject` to install what it requires",
        ),
        (
            "import subject.inner",
            None,
            "`test/subject` cannot be imported: ModuleNotFoundError: No module named 'subject'",
            "In `subject`, import its own modules relatively",
        ),
        (
            "exit()",
            None,
            "`test/subject` cannot be imported: SystemExit: None",
            "Report this to the publisher of `test/subject`",
        ),
        (
            "1 +",
            None,
            "`test/subject` cannot be imported: SyntaxError: invalid syntax (__init__.py, line 7)",
            "Report this to the publisher of `test/subject`",
        ),
    ],
)
def test_a_repository_that_breaks_the_contract_is_refused_by_name(
    write_operator: WriteOperator,
    code: str,
    header: str | None,
    message: str,
    hint: str | None,
) -> None:
    operator = write_operator(code, **({} if header is None else {"header": header}))
    found, found_hint = refusal(operator)
    assert found.replace(f" in plugin {operator.tree}", "").startswith(message)
    assert found_hint == hint


def test_a_module_that_is_missing_is_named(write_operator: WriteOperator) -> None:
    operator = write_operator(PLAIN)
    other = write_operator(PLAIN, name="test/other", module="elsewhere")
    assert load(operator).apply(1) == 1
    message, _ = refusal(other)
    assert message.startswith("`test/other` cannot be imported: FileNotFoundError")


def test_a_hub_error_of_a_constructor_comes_through_as_it_is(
    write_operator: WriteOperator,
) -> None:
    code = """
    from plugin_spec import HubError

    class Subject(Operator):
        __call__ = print

        def __init__(self):
            raise HubError("No weights", hint="Pass `pretrained=False`")
    """
    with pytest.raises(HubError) as caught:
        load(write_operator(code))
    assert (str(caught.value), caught.value.hint) == (
        "No weights",
        "Pass `pretrained=False`",
    )


def test_a_required_option_that_is_missing_is_named(
    write_operator: WriteOperator,
) -> None:
    code = "class Subject(Operator):\n  __call__ = print\n  def __init__(self, *, data): pass"
    with pytest.raises(InvalidOptions) as caught:
        load(write_operator(code, parameters={"data": {}}))
    assert (
        str(caught.value)
        == "`test/subject` does not take these options\n  data: required, but not given"
    )


def test_threads_that_load_at_once_build_one_instance(
    write_operator: WriteOperator,
) -> None:
    code = """
    import time

    class Subject(Operator):
        __call__ = print

        def __init__(self):
            time.sleep(0.05)
    """
    operator = write_operator(code)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(load(operator))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({id(loaded) for loaded in found}) == 1


def test_the_last_few_instances_live_on_for_the_next_chain(
    write_operator: WriteOperator,
) -> None:
    operator = write_operator(PLAIN, parameters=PARAMETERS)
    first = id(load(operator, size=1))
    assert id(load(operator, size=1)) == first
    for size in range(2, 6):
        load(operator, size=size)
    gc.collect()
    assert (operator.receipt.tree, '{"size": 1}') not in loader._loaded
    assert (operator.receipt.tree, '[{"size": 5}, []]') in loader._loaded
