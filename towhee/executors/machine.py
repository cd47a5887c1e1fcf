"""What is known of the machine that this process runs on."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from pathlib import Path


def available_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_model() -> str:
    """The processor's model, as the system calls it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def accelerator_models() -> list[str]:
    """GPUs that torch computes on in this process, as it calls them.

    None where nothing was computed on one yet: looking alone would take its memory.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    count = torch.cuda.device_count()
    return [torch.cuda.get_device_name(number) for number in range(count)]
