"""What one flat loop promises: what functions one by one give, and who failed where."""
# ruff: noqa: ANN401  (loops take rows of any type)

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towhee import DataCollection
from towhee.columns import Columns, Entity, MissingColumn
from towhee.executors.fusion import Failed, fused_pairs, fused_values
from towhee.maybe import Empty, Some
from towhee.outcome import OperatorFailed
from towhee.pipelines import FunctionCall, ends_safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ODD_NAMES = [
    "first name",
    "keys",
    "with_columns",
    "class",
    "__dict__",
    "__class__",
    "größe",
    "ﬁ",
    "",
    "\ud800",
    "\0",
    "value",
    "row",
    "None",
    "x; raise SystemExit",
    "x']; raise SystemExit  #",
    'x"]; raise SystemExit  #',
    "x\n  raise SystemExit",
    "x\\'] or __import__('os')._exit(1) or value['",
]


def call(
    kind: Any, function: Callable[..., Any] = bool, columns: object = None
) -> FunctionCall:
    parsed = None
    if columns is not None:
        parsed = Columns.parse(columns, outputs=kind != "filter")
    return FunctionCall(kind, function, parsed)


def values(calls: Sequence[FunctionCall], rows: Sequence[object]) -> list[Any]:
    return [told(value) for value in fused_values(calls, rows, 0)]


def pairs(
    calls: Sequence[FunctionCall], rows: Sequence[object], *, strict: bool = False
) -> list[Any]:
    numbered = fused_pairs(calls, enumerate(rows), strict=strict)
    return [(row, told(value)) for row, value in numbered]


def told(value: Any) -> Any:
    """Failures are equal when they say the same."""
    if isinstance(value, Failed | Empty):
        error = value.error
        cause = type(error.__cause__)
        return "failed", error.operator, error.row, error.input, cause
    return value


def half(number: int) -> float:
    return 6 / number


def countdown(number: int) -> Iterator[int]:
    """Fails midway for a negative number."""
    for each in range(abs(number)):
        if number < 0 and each == 2:
            raise ValueError(number)
        yield each


def test_a_failure_names_function_row_and_input_in_every_form() -> None:
    calls = [call("filter", lambda n: n != 5), call("map", half)]
    failed = ("failed", "map(half)", 2, 0, ZeroDivisionError)
    rows = [5, 1, 0, 3]
    assert pairs(calls, rows) == [(1, 6.0), (2, failed), (3, 2.0)]
    with pytest.raises(OperatorFailed, match="`map\\(half\\)` failed on row 2, 0"):
        values(calls, rows)
    safe = [call("safe"), *calls]
    assert values(safe, rows) == [Some(6.0), failed, Some(2.0)]
    assert pairs(safe, rows) == [(1, 6.0), (2, failed), (3, 2.0)]
    fill = [*safe, call("fill_empty", lambda empty: empty.row)]
    assert values(fill, rows) == [6.0, 2, 2.0]
    assert pairs(fill, rows) == [(1, 6.0), (2, 2), (3, 2.0)]
    drop = [*safe, call("drop_empty")]
    assert values(drop, rows) == [6.0, 2.0]
    assert pairs(drop, rows) == [(1, 6.0), (3, 2.0)]


def test_a_filter_that_fails_is_kept_like_any_other() -> None:
    calls = [call("safe"), call("filter", half)]
    failed = ("failed", "filter(half)", 1, 0, ZeroDivisionError)
    assert values(calls, [1, 0]) == [Some(1), failed]
    assert pairs(calls, [1, 0]) == [(0, 1), (1, failed)]


def test_a_flat_map_that_fails_midway_gives_what_came_before() -> None:
    calls = [call("safe"), call("flat_map", countdown), call("map", str)]
    failed = ("failed", "flat_map(countdown)", 1, -4, ValueError)
    assert values(calls, [1, -4, 2]) == [
        *(Some("0"), Some("0"), Some("1"), failed),
        *(Some("0"), Some("1")),
    ]
    assert pairs(calls, [1, -4, 2]) == [
        *((0, "0"), (1, "0"), (1, "1"), (1, failed)),
        *((2, "0"), (2, "1")),
    ]
    assert values([*calls, call("drop_empty")], [-4]) == ["0", "1"]
    with pytest.raises(OperatorFailed, match="row 1, -4"):
        values(calls[1:], [1, -4, 2])


