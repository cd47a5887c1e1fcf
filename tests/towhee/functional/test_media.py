"""Videos, sound and cameras, made here and read back."""

from __future__ import annotations

import gc
import os
import sys
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from towhee import DataCollection
from towhee.reading.camera import MissingCamera
from towhee.reading.files import MissingFile, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH, HEIGHT, FRAMES, FPS = 64, 48, 10, 5
RATE, LENGTH = 8000, 2 * 8000 + 100
linux = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


def write_video(path: str, rotation: int = 0) -> str:
    """Frames that are red at the top, blue below, and brighter each time."""
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 2_000_000
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(FRAMES):
            image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            image[: HEIGHT // 2, :, 0] = image[HEIGHT // 2 :, :, 2] = 100 + 10 * number
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    return path


def write_sound(path: str, codec: str = "pcm_s16le") -> str:
    """A tone at half of full scale on the left, its negative on the right."""
    tone = np.sin(2 * np.pi * 440 * np.arange(LENGTH) / RATE) * 2**14
    samples = np.stack([tone, -tone], axis=1).astype(np.int16).reshape(1, -1)
    with av.open(path, "w") as container:
        stream: Any = container.add_stream(codec, rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write(path: str, content: bytes) -> str:
    Path(path).write_bytes(content)
    return path


def open_files(name: str) -> int:
    links = Path("/proc/self/fd").iterdir()
    return sum(link.exists() and link.resolve().name == name for link in links)


def test_a_video_is_its_frames_in_rgb() -> None:
    frames = DataCollection.read_video(write_video("a.mp4")).to_list()
    assert [frame.shape for frame in frames] == [(HEIGHT, WIDTH, 3)] * FRAMES
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}
    for number, frame in enumerate(frames):
        red, blue = frame[5, 5].astype(int), frame[-5, -5].astype(int)
        bright = 100 + 10 * number
        assert np.abs(red - [bright, 0, 0]).max() < 20
        assert np.abs(blue - [0, 0, bright]).max() < 20


def test_a_video_tells_the_time_of_its_frames() -> None:
    rows = DataCollection.read_video(write_video("a.mp4"), timestamps=True)
    times = rows.map["frame", "shape"](np.shape).to_list()
    assert [row.time for row in times] == pytest.approx(
        [number / FPS for number in range(FRAMES)]
    )
    assert times[0].shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("rotation", "shape", "red"),
    [
        (90, (WIDTH, HEIGHT, 3), (5, 5)),
        (-90, (WIDTH, HEIGHT, 3), (5, -5)),
        (180, (HEIGHT, WIDTH, 3), (-5, 5)),
    ],
)
def test_a_video_that_a_telephone_turned_is_upright(
    rotation: int, shape: tuple[int, ...], red: tuple[int, int]
) -> None:
    path = write_video("a.mp4", rotation)
    frame = DataCollection.read_video(path).head(1)[0]
    assert frame.shape == shape
    assert frame[red][0] > 80 > frame[red][2]


@pytest.mark.parametrize("name", ["a.mp4", "a.wav"])
@linux
def test_a_container_is_open_only_while_it_is_read(name: str) -> None:
    rows = (
        DataCollection.read_video(write_video(name))
        if name == "a.mp4"
        else DataCollection.read_audio(write_sound(name))
    )
    assert open_files(name) == 0
    iterator = iter(rows.batch(1))
    next(iterator)
    assert open_files(name) == 1
    del iterator
    gc.collect()
    assert open_files(name) == 0
    assert len(rows.to_list()) == len(rows.to_list()) > 1
    rows.head(1).to_list()
    assert open_files(name) == 0


def test_sound_comes_in_pieces_with_their_rate_and_time() -> None:
    pieces = DataCollection.read_audio(write_sound("a.wav")).to_list()
    assert [piece.samples.shape for piece in pieces] == [(2, RATE), (2, RATE), (2, 100)]
    assert {piece.samples.dtype for piece in pieces} == {np.dtype(np.float32)}
    assert [piece.time for piece in pieces] == [0, 1, 2]
    assert {piece.rate for piece in pieces} == {RATE}
    left, right = pieces[0].samples
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert np.abs(left - tone).max() < 1e-4
    assert np.array_equal(left, -right)


