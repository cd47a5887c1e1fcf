"""What a reader has to know of trained weights, on one page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 20
_USE = """Once it is published and installed:

```python
from towhee import pipeline

embed = pipeline("{name}")
```

From the folder itself, by the operator that was trained:

```python
from towhee import pipeline

embed = pipeline("{operator}", checkpoint_path="PATH OF THIS FOLDER")
```"""
_USE_UNNAMED = "The operator that was trained takes this folder as `checkpoint_path`."


class Origin(NamedTuple):
    """Where a model is from, and where it goes to."""

    name: str
    """What it is published as."""
    operator: str
    """The operator that was trained."""
    version: str
    weights: str
    """Those that it began with."""
    pipeline: str | None = None
    """The pipeline that has the operator as a step, ``NAME==VERSION``; None if none."""


def model_card(facts: Mapping[str, Any], origin: Origin | None = None) -> str:
    """A page in Markdown: what it is, what it learned from, how well, and its use."""
    operator, data = facts["operator"], facts["trained_on"]
    judged = facts["evaluated_on"]
    parts = [
        f"# {operator.get('model', 'A model')}, trained on {data['name']}",
        f"Weights `{operator.get('weights', 'unknown')}`.{_began_with(origin)}",
        "## Use",
        _USE.format_map(origin._asdict()) if origin else _USE_UNNAMED,
        "Vectors come under the preprocessing below, which the folder keeps.",
        "## Data",
        _trained_on(data),
    ]
    if judged is not None:
        parts.append(f"Evaluated on {judged['images']:,} images, {judged['name']}.")
    parts += [
        "It knows nothing of images that look otherwise.",
        "## Figures",
        _table(facts["figures"], ("what", "value")),
        "![Loss and metric by step](curves.png)",
    ]
    if facts["stop_reason"]:
        parts.append(f"It was stopped: {facts['stop_reason']}.")
    parts += [
        "## Preprocessing",
        _table(operator.get("preprocessing", {}), ("what", "value")),
        "## Training",
        _table(facts["config"], ("field", "value")),
    ]
    return "\n\n".join(parts) + "\n"


def _began_with(origin: Origin | None) -> str:
    if origin is None:
        return ""
    base = f"`{origin.operator}` {origin.version}"
    if origin.pipeline is not None:
        name, _, version = origin.pipeline.partition("==")
        base += f" of the pipeline `{name}` {version}"
    return f" The training began with {base}, weights `{origin.weights}`."


def _trained_on(data: Mapping[str, Any]) -> str:
    count, classes = data["images"], data["classes"]
    return f"Trained on {count:,} images of {len(classes)} classes ({_names(classes)})."


def _names(classes: list[str]) -> str:
    shown = ", ".join(classes[:_SHOWN])
    return f"{shown}, …" if len(classes) > _SHOWN else shown


def _table(values: Mapping[str, Any], head: tuple[str, str]) -> str:
    rows = [
        head,
        ("---", "---"),
        *((key, _cell(value)) for key, value in values.items()),
    ]
    return "\n".join(f"| {key} | {value} |" for key, value in rows)


def _cell(value: Any) -> str:  # noqa: ANN401
    text = f"{value:.4g}" if isinstance(value, float) else json.dumps(value)
    return text.replace("|", "\\|")
