"""When two values agree, and when one is what a port carries."""

from __future__ import annotations

import numpy as np
import pytest

from plugin_spec import Port
from towhee.checking.values import difference, mismatch

VECTOR = np.array([1.0, -2.0, 0.0], np.float32)
IMAGE = np.zeros((4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (VECTOR, VECTOR + np.float32(1e-5)),
        (VECTOR, VECTOR.copy()),
        (np.array([np.nan, np.inf, 1]), np.array([np.nan, np.inf, 1.00001])),
        (np.array([], np.float32), np.array([], np.float32)),
        (np.array(["a", "b"]), np.array(["a", "b"])),
        ([1.0, ("a", {"b": VECTOR})], [1.0, ("a", {"b": VECTOR.copy()})]),
        (float("nan"), float("nan")),
        (0.0, 0.0),
        (None, None),
    ],
)
def test_values_agree_up_to_the_order_of_a_sum(first: object, second: object) -> None:
    assert difference(first, second) is None


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            VECTOR,
            VECTOR + np.float32(0.01),
            "elements that are up to 0.01 apart, where the largest is 2",
        ),
        (
            VECTOR,
            VECTOR.astype(np.float64),
            "float32 of shape (3,) and float64 of shape (3,)",
        ),
        (np.array([1, 2]), np.array([1, 3]), "elements that are not equal"),
        (
            np.array([1.0, np.nan]),
            np.array([1.0, 2.0]),
            "elements that are up to nan apart, where the largest is 1",
        ),
        ([1], (1,), "[1] and (1,)"),
        ([1], [1, 2], "[1] and [1, 2]"),
        ({"a": 1}, {"a": 2}, "1 and 2"),
        (1, True, "1 and True"),
        (b"ab", b"a", "2 bytes and 1 bytes"),
    ],
)
def test_values_that_differ_say_how(first: object, second: object, said: str) -> None:
    assert difference(first, second) == said


def test_without_tolerance_the_last_bit_counts() -> None:
    near = np.nextafter(VECTOR, np.float32(9))
    assert difference(VECTOR, near) is None
    assert difference([VECTOR], [near], tolerance=0) is not None


@pytest.mark.parametrize(
    ("port", "value"),
    [
        (Port("image", ("image",)), IMAGE),
        (Port("image", ("image",), "float32"), IMAGE.astype(np.float32)),
        (Port("v", ("vector",), "float32", ("D",)), VECTOR),
        (Port("v", ("text", "vector"), shape=(3,)), VECTOR),
        (Port("a", ("array",), shape=("H", "W", 3)), IMAGE),
        (Port("t", ("text",)), "a cat"),
        (Port("b", ("bytes",)), b"a cat"),
        (Port("p", ("path",)), "a.jpg"),
        (Port("r", ("results",)), object()),
        (Port("x", ("any",)), None),
    ],
)
def test_a_value_is_what_its_port_carries(port: Port, value: object) -> None:
    assert mismatch(port, value) is None


@pytest.mark.parametrize(
    ("port", "value", "said"),
    [
        (
            Port("image", ("image",)),
            IMAGE[..., 0],
            "is uint8 of shape (4, 5), but `image` is image",
        ),
        (
            Port("v", ("vector",), "float32", (4,)),
            VECTOR,
            "is float32 of shape (3,), but `v` is vector float32 [4]",
        ),
        (
            Port("v", ("vector",), "float32"),
            VECTOR.astype(np.float64),
            "is float64 of shape (3,), but `v` is vector float32",
        ),
        (Port("v", ("vector",)), [1.0], "is [1.0], but `v` is vector"),
        (Port("t", ("text", "path")), b"ab", "is 2 bytes, but `t` is text or path"),
    ],
)
def test_a_value_that_is_not_says_what_it_is(
    port: Port, value: object, said: str
) -> None:
    assert mismatch(port, value) == said