@pytest.mark.parametrize("seconds", [0.001, 0.3, 1.7, 100, None])
def test_pieces_of_any_length_make_the_whole(seconds: float | None) -> None:
    path = write_sound("a.wav")
    pieces = DataCollection.read_audio(path, seconds=seconds).to_list()
    whole = np.concatenate([piece.samples for piece in pieces], axis=1)
    assert whole.shape == (2, LENGTH)
    if seconds is None:
        assert len(pieces) == 1
    else:
        size = round(seconds * RATE)
        assert {piece.samples.shape[1] for piece in pieces[:-1]} <= {size}
        assert pieces[-1].time == pytest.approx((len(pieces) - 1) * size / RATE)


def test_sound_is_resampled_to_the_rate_asked_for() -> None:
    path = write_sound("a.wav")
    piece = DataCollection.read_audio(path, seconds=None, rate=2 * RATE).to_list()[0]
    assert piece.rate == 2 * RATE
    assert piece.samples.shape[1] == pytest.approx(2 * LENGTH, abs=50)
    spectrum = np.abs(np.fft.rfft(piece.samples[0]))
    frequency = spectrum.argmax() * piece.rate / piece.samples.shape[1]
    assert frequency == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("read", "file", "message"),
    [
        (
            DataCollection.read_video,
            lambda: write("a.mp4", b"x" * 999),
            "The video of `a.mp4` cannot be read: Invalid data found when processing input",
        ),
        (
            DataCollection.read_video,
            lambda: write("a.mp4", b""),
            "The video of `a.mp4` cannot be read: Invalid data found when processing input",
        ),
        (
            DataCollection.read_video,
            lambda: write_sound("a.wav"),
            "`a.wav` has no video",
        ),
        (
            DataCollection.read_audio,
            lambda: write_video("a.mp4"),
            "`a.mp4` has no audio",
        ),
    ],
)
def test_a_file_with_something_else_in_it_says_so(
    read: Callable[[str], DataCollection], file: Callable[[], str], message: str
) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(file()).to_list()
    assert str(caught.value) == message


def test_a_file_of_the_other_kind_names_the_method_that_reads_it() -> None:
    with pytest.raises(UnreadableFile) as caught:
        DataCollection.read_video(write_sound("a.wav")).to_list()
    assert caught.value.hint == "Call `read_audio`: it has audio"
    with pytest.raises(UnreadableFile) as caught:
        DataCollection.read_audio(write_video("a.mp4")).to_list()
    assert caught.value.hint == "Call `read_video`: it has video"


@pytest.mark.parametrize("name", ["12:30.wav", "file:a.wav", "http:a.wav", "data:a"])
def test_a_colon_in_the_name_of_a_file_makes_no_address_of_it(name: str) -> None:
    Path(write_sound("plain.wav")).rename(name)
    assert len(DataCollection.read_audio(name).to_list()) == 3


