"""What the C library does with memory that is freed, where it can be told.

A model frees large blocks between its layers. By habit glibc gives them back to the
system, which hands them out again page by page, each filled with zeros: on resnet50
with batches of 32 half of the time goes there.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from towhee.executors.plan import Allocator

# From malloc.h.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
# Where glibc's own adaptation ends; it stops for good once a threshold is set.
_ADAPTED: Final = 32 << 20


class ProcessAllocator:
    """The allocator of this process, and how it was set."""

    def __init__(self) -> None:
        self.current: Allocator = "default"

    @property
    def can_keep(self) -> bool:
        """Whether it can be told to keep what is freed: glibc's can, on Linux."""
        return self._glibc is not None

    def use(self, choice: Allocator) -> None:
        """Free memory so from now on; what cannot be told goes on as it does."""
        # What was never changed stays as the user has it.
        if self._glibc is None or choice == self.current == "default":
            return
        mallopt = self._glibc.mallopt
        keep = choice == "keep"
        # Some releases refuse a threshold beyond where their own adaptation ends.
        if not (keep and mallopt(_MMAP_THRESHOLD, 1 << 30)):
            mallopt(_MMAP_THRESHOLD, _ADAPTED)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1 if keep else 2 * _ADAPTED)
        self.current = choice

    @cached_property
    def _glibc(self) -> Any | None:  # noqa: ANN401  (a library of C functions)
        if sys.platform != "linux":
            return None
        import ctypes  # noqa: PLC0415  (milliseconds, and only for what is measured)

        library = ctypes.CDLL(None)
        return library if hasattr(library, "gnu_get_libc_version") else None


allocator: Final = ProcessAllocator()
