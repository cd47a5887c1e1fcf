"""Plans that were found fastest, kept for the next process on the same machine."""

from __future__ import annotations

import contextlib
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from hub_client.atomic_file import write_atomically
from towhee.executors.machine import accelerator_models, processor_model
from towhee.executors.plan import InvalidPlan, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from towhee.executors.segments import Segment


def fingerprint(segment: Segment, workers: int) -> str | None:
    """What a plan was measured for: the machine, the operators' code, their options.

    :returns: None if options are objects, which no other process can compare.
    """
    operators = [
        [str(step.name), step.installed.receipt.tree, dict(step.options)]
        for step in segment.bound
    ]
    try:
        text = json.dumps([_machine(), workers, operators], sort_keys=True)
    except (TypeError, ValueError):
        return None
    return sha256(text.encode()).hexdigest()[:32]


def _machine() -> list[str]:
    return [processor_model(), *accelerator_models()]


class PlanCache:
    """A folder with a small file for each segment that was measured."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str) -> Plan | None:
        """The plan that was kept; none if there is no file, or a damaged one."""
        try:
            document: Any = json.loads(self._file(key).read_bytes())
            return Plan.from_dict(document["plan"])
        except (OSError, ValueError, TypeError, KeyError, InvalidPlan):
            return None

    def write(self, key: str, segment: str, plan: Plan) -> None:
        """Keep a plan; where the folder cannot be written, the next run measures."""
        document = {
            "segment": segment,
            "machine": _machine(),
            "plan": plan.to_dict(),
        }
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        # A setting that is no JSON value cannot be kept.
        with contextlib.suppress(OSError, TypeError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file(key), text.encode())

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.json"
