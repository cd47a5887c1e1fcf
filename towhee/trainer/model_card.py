"""What a reader has to know of trained weights, on one page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 20
_USE = """```python
from towhee import ops

op = ops.image_embedding.timm(checkpoint_path="PATH OF THIS FOLDER")
```"""


def model_card(facts: Mapping[str, Any]) -> str:
    """A page in Markdown: what it is, what it learned from, how well, and its use."""
    operator, data = facts["operator"], facts["trained_on"]
    judged = facts["evaluated_on"]
    parts = [
        f"# {operator.get('model', 'A model')}, trained on {data['name']}",
        f"Weights `{operator.get('weights', 'unknown')}`.",
        "## Use",
        _USE,
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
