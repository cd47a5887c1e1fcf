"""The article's training: an operator that embeds otherwise, and nothing else to do."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from torchvision import transforms

from plugin_spec import Manifest
from towhee import DataCollection, ops, pipeline
from towhee.data import dataset
from towhee.trainer.errors import CannotTrain
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from towhee.callable_pipeline import CallablePipeline

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:test_resnet"),
]

IN_ANOTHER_PROCESS = """
import sys
import numpy as np
from towhee import ops
from towhee.data import dataset

op = ops.image_embedding.timm(checkpoint_path=sys.argv[1])
np.save("vectors.npy", [op(image) for image, _ in dataset("eval", size=10)])
(step,) = op.describe()["steps"]
print(*step["classes"], sep=",")
print(step["preprocessing"]["input_size"])
"""


def small(**options: object) -> CallablePipeline:
    return ops.image_embedding.timm(
        model_name="test_resnet", pretrained=False, input_size=32, **options
    )


def test_the_articles_lines_train_an_operator() -> None:
    op = ops.image_embedding.timm(model_name="test_resnet", pretrained=False)
    my_data_transformer = transforms.Compose(
        [transforms.Resize((160, 160)), transforms.ToTensor()]
    )
    training_config = TrainingConfig(
        batch_size=2, epoch_num=2, output_dir="quick_start_output"
    )
    train_data = dataset("train", size=20, transform=my_data_transformer)
    eval_data = dataset("eval", size=10, transform=my_data_transformer)
    op.train(training_config, train_dataset=train_data, eval_dataset=eval_data)
    written = {path.name for path in Path("quick_start_output").iterdir()}
    assert written >= {"model.safetensors", "config.json", "README.md", "tensorboard"}


def test_after_training_the_same_operator_embeds_otherwise_everywhere() -> None:
    op, other = small(), small()
    images = [image for image, _ in dataset("eval", size=10)]
    chain = DataCollection(images).map(op)
    before = np.stack(chain.to_list())
    config = TrainingConfig(epoch_num=1, lr=1e-2, tensorboard=None)
    op.train(config, dataset("train", size=16))
    after = np.stack([op(image) for image in images])
    assert np.abs(after - before).max() > 1e-2
    np.testing.assert_array_equal(np.stack(chain.to_list()), after)
    np.testing.assert_allclose(np.stack(op(images)), after, atol=1e-5)
    # Who has the same options, and was not trained, embeds as ever.
    np.testing.assert_array_equal(np.stack([other(each) for each in images]), before)
    assert op.space != other.space
    # It goes to other processes as it is.
    again = pickle.loads(pickle.dumps(op))  # noqa: S301  (ours)
    np.testing.assert_array_equal(np.stack([again(each) for each in images]), after)

    # What is published declares the space that whoever loads it finds.
    manifest = Manifest.from_yaml(Path("output_dir", "operator.yaml").read_bytes())
    loaded = ops.image_embedding.timm(checkpoint_path="output_dir")
    assert manifest.space is not None
    assert manifest.space == op.space == loaded.space
    assert manifest.space.origin == ""
    (output,) = manifest.outputs
    assert (output.types, output.shape) == (("vector",), after[0].shape)

    op.save("kept")
    program = [sys.executable, "-c", IN_ANOTHER_PROCESS]
    for folder in ("kept", "output_dir"):
        done = subprocess.run(
            [*program, folder], capture_output=True, text=True, check=True
        )
        names = ",".join(f"stripes {number}" for number in range(10))
        assert done.stdout == f"{names}\n[3, 32, 32]\n"
        np.testing.assert_array_equal(np.load("vectors.npy"), after)


def test_training_goes_on_from_what_was_trained() -> None:
    op = small()
    image, _ = dataset("eval")[0]
    config = TrainingConfig(epoch_num=1, lr=1e-3, tensorboard=None)
    first = op.train(config, dataset("train", size=64))
    vector = op(image)
    second = op.train(config, dataset("train", size=64))
    assert second.history[0]["train_epoch_loss"] < first.history[0]["train_epoch_loss"]
    assert np.abs(op(image) - vector).max() > 1e-3


def test_what_has_no_model_is_not_trained() -> None:
    with pytest.raises(CannotTrain) as caught:
        ops.image_decode.cv2().train(TrainingConfig(), dataset("train"))
    assert str(caught.value) == (
        "There is no model to train: `image-decode/cv2` cannot be trained"
    )
    with pytest.raises(CannotTrain, match="There are no images to train on"):
        small().train()


def test_the_model_of_a_whole_pipeline_is_trained() -> None:
    whole = pipeline(
        "image-embedding-resnet50",
        model_name="test_resnet",
        pretrained=False,
        input_size=32,
    )
    image = np.asarray(dataset("eval")[0][0])
    before = whole(image)
    whole.train(
        TrainingConfig(epoch_num=1, lr=1e-2, tensorboard=None), dataset("train")
    )
    assert np.abs(whole(image) - before).max() > 1e-3
    # What it began with is told by both names: the one asked for, and its step's.
    named = "towhee/image-embedding-resnet50", "image-embedding/timm"
    training = Manifest.from_yaml(Path("output_dir", "operator.yaml").read_bytes())
    base = training.training["base"]
    assert (base["pipeline"], base["operator"]) == tuple(f"{x}==1.0.0" for x in named)
    card = Path("output_dir", "README.md").read_text(encoding="utf-8")
    began = f"began with `{named[1]}` 1.0.0 of the pipeline `{named[0]}` 1.0.0, weights"
    assert began in card
