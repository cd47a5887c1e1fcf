"""What an installed distribution can bring: an engine, by the hook and an entry point."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pluggy
import pytest

from towhee import DataCollection, pipeline
from towhee.executors import InvalidEngineOptions, UnknownEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENGINE = """
from plugin_spec import hookimpl
from towhee.executors import Executor
from towhee.outcome import Outcome


class Backwards(Executor):
    def __init__(self, *, mark=""):
        self._mark = mark

    def run(self, bound, rows, *, start=0):
        functions = [step.function for step in bound.steps]
        for number, value in enumerate(rows, start):
            for function in functions:
                value = function(value)[::-1] + self._mark
            yield Outcome(number, value)


@hookimpl
def executor_factories():
    return {"backwards": Backwards}
"""

COUNTING = """
from plugin_spec import hookimpl
from towhee.executors import Executor
from towhee.executors.local import LocalExecutor
from towhee.outcome import Outcome


class Counting(Executor):
    def __init__(self, *, first=0):
        self._first = first

    def run(self, bound, rows, *, start=0):
        values = LocalExecutor().values(bound, rows)
        for number, value in enumerate(values, start):
            yield Outcome(number, (self._first + number, value))


@hookimpl
def executor_factories():
    return {"counting": Counting}
"""


def install(folder: Path, module: str, code: str) -> None:
    """What an installer leaves behind: a module, and its metadata beside it."""
    folder.mkdir()
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {module}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[towhee_hub]\n{module} = {module}\n")


def test_an_engine_registers_through_the_hook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "a_backwards_engine", ENGINE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    chain = DataCollection(["ab", "cd"]).map(str.upper).set_engine("backwards")
    assert chain.to_list() == ["BA", "DC"]
    assert [outcome.value for outcome in chain.run()] == ["BA", "DC"]
    assert DataCollection(["ab"]).map(str.upper).to_list() == ["AB"]
    with pytest.raises(UnknownEngine) as caught:
        chain.set_engine("dask")
    assert str(caught.value) == (
        "No engine is named `dask`, known: `backwards`, `local`, `ray`"
    )


def test_an_engine_with_a_hook_that_does_not_exist_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = ENGINE.replace("def executor_factories", "def executor_factory")
    install(tmp_path / "site", "a_mistaken_engine", code)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(pluggy.PluginValidationError, match="executor_factory"):
        DataCollection([1]).set_engine("backwards")


def test_options_go_to_the_engine_and_unknown_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "a_backwards_engine", ENGINE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    chain = DataCollection(["ab"]).map(str.upper)
    assert chain.set_engine("backwards", mark="!").to_list() == ["BA!"]
    with pytest.raises(InvalidEngineOptions) as caught:
        chain.set_engine("backwards", marc="!")
    assert str(caught.value) == (
        "The engine `backwards` does not take these options: "
        "got an unexpected keyword argument 'marc'"
    )
    assert caught.value.hint == "It takes mark"


def test_a_pipeline_is_run_by_the_engine_it_is_given() -> None:
    with pytest.raises(UnknownEngine, match="No engine is named `sparc`"):
        pipeline("image-embedding-resnet50", engine="sparc")


def test_a_pipeline_gives_itself_on_an_engine_with_options(
    publish: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(
        "class Subject(Operator):\n    def __call__(self, x):\n        return x + 1\n"
    )
    install(tmp_path / "site", "a_counting_engine", COUNTING)
    monkeypatch.syspath_prepend(tmp_path / "site")
    local = pipeline("test/subject")
    counted = local.set_engine("counting", first=10)
    assert (local.engine, counted.engine) == ("local", "counting")
    assert local([1, 2]) == [2, 3]
    assert counted([1, 2]) == [(10, 2), (11, 3)]
    assert counted(1) == (10, 2)
    again = pickle.loads(pickle.dumps(counted))  # noqa: S301
    assert [outcome.value for outcome in again.run([1])] == [(10, 2)]
    assert counted.set_engine("local")(1) == 2
    with pytest.raises(InvalidEngineOptions):
        local.set_engine("counting", last=1)
