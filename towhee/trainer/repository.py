"""A training's folder as the repository of a pipeline, which ``hub publish`` takes."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from hub_client.atomic_file import write_atomically
from plugin_spec import InvalidManifest, Manifest
from plugin_spec.names import OperatorName
from towhee.trainer.domain import vector_length
from towhee.trainer.errors import CannotTrain
from towhee.trainer.model_card import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from towhee.bound import BoundOperator
    from towhee.data.samples import Samples
    from towhee.trainer.training_result import TrainingResult

MANIFEST: Final = "operator.yaml"
_WEIGHTS: Final = "model.safetensors"
_NAMESPACE: Final = "trained"
_LONGEST: Final = 200
_OF_THIS_MACHINE: Final = {"batch_size", "device", "num_classes", "pretrained"}
"""Options that are left out: the weights answer for some, each machine for others."""
_STAYS: Final = "/checkpoints/\n/tensorboard/\n/heatmaps/\n"


@dataclass(frozen=True, slots=True)
class Repository:
    """What a training's manifest says beside what the training came to.

    :param base: the operator that was trained: its version, its commit, its weights;
        and the pipeline that has it as a step, if one was asked for.
    """

    steps: Sequence[BoundOperator]
    trained: BoundOperator
    name: OperatorName | None
    base: Mapping[str, str]

    @classmethod
    def of(
        cls, steps: Sequence[BoundOperator], trained: BoundOperator, name: str | None
    ) -> Self:
        """Note what the operator is, before it is trained.

        :raises CannotTrain: if ``name`` is no operator's.
        """
        receipt = trained.installed.receipt
        said = trained.load().operator.describe()
        whole = trained.pipeline and trained.pipeline.receipt
        base = {
            **({"pipeline": f"{whole.name}=={whole.version}"} if whole else {}),
            "operator": f"{receipt.name}=={receipt.version}",
            "revision": receipt.revision,
            **{key: str(said[key]) for key in ("model", "weights") if key in said},
        }
        return cls(steps, trained, _parsed(name), base)

    def origin(self, folder: Path) -> Origin:
        """What a model card says beside what the training came to."""
        receipt = self.trained.installed.receipt
        return Origin(
            name=str(self._name(folder, _read(folder))),
            operator=str(receipt.name),
            version=str(receipt.version),
            weights=self.base.get("weights", "unknown"),
            pipeline=self.base.get("pipeline"),
        )

    def _name(self, folder: Path, earlier: Manifest | None) -> OperatorName:
        return self.name or (earlier.name if earlier else _default_name(folder))

    def write(self, result: TrainingResult, samples: Samples) -> None:
        """Write a manifest, a licence, and what is to stay at home.

        A manifest that is there keeps its name, version, summary and licence.

        :param samples: what was trained on; the first is embedded to be measured.
        """
        folder = result.output_dir
        text = self._manifest(result, samples, _read(folder))
        write_atomically(folder / MANIFEST, text.encode())
        write_atomically(folder / ".gitignore", _STAYS.encode())
        licence = self.trained.installed.tree / "LICENSE"
        if licence.is_file() and not (folder / "LICENSE").exists():
            shutil.copyfile(licence, folder / "LICENSE")

    def _manifest(
        self, result: TrainingResult, samples: Samples, earlier: Manifest | None
    ) -> str:
        import yaml  # noqa: PLC0415  (as it is used)

        base = self.trained.installed.manifest
        first = self.steps[0].installed.manifest
        manifest = {
            "spec": 1,
            "name": str(self._name(result.output_dir, earlier)),
            "version": str(earlier.version) if earlier else "1.0.0",
            "kind": "pipeline",
            "summary": earlier.summary if earlier else _summary(self.base, result),
            "license": earlier.license if earlier else base.license,
            "requires": {"python": str(base.requires_python) or ">=3.11"},
            "inputs": first.to_dict()["inputs"],
            "outputs": self._outputs(samples),
            "steps": [self._step(each) for each in self.steps],
            "training": {
                "data": result.trained_on,
                **({"evaluated": result.evaluated_on} if result.evaluated_on else {}),
                "base": dict(self.base),
                "metrics": result.measured,
            },
        }
        space = self.steps[-1].load().operator.space
        said = {} if space is None else {"space": space.stated()}
        with suppress(InvalidManifest):
            # One that a manifest has no words for is left out.
            Manifest.from_dict({**manifest, **said}, source=MANIFEST)
            manifest |= said
        # What others could not read is not written.
        Manifest.from_dict(manifest, source=MANIFEST)
        return yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)

    def _outputs(self, samples: Samples) -> list[dict[str, Any]]:
        """Those of the last step, with the vectors' length where it is known by now."""
        last = self.steps[-1]
        outputs: list[dict[str, Any]] = last.installed.manifest.to_dict()["outputs"]
        if last is self.trained and len(outputs) == 1 and len(samples):
            (port,) = outputs
            dimensions = port.get("shape", [])
            if len(dimensions) == 1 and isinstance(dimensions[0], str):
                port["shape"] = [vector_length(last.load().operator, samples)]
        return outputs

    def _step(self, step: BoundOperator) -> dict[str, Any]:
        manifest = step.installed.manifest
        version = manifest.version
        wanted = f"{manifest.name}>={version},<{version.major + 1}"
        options = {
            key: value
            for key, value in step.options.items()
            if key not in _OF_THIS_MACHINE and _is_json(value)
        }
        if step is self.trained:
            options["checkpoint_path"] = {"file": _WEIGHTS}
        return {"operator": wanted, **({"with": options} if options else {})}


def _parsed(name: str | None) -> OperatorName | None:
    try:
        return None if name is None else OperatorName.parse(name)
    except ValueError as error:
        raise CannotTrain(f"Nothing trained can be called `{name}`: {error}") from error


def _read(folder: Path) -> Manifest | None:
    try:
        return Manifest.from_yaml((folder / MANIFEST).read_bytes())
    except (OSError, InvalidManifest):
        return None


def _default_name(folder: Path) -> OperatorName:
    words = re.findall(r"[a-z0-9]+", folder.resolve().name.lower())
    return OperatorName.parse(
        f"{_NAMESPACE}/{'-'.join(words)[:60].strip('-') or 'model'}"
    )


def _summary(base: Mapping[str, str], result: TrainingResult) -> str:
    model = base.get("model", base["operator"])
    count = len(result.trained_on["classes"])
    text = f"{model}, trained on {result.trained_on['name']} of {count} classes"
    return "".join(each for each in text if each.isprintable())[:_LONGEST]


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