def test_tags_in_an_old_encoding_do_not_hinder_reading() -> None:
    with av.open("a.mkv", "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        container.metadata["title"] = "Etude"
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    latin = Path("a.mkv").read_bytes().replace(b"Etude", b"\xc9tude")
    path = write("latin.mkv", latin)
    assert len(DataCollection.read_video(path).to_list()) == 1


@pytest.mark.parametrize("channels", [1, 3, 6, 8, 16, 64])
def test_sound_has_all_of_its_channels(channels: int) -> None:
    samples = np.arange(20 * channels, dtype="<i2").reshape(20, channels)
    with wave.open("a.wav", "wb") as file:
        file.setparams((channels, 2, RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    pieces = DataCollection.read_audio("a.wav", seconds=8 / RATE).to_list()
    assert [piece.samples.shape[1] for piece in pieces] == [8, 8, 4]
    whole = np.concatenate([piece.samples for piece in pieces], axis=1)
    assert np.array_equal(whole * 2**15, samples.T)


def test_sound_whose_rate_changes_says_so() -> None:
    content = b""
    for rate in (22050, 44100):
        with av.open("part.aac", "w", format="adts") as container:
            stream: Any = container.add_stream("aac", rate=rate, layout="mono")
            for number in range(20):
                silence = np.zeros((1, 1024), np.float32)
                frame = av.AudioFrame.from_ndarray(silence, "fltp", "mono")
                frame.sample_rate, frame.pts = rate, number * 1024
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        content += Path("part.aac").read_bytes()
    with pytest.raises(UnreadableFile) as caught:
        DataCollection.read_audio(write("a.aac", content)).to_list()
    assert str(caught.value) == (
        "The audio of `a.aac` has 1 channels at 22050 Hz, and later 1 at 44100 Hz"
    )
    assert caught.value.hint == "Make files of its parts, and read each of them"


def test_a_rate_is_a_plain_number_that_sound_can_have() -> None:
    path = write_sound("a.wav")
    piece = DataCollection.read_audio(path, rate=np.int64(RATE)).head(1)[0]  # type: ignore[arg-type]  # as NumPy gives it
    assert type(piece.rate) is int
    with pytest.raises(ValueError, match="rate is 2147483648, and has to be 768000 or"):
        DataCollection.read_audio(path, rate=2**31)


@linux
def test_a_pipe_is_told_from_a_missing_file() -> None:
    os.mkfifo("a.mp4")
    with pytest.raises(MissingFile) as caught:
        DataCollection.read_video("a.mp4")
    assert str(caught.value) == f"There is no file `a.mp4` in `{Path.cwd()}`"
    assert caught.value.hint == "Give a regular file: it is a device, or a pipe"


def test_a_damaged_file_says_what_to_do() -> None:
    with pytest.raises(UnreadableFile) as caught:
        DataCollection.read_audio(write("a.wav", b"x" * 999)).to_list()
    assert caught.value.hint == "Make it again: it is damaged, or no audio"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("folder", "Give a file in it: it is a folder"),
        (
            "https://example.com/a.mp4",
            "Download it first: only files on this machine are read",
        ),
    ],
)
def test_a_folder_and_an_address_are_told_from_a_missing_file(
    path: str, hint: str
) -> None:
    Path("folder").mkdir()
    with pytest.raises(MissingFile) as caught:
        DataCollection.read_video(path)
    assert str(caught.value) == f"There is no file `{path}` in `{Path.cwd()}`"
    assert caught.value.hint == hint


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_piece_of_no_length_is_refused_at_once(value: float) -> None:
    with pytest.raises(ValueError, match="has to be a number above 0"):
        DataCollection.read_audio(write_sound("a.wav"), seconds=value)


def test_a_camera_gives_pictures_in_rgb_until_there_are_no_more() -> None:
    # OpenCV opens a file as it does a device; there is no camera in a test.
    pictures = DataCollection.read_camera(write_video("a.mp4"))
    assert pictures.is_stream
    frames = pictures.to_list()
    assert len(frames) == FRAMES
    assert frames[0].shape == (HEIGHT, WIDTH, 3)
    red, _, blue = frames[-1][5, 5]
    assert (red > 150, blue < 50) == (True, True)
    assert len(DataCollection.read_camera("a.mp4", limit=3).to_list()) == 3
    assert DataCollection.read_camera("a.mp4", limit=0).to_list() == []
    assert len(pictures.head(2).to_list()) == 2


@linux
def test_a_camera_is_let_go_when_nobody_wants_more_pictures() -> None:
    iterator = iter(DataCollection.read_camera(write_video("a.mp4")).map(np.mean))
    next(iterator)
    assert open_files("a.mp4") == 1
    del iterator
    gc.collect()
    assert open_files("a.mp4") == 0


def test_a_camera_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingCamera) as caught:
        DataCollection.read_camera("/dev/video99").to_list()
    assert str(caught.value) == "No camera answers at device `/dev/video99`"
    assert caught.value.hint == "Give the number of another, or the path of its device"
    with pytest.raises(ValueError, match="limit is -1"):
        DataCollection.read_camera(limit=-1)


@pytest.mark.parametrize("device", [-1, 1.5, None])
def test_a_camera_has_a_number_or_a_path(device: Any) -> None:  # noqa: ANN401  (what is no device)
    # At -1 OpenCV would end the process.
    with pytest.raises(ValueError, match=f"device is {device}, and has to be a whole"):
        DataCollection.read_camera(device)