def test_a_flat_map_with_columns_copies_the_row_for_each_result() -> None:
    calls = [
        call("safe"),
        call("flat_map", countdown, ("a", "b")),
        call("map", str, ("b", "b")),
    ]
    row = Entity(a=-3)
    failed = ("failed", "flat_map['a', 'b'](countdown)", 0, row, ValueError)
    expected = [Entity(a=-3, b="0"), Entity(a=-3, b="1")]
    assert values(calls, [row]) == [*map(Some, expected), failed]
    assert pairs(calls, [row]) == [*((0, each) for each in expected), (0, failed)]
    assert row == Entity(a=-3)


def test_a_flat_map_after_columns_were_written_keeps_what_each_result_had() -> None:
    calls = [
        call("map", lambda a: a + 1, ("a", "b")),
        call("flat_map", range, ("b", "c")),
        call("map", lambda c: c * 10, ("c", "d")),
    ]
    assert values(calls, [Entity(a=1)]) == [
        Entity(a=1, b=2, c=0, d=0),
        Entity(a=1, b=2, c=1, d=10),
    ]


@pytest.mark.parametrize("strict", [False, True])
def test_what_failed_before_safe_is_settled_by_nothing(*, strict: bool) -> None:
    late = [call("map", half), call("safe"), call("flat_map", lambda n: [n])]
    for calls in (
        [*late, call("drop_empty")],
        [*late[:2], call("drop_empty")],
        [*late, call("map", str), call("fill_empty")],
        [call("flat_map", lambda n: [half(n)]), *late[1:], call("drop_empty")],
    ):
        with pytest.raises(OperatorFailed, match="row 0, 0"):
            values(calls, [0])
        if strict:
            with pytest.raises(OperatorFailed, match="row 0, 0"):
                pairs(calls, [0], strict=True)
        else:
            ((row, failed),) = pairs(calls, [0])
            assert (row, failed[0], failed[2]) == (0, "failed", 0)


def test_failures_kept_twice_are_kept_once() -> None:
    chain = DataCollection([0]).exception_safe().map(half).exception_safe()
    assert chain.is_safe
    for dropped in (chain.drop_empty(), chain.drop_empty().map(str)):
        assert dropped.to_list() == list(dropped.run()) == []
    (outcome,) = chain.run()
    assert outcome.error is not None


def test_what_is_told_of_a_failure_may_stop_the_run() -> None:
    def stop(empty: Empty) -> None:
        raise LookupError(empty.row)

    for form in (values, pairs):
        with pytest.raises(LookupError, match="0"):
            form([call("safe"), call("map", half), call("drop_empty", stop)], [0])


def test_a_function_that_stops_iteration_fails_and_does_not_end_the_run() -> None:
    nothing: Iterator[int] = iter(())
    calls = [call("safe"), call("map", lambda _: next(nothing))]
    failed = ("failed", str(calls[1]), 0, 1, StopIteration)
    assert values(calls, [1, 2])[0] == failed
    assert len(values(calls, [1, 2])) == 2


def test_what_is_no_exception_passes_through() -> None:
    def interrupted(_row: object) -> None:
        raise KeyboardInterrupt

    for form in (values, pairs):
        with pytest.raises(KeyboardInterrupt):
            form([call("safe"), call("map", interrupted), call("drop_empty")], [1])


