"""What a scope of parameters promises: values for whoever asks, and only within."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import warnings

import pytest

import towhee
import towhee.functional
from towhee import DataCollection, param_scope
from towhee.parameters import InvalidParameter, UnknownParameter, UnusedParameter


def asked(name: str, default: object = None) -> object:
    with param_scope() as hp:
        return getattr(hp(), name)(default)


def test_code_asks_and_somebody_outside_gives() -> None:
    assert asked("lr", 1e-3) == 1e-3
    with param_scope(lr=1):
        assert asked("lr", 1e-3) == 1
    with param_scope(
        "lr=0.5", "epochs=3", "name=resnet50", **{"model.depth": 18}
    ) as hp:
        assert (hp.lr, hp.epochs, hp.name, hp.model.depth) == (0.5, 3, "resnet50", 18)
    assert asked("lr") is None


def test_scopes_nest_and_end_also_when_something_fails() -> None:
    with param_scope(a=1, b=2) as outer:
        with param_scope(b=3) as inner:
            assert (inner.a, inner.b, outer.b) == (1, 3, 2)
        with pytest.raises(RuntimeError), param_scope(b=4):
            raise RuntimeError
        assert asked("b") == 2


def test_what_was_given_may_be_none_false_or_a_dictionary() -> None:
    with param_scope(a=None, b=False, c={}, d={"e": {"f": 1}}) as hp:
        assert (hp().a(1), hp().b.get_or_else(True), hp().c(1)) == (None, False, {})
        assert dict(hp.d) == {"e.f": 1}
        assert dict(**hp.d.e) == {"f": 1}
        assert repr(hp.d) == "Parameters(e.f=1)"


def test_assigning_gives_a_value_until_the_scope_ends() -> None:
    with param_scope(a=1) as hp:
        hp.a = 2
        hp().model.depth = 50
        hp.model.width = 64
        assert (asked("a"), hp.model.depth, hp["model.width"]) == (2, 50, 64)
    assert asked("a") is None


def test_an_option_is_asked_for_when_the_chain_is_written() -> None:
    def chain() -> DataCollection:
        with param_scope() as hp:
            name = hp().model("resnet50")
            return DataCollection(["a.jpg"]).image_embedding.timm(model_name=name)

    with param_scope(model="resnet18"):
        small = chain()
    assert str(small.pipeline) == "image_embedding.timm(model_name='resnet18')"
    assert str(chain().pipeline) == "image_embedding.timm(model_name='resnet50')"


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    with param_scope(**{"model.depth": 18}) as hp:
        with pytest.raises(UnknownParameter) as caught:
            _ = hp.model.dept
        assert str(caught.value) == (
            "No scope gives the parameter `model.dept`: did you mean `model.depth`?"
        )
        assert caught.value.hint == "Given are: `model.depth`"
        with pytest.raises(UnknownParameter):
            hp().lr()
        assert not hasattr(hp, "lr")
        assert hp.model.depth == 18


def test_a_parameter_that_nobody_asked_for_is_warned_about() -> None:
    def mistyped() -> None:
        with param_scope(learning_rate=1, used=2):
            assert asked("lerning_rate", 0.1) == 0.1
            assert asked("used") == 2

    with pytest.warns(UnusedParameter) as caught:
        mistyped()
    (warning,) = caught
    assert str(warning.message) == (
        "Nothing asked for the parameter `learning_rate`: did you mean `lerning_rate`?"
    )
    assert warning.filename == __file__


def test_what_an_inner_scope_says_otherwise_is_no_typo_outside() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with param_scope(a=1), param_scope(a=2):
            assert asked("a") == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("a", "'a' gives no value"),
        ("a b=1", "'a b' is no name of a parameter"),
        ("=1", "'' is no name of a parameter"),
        ("a._b=1", "'a._b' is no name of a parameter"),
    ],
)
def test_what_names_no_parameter_is_refused(setting: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        param_scope(setting)
    assert str(caught.value) == message


def test_threads_have_scopes_of_their_own() -> None:
    seen: dict[str, object] = {}

    def work(name: str, barrier: threading.Barrier) -> None:
        with param_scope(name=name):
            barrier.wait()
            seen[name] = asked("name")

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(name, barrier)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"a": "a", "b": "b"}


def test_a_scope_can_be_handed_to_a_thread() -> None:
    with param_scope(a=1):
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(asked, "a"))
        thread.start()
        thread.join()


def test_a_chain_hands_the_scope_that_it_runs_in_to_its_threads() -> None:
    def asked(row: int) -> int:
        with param_scope() as hp:
            return hp().scale(1) * row

    first, second = (DataCollection([1, 2]).set_parallel(2).map(asked) for _ in "ab")
    with param_scope(scale=10):
        assert first.to_list() == [10, 20]
    assert second.to_list() == [1, 2]


def test_tasks_do_not_disturb_each_other() -> None:
    async def work(name: str) -> object:
        with param_scope(name=name):
            await asyncio.sleep(0)
            return asked("name")

    async def both() -> list[object]:
        with param_scope(outside=1):
            return [asked("outside"), *await asyncio.gather(work("a"), work("b"))]

    assert asyncio.run(both()) == [1, "a", "b"]


def test_it_stands_where_towhees_users_look_for_it() -> None:
    assert towhee.param_scope is towhee.functional.param_scope
