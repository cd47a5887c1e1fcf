from __future__ import annotations

import pytest

from plugin_spec import Port

IMAGE = Port("image", ("image",), "uint8", ("H", "W", 3), "RGB")


def test_equal_ports_fit() -> None:
    assert IMAGE.mismatch(IMAGE) is None


def test_any_fits_everything() -> None:
    assert IMAGE.mismatch(Port("x", ("any",))) is None
    assert Port("x", ("any",)).mismatch(IMAGE) is None


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (Port("text", ("text", "url")), "`image` is image, `text` takes text or url"),
        (
            Port("image", ("image",), "float32"),
            "`image` is uint8, `image` takes float32",
        ),
        (
            Port("image", ("image",), color="BGR"),
            "`image` is RGB, `image` takes BGR",
        ),
        (
            Port("image", ("image",), shape=("H", "W", 1)),
            "`image` is [H, W, 3], `image` takes [H, W, 1]",
        ),
        (
            Port("image", ("image",), shape=("H", "W")),
            "`image` is [H, W, 3], `image` takes [H, W]",
        ),
    ],
)
def test_a_mismatch_names_both_ports(target: Port, sentence: str) -> None:
    assert IMAGE.mismatch(target) == sentence
