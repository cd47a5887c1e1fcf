"""What a single call of a pipeline adds to its operators' own time.

The operators do nothing, so that all there is to measure is what is added.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from towhee import pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 20_000
OPERATORS = {
    "decode": """
from plugin_spec import Operator, hookimpl

class Decode(Operator):
    concurrent = True

    def __call__(self, value):
        return value

@hookimpl
def operator_class():
    return Decode
""",
    "embed": """
from plugin_spec import ModelOperator, hookimpl

class Embed(ModelOperator):
    def prepare(self, value):
        return value

    def predict(self, batch):
        return batch

@hookimpl
def operator_class():
    return Embed
""",
}


def write(folder: Path, name: str, **manifest: Any) -> None:  # noqa: ANN401  (JSON)
    """Write a repository into a folder of operators."""
    port = [{"name": "value", "type": "any"}]
    tree = folder / "calls" / name / "1.0.0"
    tree.mkdir(parents=True)
    document = {
        "spec": 1,
        "name": f"calls/{name}",
        "version": "1.0.0",
        "summary": "Nothing, quickly",
        "license": "Apache-2.0",
        "inputs": port,
        "outputs": port,
        **manifest,
    }
    (tree / "operator.yaml").write_text(json.dumps(document), encoding="utf-8")


def publish(folder: Path) -> None:
    """Two operators and their pipeline, in an environment of their own."""
    for name, code in OPERATORS.items():
        write(folder, name, kind="operator", module="subject")
        package = folder / "calls" / name / "1.0.0" / "subject"
        package.mkdir()
        (package / "__init__.py").write_text(code, encoding="utf-8")
    steps = [{"operator": f"calls/{name}"} for name in OPERATORS]
    write(folder, "both", kind="pipeline", steps=steps)
    source = f"dir:{folder}"
    config = f'trusted = ["{source}"]\n\n[sources]\n"*" = "{source}"\n'
    (folder / "config.toml").write_text(config)
    os.environ |= {"HUB_CACHE_DIR": f"{folder}/cache", "HUB_CONFIG_DIR": str(folder)}
    os.chdir(folder)
    sys.prefix = str(folder / "environment")
    Path(sys.prefix).mkdir()


def microseconds(call: Callable[[object], object]) -> list[float]:
    """How long each of many calls takes."""
    taken = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call("photo.jpg")
        taken.append(1e6 * (time.perf_counter() - start))
    return taken


def main() -> None:
    """Print the median and the 99th percentile, beside those of the bare operators."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        publish(Path(folder))
        embed = pipeline("calls/both").load()
        decode, model = (step.operator.operator for step in embed.bound.load())  # type: ignore[union-attr]

        def bare(value: object) -> object:
            return model.predict([model.prepare(decode(value))])[0]  # type: ignore[attr-defined]

        alternatives = {"operators called by hand": bare, "pipeline(x)": embed}
        print("| | median µs | 99 % below µs |")
        print("|---|---|---|")
        for name, call in alternatives.items():
            taken = sorted(microseconds(call))
            median, high = statistics.median(taken), taken[int(0.99 * len(taken))]
            print(f"| {name} | {median:.1f} | {high:.1f} |")
        os.chdir(here)


if __name__ == "__main__":
    main()
