"""A bad image gets a clear answer, never a part of itself."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cv2_decode import Decode, UnreadableImage
from PIL import Image
from skimage import data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASTRONAUT = Image.fromarray(data.astronaut())


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def refusal(source: object, **options: object) -> str:
    with pytest.raises(UnreadableImage) as caught:
        Decode(**options)(source)
    return str(caught.value)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_a_truncated_image_is_refused(kind: str, kept: float) -> None:
    encoded = encode(ASTRONAUT, kind)
    cut = encoded[: int(len(encoded) * kept)]
    assert refusal(cut).startswith(f"Cannot decode {len(cut)} bytes: ")


def test_a_truncated_progressive_jpeg_is_refused() -> None:
    encoded = encode(ASTRONAUT, "JPEG", progressive=True)
    assert "truncated" in refusal(encoded[:-400])


def test_a_truncated_file_that_pillow_opened_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(encode(ASTRONAUT, "JPEG")[:9000])
    with Image.open(path) as image:
        assert "truncated" in refusal(image)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    assert refusal(path) == f"Cannot decode `{path}`: it is empty"


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("no pixels here")
    assert refusal(path) == (
        f"Cannot decode `{path}`: it is not an image of a known format"
    )


def test_an_image_without_pixels_is_refused() -> None:
    empty = "it is 0 x 0 pixels"
    assert refusal(Image.new("RGB", (0, 0))) == f"Cannot decode a Pillow image: {empty}"
    assert refusal(np.zeros((0, 0, 3), np.uint8)) == f"Cannot decode an array: {empty}"
    assert "Cannot decode" in refusal(b"P6 0 0 255\n")


def test_30_000_pixels_wide_is_fine_within_the_limit_and_refused_beyond() -> None:
    wide = encode(Image.new("RGB", (30_000, 20)), "PNG")
    assert Decode()(wide).shape == (20, 30_000, 3)
    assert refusal(wide, max_pixels=599_999) == (
        f"Cannot decode {len(wide)} bytes: its 30000 x 20 pixels are more than 599999"
    )


def test_a_bomb_is_refused_by_its_header() -> None:
    bomb = b"P6 30000 30000 255\n"
    assert refusal(bomb) == (
        "Cannot decode 19 bytes: Pillow refuses its number of pixels"
    )


def test_a_folder_is_refused_with_a_way_on(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage) as caught:
        Decode()(tmp_path)
    assert str(caught.value) == f"Cannot decode `{tmp_path}`: it is a folder"
    assert caught.value.hint == (
        f"Take the files in it, for example `{tmp_path / '*.jpg'}`"
    )


def test_a_missing_file_is_refused() -> None:
    assert refusal("no/such.jpg") == "Cannot decode `no/such.jpg`: no such file"


def test_a_web_address_of_another_kind_is_refused_with_a_hint() -> None:
    with pytest.raises(UnreadableImage) as caught:
        Decode()("ftp://example.org/b.jpg")
    assert caught.value.reason == "no such file"
    assert caught.value.hint == "Of web addresses, only http and https are read"


def test_a_path_that_no_file_can_have_is_refused() -> None:
    assert "null" in refusal("a\0b.jpg")
    assert "too long" in refusal("a" * 999)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    assert refusal(pipe) == f"Cannot decode `{pipe}`: it is not a regular file"


def test_pixels_without_a_fixed_range_are_refused() -> None:
    floats = np.zeros((4, 4, 3), np.float32)
    assert refusal(floats) == (
        "Cannot decode an array: float32 pixels have no fixed range"
    )
    assert refusal(Image.fromarray(floats[:, :, 0])) == (
        "Cannot decode a Pillow image: float32 pixels have no fixed range"
    )


def test_an_array_of_another_shape_is_refused() -> None:
    assert refusal(np.zeros((3, 5, 2), np.uint8)) == (
        "Cannot decode an array: its shape is (3, 5, 2), "
        "not (H, W), (H, W, 3) or (H, W, 4)"
    )


def test_a_value_that_is_no_source_is_refused() -> None:
    assert refusal(42) == (
        "Cannot decode a value of type `int`: "
        "expected a path, a URL, bytes, a Pillow image or an array"
    )


class Website(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        picture = encode(ASTRONAUT, "JPEG")
        if self.path == "/moved.jpg":
            self.send_response(302)
            self.send_header("Location", "/photo.jpg")
            self.end_headers()
        elif self.path == "/missing.jpg":
            self.send_error(404)
        elif self.path == "/slow.jpg":
            self.answer("image/jpeg", picture, pause=0.05)
        elif self.path == "/page.jpg":
            self.answer("text/html", b"<h1>Sign in</h1>")
        elif self.path == "/short.jpg":
            self.answer("image/jpeg", picture, sent=len(picture) // 2)
        else:
            self.answer("image/jpeg", picture)

    def answer(
        self, kind: str, body: bytes, *, pause: float = 0, sent: int | None = None
    ) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not pause:
            self.wfile.write(body[:sent])
            return
        try:
            for position in range(0, len(body), 100):
                self.wfile.write(body[position : position + 100])
                time.sleep(pause)
        except OSError:
            pass  # the client has given up, which is what this path is for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def website() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Website) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("page", ["photo.jpg", "moved.jpg"])
def test_a_web_address_is_downloaded(website: str, page: str) -> None:
    expected = Decode()(encode(ASTRONAUT, "JPEG"))
    assert np.array_equal(Decode()(f"{website}/{page}"), expected)


def test_a_missing_page_is_refused(website: str) -> None:
    url = f"{website}/missing.jpg"
    assert refusal(url) == f"Cannot decode `{url}`: it answers 404 Not Found"


def test_a_page_of_text_is_refused(website: str) -> None:
    url = f"{website}/page.jpg"
    assert refusal(url) == f"Cannot decode `{url}`: it answers with text/html"


def test_a_download_that_ends_early_is_refused(website: str) -> None:
    assert "truncated" in refusal(f"{website}/short.jpg")


def test_a_download_that_is_too_large_is_refused(website: str) -> None:
    url = f"{website}/photo.jpg"
    assert refusal(url, max_bytes=99) == (
        f"Cannot decode `{url}`: it is larger than 99 bytes"
    )


def test_a_download_that_drips_is_given_up(website: str) -> None:
    url = f"{website}/slow.jpg"
    started = time.monotonic()
    assert refusal(url, timeout=0.3) == (
        f"Cannot decode `{url}`: it took longer than 0.3 seconds"
    )
    assert time.monotonic() - started < 3


def test_a_server_that_cannot_be_reached_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.jpg"
    message = refusal(url)
    assert message.startswith(f"Cannot decode `{url}`: it cannot be reached (")
    assert "refused" in message


def test_an_address_that_does_not_parse_is_refused() -> None:
    assert refusal("http://[oops/a.jpg").startswith(
        "Cannot decode `http://[oops/a.jpg`: it cannot be reached ("
    )
