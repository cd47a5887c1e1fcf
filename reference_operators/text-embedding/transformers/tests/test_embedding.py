"""Vectors are those of transformers' own recipe, however texts come together."""

from __future__ import annotations

import inspect
import json
import pickle
import random
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_bert import WORDS, write_pooling
from transformers import AutoModel, AutoTokenizer
from transformers_embedding import (
    CannotRun,
    TextTruncated,
    TransformersEmbedding,
    UnknownPooling,
    WeightsMismatch,
    WeightsUnavailable,
)

from plugin_spec import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDING = 1e-6
SLOW = ["openvino", "compiled"]
TEXTS = [
    "the cat sat on the mat",
    "a small red house",
    "dog",
    "the old dog ran under a tree on the hill the cat sat on the old house and a mat",
    "",
]


def recipe(folder: Path, text: str, pooling: str = "mean") -> np.ndarray:
    """The way that model cards document, one text at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = tokenizer(text, truncation=True, max_length=32, return_tensors="pt")
    with torch.inference_mode():
        (words,) = model(**inputs).last_hidden_state
    vector = {
        "mean": words.mean(0),
        "cls": words[0],
        "max": words.amax(0),
        "last": words[-1],
    }[pooling]
    return torch.nn.functional.normalize(vector, dim=0).numpy()


def embed(folder: Path, **options: object) -> TransformersEmbedding:
    return TransformersEmbedding(model_name=str(folder), **options)


def in_one_batch(operator: TransformersEmbedding, texts: Sequence[str]) -> np.ndarray:
    return np.stack(operator.predict([operator.prepare(text) for text in texts]))


def test_a_folder_that_was_written_anew_is_not_the_one_that_was_loaded(
    folder: Path,
) -> None:
    operator = embed(folder)
    assert operator.is_current
    weights = load_file(folder / "model.safetensors")
    halved = {key: value / 2 for key, value in weights.items()}
    save_file(halved, folder / "model.safetensors", {"format": "pt"})
    assert not operator.is_current
    assert embed(folder).space != operator.space


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "last"])
def test_vectors_are_those_of_transformers_recipe(folder: Path, pooling: str) -> None:
    operator = embed(folder, pooling=pooling)
    for text in TEXTS:
        vector = operator(text)
        assert (vector.dtype, vector.shape) == (np.float32, (32,))
        expected = recipe(folder, text, pooling)
        np.testing.assert_allclose(vector, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "last"])
def test_padding_does_not_change_a_vector(folder: Path, pooling: str) -> None:
    operator = embed(folder, pooling=pooling)
    together = in_one_batch(operator, TEXTS)
    alone = [operator(text) for text in TEXTS]
    np.testing.assert_allclose(together, alone, rtol=0, atol=ROUNDING)


def test_texts_of_about_one_length_share_a_batch(folder: Path) -> None:
    operator = embed(folder)
    texts = ["a", "a cat", " ".join(["cat"] * 14), " ".join(["cat"] * 15)]
    keys = [operator.batch_key(operator.prepare(text)) for text in texts]
    assert keys == [1, 1, 1, 2]


def test_a_longer_text_is_cut_and_warned_of_once(folder: Path) -> None:
    operator = embed(folder, max_length=8)
    text = " ".join(WORDS)
    with pytest.warns(TextTruncated) as caught:
        vectors = [operator(text), operator(text)]
    (warning,) = caught
    assert str(warning.message) == (
        f"`{folder}` reads 8 tokens, and of a longer text the end does not count: "
        f"{text[:40]!r}"
    )
    assert Path(warning.filename) == Path(__file__)
    short = operator(" ".join(WORDS[:6]))
    for vector in vectors:
        np.testing.assert_array_equal(vector, short)


def test_a_text_that_just_fits_is_not_warned_of(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embed(folder, max_length=8)(" ".join(WORDS[:6]))


def test_no_more_tokens_are_read_than_the_model_was_made_for(folder: Path) -> None:
    assert embed(folder, max_length=1000).describe()["max_length"] == 32
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 16}')
    assert embed(folder).describe()["max_length"] == 16


@pytest.mark.parametrize(
    ("said", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_max_tokens": True, "word_embedding_dimension": 32}, "max"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "cls"}, "cls"),
    ],
)
def test_pooling_is_what_the_models_own_files_say(
    folder: Path, said: dict[str, object], pooling: str
) -> None:
    assert embed(folder).describe()["pooling"] == "mean"
    write_pooling(folder, **said)
    operator = embed(folder)
    assert operator.describe()["pooling"] == pooling
    expected = recipe(folder, TEXTS[0], pooling)
    np.testing.assert_allclose(operator(TEXTS[0]), expected, rtol=0, atol=ROUNDING)


def test_a_pooling_that_is_not_computed_is_refused(folder: Path) -> None:
    write_pooling(folder, pooling_mode_weightedmean_tokens=True)
    with pytest.raises(UnknownPooling) as caught:
        embed(folder)
    assert str(caught.value) == (
        f"`{folder}` pools by `pooling_mode_weightedmean_tokens`, "
        "which this operator does not compute"
    )
    assert caught.value.hint == (
        "Give `pooling=` one of `mean`, `cls`, `max`, `last`, "
        "for other vectors than its own"
    )
    assert embed(folder, pooling="mean").describe()["pooling"] == "mean"


def test_what_a_model_adds_to_its_encoder_is_refused(folder: Path) -> None:
    modules = [{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UnknownPooling) as caught:
        embed(folder)
    assert str(caught.value) == (
        f"`{folder}` adds `Dense` to its encoder, which this operator does not compute"
    )


def test_vectors_have_length_one_unless_asked_otherwise(folder: Path) -> None:
    unit, raw = embed(folder)(TEXTS[0]), embed(folder, normalize=False)(TEXTS[0])
    assert np.linalg.norm(unit) == pytest.approx(1, abs=ROUNDING)
    assert np.linalg.norm(raw) != pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(raw / np.linalg.norm(raw), unit, atol=ROUNDING)


def test_many_threads_tokenize_and_predict_at_once(folder: Path) -> None:
    operator = embed(folder)
    expected = [operator(text) for text in TEXTS]

    def run(number: int) -> np.ndarray:
        operator.set_threads(1)
        return operator(TEXTS[number % len(TEXTS)])

    with ThreadPoolExecutor(8) as pool:
        for number, vector in enumerate(pool.map(run, range(100))):
            wanted = expected[number % len(TEXTS)]
            np.testing.assert_allclose(vector, wanted, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    "backend",
    ["onnxruntime", *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW)],
)
def test_a_backend_gives_the_vectors_of_eager(folder: Path, backend: str) -> None:
    operator, eager = embed(folder, backend=backend), embed(folder)
    together = in_one_batch(operator, TEXTS)
    expected = in_one_batch(eager, TEXTS)
    np.testing.assert_allclose(together, expected, rtol=0, atol=1e-5)
    for text, vector in zip(TEXTS, expected, strict=True):
        np.testing.assert_allclose(operator(text), vector, rtol=0, atol=1e-5)
    assert operator.describe()["differences"]["backend"]["cosine"] >= 0.99999
    operator.close()


@pytest.mark.parametrize("autocast", [False, True])
def test_a_lower_precision_says_what_it_changes(folder: Path, autocast: bool) -> None:
    operator = embed(folder, dtype="bfloat16", autocast=autocast)
    assert 0.99 < operator.describe()["differences"]["backend"]["cosine"] < 1
    assert operator(TEXTS[0]) @ embed(folder)(TEXTS[0]) > 0.99


def test_several_devices_share_a_batch(folder: Path) -> None:
    operator = embed(folder, device=["cpu", "cpu"])
    expected = in_one_batch(embed(folder), TEXTS)
    found = in_one_batch(operator, TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)
    operator.close()


def test_an_instance_can_be_sent_to_another_process(folder: Path) -> None:
    operator = embed(folder)
    copy = pickle.loads(pickle.dumps(operator))  # noqa: S301  (our own)
    np.testing.assert_array_equal(copy(TEXTS[0]), operator(TEXTS[0]))


def test_torchs_own_state_stays_as_it_is(folder: Path) -> None:
    def state() -> tuple[object, ...]:
        return (
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.get_rng_state().tolist(),
            random.getstate(),
        )

    before = state()
    embed(folder)(TEXTS[0])
    assert state() == before


def test_a_missing_tensor_is_never_made_up(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    del weights[name]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsMismatch) as caught:
        embed(folder)
    assert str(caught.value) == (
        f"The weights of `{folder}` leave out 1 tensors of the model, `{name}` first"
    )


def test_a_head_for_training_may_be_missing(folder: Path) -> None:
    expected = embed(folder)(TEXTS[0])
    weights = load_file(folder / "model.safetensors")
    kept = {name: w for name, w in weights.items() if not name.startswith("pooler.")}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    np.testing.assert_array_equal(embed(folder)(TEXTS[0]), expected)


def test_a_pickle_is_never_read(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsUnavailable, match=r"model\.safetensors"):
        embed(folder)


def test_code_of_a_repository_is_never_run(folder: Path) -> None:
    written = folder / "written"
    code = f"open({str(written)!r}, 'w')\nclass Model: pass\nclass Config: pass\n"
    (folder / "code.py").write_text(code)
    classes = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
    config = {"model_type": "unheard-of", "auto_map": classes}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CannotRun) as caught:
        embed(folder)
    assert str(caught.value) == (
        f"`{folder}` needs code of its own, which is never run"
    )
    assert not written.exists()


def test_a_device_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(CannotRun, match="cannot run on `banana` in float32"):
        embed(folder, device="banana")


def test_describe_says_what_decides_the_vectors(folder: Path) -> None:
    description = embed(folder).describe()
    digest = description.pop("weights")
    assert digest.startswith("sha256:")
    assert description == {
        "model": str(folder),
        "pooling": "mean",
        "normalize": True,
        "max_length": 32,
        "dtype": "float32",
        "autocast": False,
        "backend": "eager",
        "differences": {},
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }


def test_the_manifest_names_every_option_with_its_default() -> None:
    manifest = Path(__file__).parent.parent / "operator.yaml"
    stated = {
        name: schema["default"]
        for name, schema in Manifest.from_yaml(manifest.read_bytes()).parameters.items()
    }
    options = inspect.signature(TransformersEmbedding).parameters
    assert stated == {name: option.default for name, option in options.items()}


def test_a_space_is_told_apart_by_what_changes_vectors(
    folder: Path, tmp_path: Path
) -> None:
    space = TransformersEmbedding(model_name=str(folder)).space
    changed = {
        "pooling: mean, cls": {"pooling": "cls"},
        "max_length: 32, 8": {"max_length": 8},
        "normalisation: L2, none": {"normalize": False},
    }
    for difference, options in changed.items():
        other = TransformersEmbedding(model_name=str(folder), **options).space
        assert space.differences(other) == (difference,)
        assert not space.compatible_with(other)
    rough = TransformersEmbedding(model_name=str(folder), dtype="bfloat16").space
    assert space.differences(rough) == ("precision: float32, bfloat16",)
    assert space.compatible_with(rough)
    # Where the files lie is no part of it.
    elsewhere = shutil.copytree(folder, tmp_path / "elsewhere")
    assert TransformersEmbedding(model_name=str(elsewhere)).space == space
    state = load_file(elsewhere / "model.safetensors")
    next(iter(state.values())).add_(0.01)
    save_file(state, elsewhere / "model.safetensors", {"format": "pt"})
    (difference,) = space.differences(
        TransformersEmbedding(model_name=str(elsewhere)).space
    )
    assert difference.startswith("weights: sha256:")
