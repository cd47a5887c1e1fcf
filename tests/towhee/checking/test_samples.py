"""Rows to try an operator on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plugin_spec import Manifest
from towhee.checking.samples import Sample, UnreadableSample, find_samples, own_options


def manifest(*inputs: dict[str, Any], output: str = "any") -> Manifest:
    return Manifest.from_dict(
        {
            "spec": 1,
            "name": "test/subject",
            "version": "1.0.0",
            "kind": "operator",
            "summary": "A subject of tests",
            "license": "Apache-2.0",
            "module": "subject",
            "inputs": list(inputs),
            "outputs": [{"name": "out", "type": output}],
        }
    )


def find(*inputs: dict[str, Any], output: str = "any") -> list[Sample]:
    return find_samples(manifest(*inputs, output=output), Path(), Path.cwd())


def own(name: str, content: bytes) -> None:
    file = Path("samples", name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_images_come_in_two_sizes_and_as_their_port_says() -> None:
    wide, other, tall = (
        each.inputs[0] for each in find({"name": "x", "type": "image"})
    )
    assert (wide.shape, other.shape, tall.shape) == ((48, 64, 3),) * 2 + ((60, 40, 3),)
    assert not np.array_equal(wide, other)
    fixed = find({"name": "x", "type": "image", "shape": [8, 8, 3], "dtype": "float32"})
    assert {(each.inputs[0].shape, each.inputs[0].dtype) for each in fixed} == {
        ((8, 8, 3), np.dtype("float32"))
    }


def test_every_alternative_of_a_port_is_tried() -> None:
    samples = find({"name": "x", "type": ["path", "url", "bytes", "image"]})
    assert [each.origin for each in samples] == [
        *["a made-up image"] * 3,
        "a made-up bytes",
        "a made-up path",
    ]
    assert [each.is_certain for each in samples] == [True, True, True, False, False]
    for source in (io.BytesIO(samples[3].inputs[0]), samples[4].inputs[0]):
        with Image.open(source) as image:
            assert (image.size, image.mode) == ((64, 48), "RGB")


def test_a_file_is_of_what_the_manifest_speaks_of() -> None:
    path = {"name": "x", "type": "path"}
    assert find(path, output="text")[0].inputs[0].endswith(".txt")
    sound = Path(find(path, output="audio")[0].inputs[0])
    assert sound.read_bytes()[:4] == b"RIFF"


def test_a_length_that_nobody_fixed_may_be_refused() -> None:
    (free, *_) = find({"name": "x", "type": "vector"})
    (fixed, *_) = find({"name": "x", "type": "vector", "shape": [4]})
    assert (free.is_certain, fixed.is_certain) == (False, True)


def test_several_ports_are_one_row() -> None:
    sample = find({"name": "x", "type": "text"}, {"name": "y", "type": "image"})[0]
    assert sample.value == sample.inputs
    assert sample.origin == "a made-up text and image"


def test_what_cannot_be_made_gives_no_row() -> None:
    assert find({"name": "x", "type": "results"}) == []


def test_the_repositorys_own_samples_come_first() -> None:
    own("a.npy", npy(np.arange(3)))
    own("b.json", b'{"key": 1}')
    own("c.txt", b"a cat\n")
    own("options.json", b'{"size": 3}')
    own(".hidden", b"")
    samples = find({"name": "x", "type": "any"})
    assert [each.origin for each in samples] == [
        "`samples/a.npy`",
        "`samples/b.json`",
        "`samples/c.txt`",
    ]
    assert samples[0].inputs[0].tolist() == [0, 1, 2]
    assert [each.inputs[0] for each in samples[1:]] == [{"key": 1}, "a cat"]
    assert own_options(Path()) == {"size": 3}


def test_options_that_are_no_object_are_named() -> None:
    for content in (b"[1]", b"{", b"[" * 100_000):
        own("options.json", content)
        with pytest.raises(UnreadableSample, match="is no JSON object"):
            own_options(Path())


def test_a_picture_becomes_what_the_port_takes() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4)).save(buffer, "PNG")
    own("a.png", buffer.getvalue())
    assert find({"name": "x", "type": "image"})[0].inputs[0].shape == (4, 5, 3)
    assert find({"name": "x", "type": "bytes"})[0].inputs[0] == buffer.getvalue()
    assert find({"name": "x", "type": "path"})[0].inputs[0] == "samples/a.png"


def test_numbers_become_the_array_that_the_port_takes() -> None:
    own("a.json", b"[1, 2]")
    vector = find({"name": "x", "type": "vector", "dtype": "float64"})[0].inputs[0]
    assert (vector.dtype, vector.tolist()) == (np.float64, [1.0, 2.0])


def test_a_row_of_several_ports_is_a_folder() -> None:
    own("first/x.txt", b"a cat")
    own("first/y.json", json.dumps([1]).encode())
    ports = {"name": "x", "type": "text"}, {"name": "y", "type": "any"}
    assert find(*ports)[0].inputs == ("a cat", [1])
    own("second/x.txt", b"a dog")
    with pytest.raises(UnreadableSample) as caught:
        find(*ports)
    assert str(caught.value) == "`samples/second` cannot be read: KeyError: 'y'"


def test_a_pickle_among_the_samples_is_not_read() -> None:
    own("a.npy", npy(np.array([object()], dtype=object)))
    with pytest.raises(UnreadableSample, match="allow_pickle=False"):
        find({"name": "x", "type": "any"})


def test_options_that_are_no_object_are_refused() -> None:
    own("options.json", b"[1]")
    with pytest.raises(UnreadableSample) as caught:
        own_options(Path())
    assert str(caught.value) == "`samples/options.json` is no JSON object"
