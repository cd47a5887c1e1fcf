"""What a backend is refused for, when it is made and not at the first batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugin_spec.inference.agreement import Agreement


class BackendUnavailable(HubError):
    """A backend is not installed, or does not compute so."""


class PackagesMissing(BackendUnavailable, ImportError):
    """A backend's own packages, which no operator requires, are not installed."""

    def __init__(self, backend: str, packages: Sequence[str]) -> None:
        self.backend = backend
        self.packages = tuple(packages)
        names = ", ".join(f"`{package}`" for package in packages)
        super().__init__(
            f"The backend `{backend}` needs {names}, which operators do not bring",
            hint=f"Run `pip install {' '.join(packages)}`",
        )


class BackendFailed(HubError, RuntimeError):
    """A backend cannot take a model over."""


class BackendDiffers(HubError, ArithmeticError):
    """A backend's results are further from eager float32 than is allowed."""

    def __init__(
        self, backend: str, dtype: str, found: Agreement, bound: float
    ) -> None:
        self.backend = backend
        self.agreement = found
        self.bound = bound
        super().__init__(
            f"The backend `{backend}` in {dtype} differs from eager float32: "
            f"cosine {found.cosine:.6f} on sample inputs, and {bound} is the least",
            hint="Leave out `backend`, or take another",
        )


class DegenerateSamples(HubError, ValueError):
    """Sample inputs whose results are all alike, or no numbers, would show nothing."""
