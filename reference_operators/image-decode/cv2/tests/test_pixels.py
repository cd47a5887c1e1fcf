from __future__ import annotations

import io
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cv2_decode import Decode
from PIL import Image, ImageOps
from skimage import data

if TYPE_CHECKING:
    from pathlib import Path

ORIENTATION = 0x0112
PHOTOGRAPHS = {
    "square": Image.fromarray(data.astronaut()).crop((99, 0, 356, 257)),
    "wide": Image.fromarray(data.coffee()).crop((0, 0, 599, 201)),
    "tall": Image.fromarray(data.chelsea()).crop((100, 0, 231, 299)),
    "tiny": Image.fromarray(data.rocket()).resize((17, 9)),
    "one-pixel": Image.new("RGB", (1, 1), (10, 20, 30)),
}


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def reference(encoded: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_pixels_are_pillows_bit_for_bit(photograph: str, mode: str) -> None:
    image = PHOTOGRAPHS[photograph].convert(mode)
    for quality, subsampling, progressive in itertools.product(
        (5, 75, 90, 100), (0, 1, 2), (False, True)
    ):
        encoded = encode(
            image,
            "JPEG",
            quality=quality,
            subsampling=subsampling,
            progressive=progressive,
        )
        assert np.array_equal(Decode()(encoded), reference(encoded))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_other_formats_have_pillows_pixels(kind: str, mode: str) -> None:
    for photograph in PHOTOGRAPHS.values():
        try:
            encoded = encode(photograph.convert(mode), kind)
        except (OSError, ValueError):
            pytest.skip(f"{kind} has no {mode}")
        assert np.array_equal(Decode()(encoded), reference(encoded))


def test_a_jpeg_in_rgb_colours_has_pillows_pixels() -> None:
    encoded = encode(PHOTOGRAPHS["wide"], "JPEG", keep_rgb=True)
    assert np.array_equal(Decode()(encoded), reference(encoded))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    encoded = encode(PHOTOGRAPHS["tall"], kind, exif=exif)
    pixels = Decode()(encoded)
    assert np.array_equal(pixels, reference(encoded))
    upright = (131, 299) if orientation < 5 else (299, 131)
    assert pixels.shape == (*upright[::-1], 3)


def test_alpha_is_dropped_and_what_lies_below_it_shows() -> None:
    red = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert (Decode()(encode(red, "PNG")) == (255, 0, 0)).all()


def test_a_transparent_palette_is_read_without_a_warning() -> None:
    image = PHOTOGRAPHS["square"].quantize(64)
    encoded = encode(image, "PNG", transparency=bytes(range(64)))
    assert np.array_equal(Decode()(encoded), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_become_eight_by_dropping_the_low_ones(kind: str) -> None:
    grey = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    pixels = Decode()(encode(Image.fromarray(grey), kind))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.stack([grey >> 8] * 3, axis=-1))


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    encoded = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (Decode()(encoded) == (255, 0, 0)).all()


def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path) -> None:
    encoded = encode(PHOTOGRAPHS["wide"], "PNG")
    path = tmp_path / "ü photo.png"
    path.write_bytes(encoded)
    expected = np.asarray(PHOTOGRAPHS["wide"])
    for source in (
        path,
        str(path),
        encoded,
        bytearray(encoded),
        memoryview(encoded),
        PHOTOGRAPHS["wide"],
        expected,
    ):
        assert np.array_equal(Decode()(source), expected)


def test_arrays_follow_the_rules_of_files() -> None:
    rgb = np.asarray(PHOTOGRAPHS["tiny"])
    grey = rgb[:, :, 0]
    decode = Decode()
    assert decode(rgb) is rgb or np.shares_memory(decode(rgb), rgb)
    assert np.array_equal(decode(np.dstack([rgb, grey])), rgb)
    assert np.array_equal(decode(grey), np.dstack([grey] * 3))
    assert np.array_equal(decode(grey[:, :, np.newaxis]), np.dstack([grey] * 3))
    assert np.array_equal(decode(rgb.astype(">u2") << 8), rgb)


def test_a_pillow_image_stays_as_it_is() -> None:
    image = PHOTOGRAPHS["tiny"].quantize(8)
    image.info["transparency"] = b"\x00"
    image.getexif()[ORIENTATION] = 6
    assert Decode()(image).shape == (17, 9, 3)
    assert image.info["transparency"] == b"\x00"
    assert image.size == (17, 9)


def test_threads_share_one_decoder() -> None:
    decode = Decode()
    encoded = [encode(image, "JPEG") for image in PHOTOGRAPHS.values()] * 8
    with ThreadPoolExecutor(4) as pool:
        for pixels, source in zip(pool.map(decode, encoded), encoded, strict=True):
            assert np.array_equal(pixels, reference(source))
