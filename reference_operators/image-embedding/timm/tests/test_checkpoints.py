"""Weights of one's own: read for tensors alone, and only if every one fits."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from skimage import data
from timm_embedding import TimmEmbedding, WeightsMismatch, WeightsUnavailable

if TYPE_CHECKING:
    from pathlib import Path

PHOTOGRAPH = data.chelsea()
CONFIG = {
    "architecture": "test_resnet",
    "num_classes": 7,
    "pretrained_cfg": {
        "input_size": [3, 64, 64],
        "interpolation": "nearest",
        "crop_pct": 1.0,
        "mean": [0.1, 0.2, 0.3],
        "std": [0.4, 0.5, 0.6],
    },
}


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return timm.create_model("test_resnet", num_classes=7).state_dict()


@pytest.fixture
def folder(tmp_path: Path, weights: dict[str, torch.Tensor]) -> Path:
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def own(path: Path, **options: object) -> TimmEmbedding:
    return TimmEmbedding(checkpoint_path=str(path), **options)


def test_a_folder_says_what_its_model_is_and_how_it_was_trained(folder: Path) -> None:
    description = own(folder).describe()
    assert description["model"] == "test_resnet"
    assert description["weights"].startswith("sha256:")
    assert description["preprocessing"] == {
        **CONFIG["pretrained_cfg"],
        "crop_mode": "center",
    }


def test_a_file_takes_the_configuration_beside_it(folder: Path) -> None:
    by_file, by_folder = own(folder / "model.safetensors"), own(folder)
    assert by_file.describe() == by_folder.describe()
    np.testing.assert_array_equal(by_file(PHOTOGRAPH), by_folder(PHOTOGRAPH))


@pytest.mark.parametrize("name", ["", "model.safetensors"])
def test_weights_that_were_written_anew_are_not_those_that_were_loaded(
    folder: Path, weights: dict[str, torch.Tensor], name: str
) -> None:
    operator = own(folder / name)
    assert operator.is_current
    halved = {key: value / 2 for key, value in weights.items()}
    save_file(halved, folder / "model.safetensors")
    assert not operator.is_current
    assert own(folder / name).space != operator.space


def test_a_configuration_may_hold_arguments_of_the_model(tmp_path: Path) -> None:
    arguments = {"img_size": 64}
    model = timm.create_model("test_vit", num_classes=0, **arguments)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    config = {
        "architecture": "test_vit",
        "num_classes": 0,
        "model_args": arguments,
        "pretrained_cfg": {"input_size": [3, 64, 64]},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert own(tmp_path)(PHOTOGRAPH).shape == (64,)


def test_a_file_alone_takes_the_models_own_conditions(
    folder: Path, weights: dict[str, torch.Tensor]
) -> None:
    (folder / "config.json").unlink()
    embed = own(
        folder / "model.safetensors", model_name="test_resnet.r160_in1k", num_classes=7
    )
    assert embed.describe()["preprocessing"]["input_size"] == [3, 160, 160]
    network = embed._backend.workload.module  # noqa: SLF001  (what no vector shows)
    loaded = network.model.state_dict()
    assert loaded
    for name, tensor in loaded.items():
        assert torch.equal(tensor, weights[name])


@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_a_pickle_of_tensors_is_read(
    folder: Path, weights: dict[str, torch.Tensor], key: str | None
) -> None:
    torch.save({key: weights} if key else weights, folder / "model.pt")
    np.testing.assert_array_equal(
        own(folder / "model.pt")(PHOTOGRAPH), own(folder)(PHOTOGRAPH)
    )


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (f"open({str(self.path)!r}, 'w')",)


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_code_in_a_pickle_is_never_run(folder: Path, writer: str) -> None:
    target, checkpoint = folder / "written", folder / "hostile.pt"
    if writer == "pickle":
        checkpoint.write_bytes(pickle.dumps({"weight": Hostile(target)}, protocol=2))
    else:
        torch.save({"weight": Hostile(target)}, checkpoint)
    with pytest.raises(WeightsMismatch) as caught:
        own(checkpoint)
    assert str(caught.value) == (
        f"`{checkpoint}` cannot be read as weights: UnpicklingError"
    )
    assert not target.exists()


def test_weights_of_another_model_are_refused(folder: Path) -> None:
    (folder / "config.json").unlink()
    file = folder / "model.safetensors"
    with pytest.raises(WeightsMismatch) as caught:
        own(file, model_name="test_vit")
    assert str(caught.value).startswith(
        f"The weights in `{file}` do not fit `test_vit`: "
    )


def test_a_missing_tensor_is_never_made_up(
    folder: Path, weights: dict[str, torch.Tensor]
) -> None:
    weights.pop("layer3.0.conv1.weight")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(WeightsMismatch, match=r"layer3\.0\.conv1\.weight"):
        own(folder)


def test_a_name_that_its_configuration_contradicts_is_refused(folder: Path) -> None:
    with pytest.raises(WeightsMismatch) as caught:
        own(folder, model_name="resnet18")
    assert str(caught.value) == f"`{folder}` holds `test_resnet`, not `resnet18`"
    assert caught.value.hint == (
        "Leave `model_name` out, or write `model_name='test_resnet'`"
    )


@pytest.mark.parametrize("content", [b"", b"no weights", bytes(100)])
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_a_file_of_something_else_is_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsMismatch) as caught:
        own(tmp_path / name)
    assert str(caught.value).startswith(
        f"`{tmp_path / name}` cannot be read as weights: "
    )


@pytest.mark.parametrize("content", ["{", "[]", '"text"'])
def test_a_configuration_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(WeightsMismatch, match=r"is not JSON|holds no object"):
        own(folder)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        own(tmp_path)
    assert str(caught.value) == f"There is no file `{tmp_path / 'model.safetensors'}`"
