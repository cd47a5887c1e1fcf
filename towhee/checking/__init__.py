"""What an operator does, held against what its manifest and the contract promise.

``plugin_spec.conformance`` reads a repository; this runs it, in a process of its own.
"""

from __future__ import annotations

from towhee.checking.inspection import inspect

__all__ = ["inspect"]