def test_a_loop_that_is_left_closes_its_generators() -> None:
    closed: list[str] = []

    def forever(_row: object) -> Iterator[int]:
        try:
            yield from iter(int, 1)
        finally:
            closed.append("closed")

    iterator = fused_values([call("flat_map", forever), call("map", str)], [1], 0)
    assert next(iterator) == "0"
    del iterator
    gc.collect()
    assert closed == ["closed"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_columns_of_any_name_are_read_and_written(name: str) -> None:
    row = Entity(a=1)
    calls = [
        call("map", lambda a: a + 1, ("a", name)),
        call("map", lambda new, a: (new, a), ((name, "a"), (name, "pair"))),
        call("filter", lambda new: new == 2, name),
        call("flat_map", lambda new: [new, new * 2], (name, name)),
        call("map", lambda new: -new, (name, "out")),
    ]
    expected = [Entity(a=1, **{name: new, "pair": 1, "out": -new}) for new in (2, 4)]
    assert values(calls, [row]) == expected
    assert pairs(calls, [row]) == [(0, each) for each in expected]
    assert row == Entity(a=1)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_missing_column_of_any_name_is_told(name: str) -> None:
    for calls in (
        [call("map", str, (name, "out"))],
        [call("filter", str, name)],
        [call("flat_map", str, (name, "out"))],
    ):
        ((_, failed),) = fused_pairs(calls, enumerate([Entity(other=1)]))
        assert isinstance(failed, Failed)
        assert isinstance(failed.error.__cause__, MissingColumn)
        assert f"The row has no column `{name}`" in str(failed.error)


@pytest.mark.parametrize("row", [3, "text", None, {"real": 1}, Failed])
@pytest.mark.parametrize("kind", ["map", "filter", "flat_map"])
def test_an_attribute_of_what_has_no_columns_is_no_column(
    kind: Any, row: object
) -> None:
    """An int has ``real``, and a class ``__dict__``."""
    called: list[object] = []
    for column in ("real", "__slots__", "__dict__"):
        brackets = column if kind == "filter" else (column, "out")
        calls = [call(kind, called.append, brackets)]
        ((_, failed),) = fused_pairs(calls, enumerate([row]))
        assert str(failed.error.__cause__) == (
            f"The row is a {type(row).__name__}, which has no column `{column}`"
        )
    assert called == []


def test_too_many_results_for_the_columns_fail_with_the_row() -> None:
    calls = [call("safe"), call("map", lambda a: (a, a, a), ("a", ("b", "c")))]
    row = Entity(a=1)
    failed = ("failed", "map['a', ('b', 'c')](<lambda>)", 0, row, ValueError)
    assert values(calls, [row]) == [failed]
    assert row == Entity(a=1)


def test_rows_that_come_wrapped_go_on_where_they_were() -> None:
    (empty,) = fused_values([call("safe"), call("map", half)], [0], 0)
    rows: list[object] = [Some(1), empty, Some(0)]
    first = ("failed", "map(half)", 0, 0, ZeroDivisionError)
    second = ("failed", "map(half)", 2, 0, ZeroDivisionError)
    calls = [call("resume"), call("map", half)]
    assert values(calls, rows) == [Some(6.0), first, second]
    assert pairs(calls, rows) == [(0, 6.0), (1, first), (2, second)]
    assert values([*calls, call("drop_empty")], rows) == [6.0]
    assert pairs([*calls, call("fill_empty")], rows) == [(0, 6.0), (1, True), (2, True)]


def test_rows_that_failed_elsewhere_pass_through_numbered() -> None:
    ((_, failed),) = fused_pairs([call("map", half)], enumerate([0]))
    through = fused_pairs([call("map", str)], iter([(7, failed), (8, 1)]))
    assert list(through) == [(7, failed), (8, "1")]


# The same in the plainest words: one row at a time, one call after the other.

Result = tuple[str, Any]


def walk(
    calls: Sequence[FunctionCall], at: int, row: int, value: Any, *, safe: bool
) -> Iterator[Result]:
    """What becomes of a value from the call ``at`` on."""
    if at == len(calls):
        yield "value", value
        return
    step = calls[at]
    if step.kind in {"safe", "drop_empty", "fill_empty"}:
        yield from walk(calls, at + 1, row, value, safe=step.kind == "safe")
        return
    try:
        for result in apply(step, value):
            yield from walk(calls, at + 1, row, result, safe=safe)
    except ArithmeticError as error:
        failed = OperatorFailed(str(step), value, error, row=row)
        yield from settle(calls, at, failed, safe=safe)


def apply(step: FunctionCall, value: Any) -> Iterator[Any]:
    given = (value,)
    if step.columns:
        given = tuple(value[name] for name in step.columns.inputs)
    if step.kind == "filter":
        if step.function(*given):
            yield value
        return
    result = step.function(*given)
    for each in result if step.kind == "flat_map" else [result]:
        yield step.columns.write(value, each) if step.columns else each


def settle(
    calls: Sequence[FunctionCall], at: int, failed: OperatorFailed, *, safe: bool
) -> Iterator[Result]:
    later = range(at, len(calls)) if safe else ()
    for here in later:
        if calls[here].kind == "drop_empty":
            return
        if calls[here].kind == "fill_empty":
            filled = calls[here].function(Empty(failed))
            yield from walk(calls, here + 1, failed.row or 0, filled, safe=False)
            return
    yield "failed" if safe else "stop", failed


def reference(calls: Sequence[FunctionCall], rows: Sequence[Any]) -> list[Any]:
    """Each row's number, and its value or failure."""
    return [
        (row, kind, told(Empty(each)) if kind != "value" else each)
        for row, value in enumerate(rows)
        for kind, each in walk(calls, 0, row, value, safe=False)
    ]


def divided(row: Any, *_more: Any) -> Any:
    number = row.a if isinstance(row, Entity) else row
    return 12 // (number % 5)


def shifted(row: Any, *more: Any) -> Any:
    if isinstance(row, Entity):
        return row.with_columns(a=row.a + 1)
    return row + sum(more) + 1


def several(row: Any, *_more: Any) -> Iterator[Any]:
    number = row.a if isinstance(row, Entity) else row
    for each in range(number % 4):
        12 // (each - 2)
        yield row.with_columns(a=each) if isinstance(row, Entity) else each


def checked(row: Any, *_more: Any) -> bool:
    return bool(divided(row) % 3)


class Filled:
    """Stands for a function that makes a whole row of a failure."""

    def __call__(self, _empty: Empty) -> Entity:
        return Entity(a=1, **{"b c": 2})


NAMES = st.sampled_from(["a", "b c"])
INPUTS = st.lists(NAMES, min_size=1, max_size=2).map(tuple)
WHOLE = st.sampled_from(
    [
        call("map", shifted),
        call("filter", checked),
        call("flat_map", several),
        call("drop_empty"),
        call("fill_empty", Filled()),
        call("safe"),
    ]
)
COLUMNED = st.one_of(
    st.builds(lambda side, to: call("map", divided, (side, to)), INPUTS, NAMES),
    st.builds(lambda side, to: call("map", shifted, (side, to)), INPUTS, NAMES),
    st.builds(lambda side, to: call("flat_map", several, (side, to)), INPUTS, NAMES),
    st.builds(lambda side: call("filter", checked, side), INPUTS),
)


def sensible(calls: list[FunctionCall]) -> list[FunctionCall]:
    """What a collection would make of it: nothing is made safe twice, or settled so."""
    kept: list[FunctionCall] = []
    for each in calls:
        if each.kind == "safe" and ends_safe(kept):
            continue
        if each.kind in {"drop_empty", "fill_empty"} and not ends_safe(kept):
            continue
        kept.append(each)
    return kept


ROWS = st.lists(
    st.builds(
        lambda a, b: Entity(a=a, **{"b c": b}), st.integers(0, 9), st.integers(0, 9)
    ),
    max_size=6,
)
CALLS = st.lists(st.one_of(WHOLE, COLUMNED), max_size=7).map(sensible)


@given(calls=CALLS, rows=ROWS)
def test_a_loop_gives_what_functions_one_by_one_give(
    calls: list[FunctionCall], rows: list[Entity]
) -> None:
    before = [Entity(**dict(row)) for row in rows]
    expected = reference(calls, rows)
    assert pairs(calls, rows) == [(row, value) for row, _, value in expected]
    given = fused_values(calls, iter(rows), 0)
    stopped = False
    for _, kind, value in expected:
        if kind == "stop":
            with pytest.raises(OperatorFailed) as caught:
                next(given)
            assert told(Empty(caught.value)) == value
            stopped = True
            break
        wrapped = ends_safe(calls) and kind == "value"
        assert told(next(given)) == (Some(value) if wrapped else value)
    assert stopped or list(given) == []
    assert rows == before


@given(calls=CALLS, rows=ROWS)
def test_a_strict_loop_raises_what_failed_before_failures_were_to_be_kept(
    calls: list[FunctionCall], rows: list[Entity]
) -> None:
    expected = reference(calls, rows)
    late = any(each.kind == "safe" for each in calls)
    failures = [value for _, kind, value in expected if kind == "stop"]
    found: list[Any] = []
    try:
        found = pairs(calls, rows, strict=True)
    except OperatorFailed as error:
        found = [told(Empty(error))]
    assert found == [(row, value) for row, _, value in expected] or (
        late and found[0] in failures
    )
