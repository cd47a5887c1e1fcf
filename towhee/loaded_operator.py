"""An operator that is ready to be called, held to its contract at every call."""

from __future__ import annotations

import contextlib
import copy
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import InvalidOperator
from plugin_spec.operator import ModelOperator, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from plugin_spec.manifest import Manifest
    from plugin_spec.spaces import EmbeddingSpace

_OUTPUTS: Final = "Return what `outputs` says, or say there what it returns"


class LoadedOperator:
    """One instance of an operator's class, shared by all that use the same options.

    It is closed when nothing uses it any more.
    """

    def __init__(self, manifest: Manifest, operator: Operator) -> None:
        """Check what the class promises.

        :raises InvalidOperator: if ``batch_size`` is no positive integer.
        """
        self.name = str(manifest.name)
        self.manifest = manifest
        self.operator = operator
        self.model = operator if isinstance(operator, ModelOperator) else None
        self.concurrent = operator.concurrent
        self.batch_size = 1 if self.model is None else self.model.batch_size
        if self.batch_size not in range(1, sys.maxsize):
            raise InvalidOperator(
                f"`{self.name}` has the `batch_size` {self.batch_size!r}",
                hint="Make it an integer, 1 or more",
            )
        # Re-entrant: an operator may run a chain that leads back to it.
        self._alone = threading.RLock()
        self._turn = contextlib.nullcontext() if operator.concurrent else self._alone
        self._runs = 0
        self._settings: dict[str, Any] = {}
        self._kept: LoadedOperator | None = None
        self.is_own = False
        """Whether one pipeline alone has it, which may have trained it."""
        weakref.finalize(self, _close, operator)

    @property
    def is_shared(self) -> bool:
        """Whether several runs use it."""
        return self._runs > 1

    @property
    def minds_spaces(self) -> bool:
        """Whether it matters to it which space vectors are of."""
        return type(self.operator).for_space is not Operator.for_space

    def for_space(self, space: EmbeddingSpace) -> LoadedOperator:
        """The same operator for vectors of a space, with the same lock.

        :raises SpacesDiffer: if it compares them with those of another.
        """
        operator = self.operator.for_space(space)
        if operator is self.operator:
            return self
        other = copy.copy(self)
        other.operator = operator
        other.model = operator if isinstance(operator, ModelOperator) else None
        # What both of them hold is closed when the last of them goes.
        other._kept = self  # noqa: SLF001  (of our own kind)
        return other

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Count a run that may predict at any moment until this ends."""
        with self._alone:
            self._runs += 1
        try:
            yield
        finally:
            with self._alone:
                self._runs -= 1

    def configure(self, settings: Mapping[str, Any]) -> bool:
        """Let the model run so from now on, unless another run uses it meanwhile.

        :returns: whether it does; how it ran before was as right, if not as fast.
        """
        assert self.model is not None
        with self._alone:
            if self.is_shared:
                return False
            if settings != self._settings:
                self.model.configure(**settings)
                self._settings = dict(settings)
            return True

    def apply(self, value: object) -> object:
        """Process one row."""
        if self.model is not None:
            return self.predict([self.prepare(value)])[0]
        with self._turn:
            output = self.operator(*self._inputs(value))
        self._check(output)
        return output

    def prepare(self, value: object) -> object:
        """Turn one row into what ``predict`` takes; only a model does."""
        assert self.model is not None
        with self._turn:
            return self.model.prepare(*self._inputs(value))

    def predict(
        self, batch: Sequence[object], *, at_once: bool = False
    ) -> list[object]:
        """Compute one output per prepared row.

        :param at_once: several threads may; otherwise one does at a time.
        """
        assert self.model is not None
        at_once = at_once and self.model.concurrent_predict
        with contextlib.nullcontext() if at_once else self._alone:
            outputs = list(self.model.predict(batch))
        if len(outputs) != len(batch):
            raise InvalidOperator(
                f"`predict` returned {len(outputs)} outputs for {len(batch)} rows",
                hint="Return one output for each row, in their order",
            )
        for output in outputs:
            self._check(output)
        if self.model.watch is not None:
            self.model.watch.see(batch, outputs)
        return outputs

    def __str__(self) -> str:
        return self.name

    def _inputs(self, value: object) -> tuple[Any, ...]:
        ports = self.manifest.inputs
        if len(ports) == 1:
            return (value,)
        if isinstance(value, tuple) and len(value) == len(ports):
            return value
        names = ", ".join(f"`{port.name}`" for port in ports)
        raise TypeError(f"expected a tuple with the inputs {names}")

    def _check(self, output: object) -> None:
        ports = self.manifest.outputs
        if len(ports) == 1:
            if output is None and "any" not in ports[0].types:
                raise InvalidOperator(
                    f"returned None for its output `{ports[0].name}`", hint=_OUTPUTS
                )
        elif not isinstance(output, tuple) or len(output) != len(ports):
            names = ", ".join(f"`{port.name}`" for port in ports)
            raise InvalidOperator(
                f"returned no tuple with its outputs {names}", hint=_OUTPUTS
            )


def _close(operator: Operator) -> None:
    # What runs at any moment, and at exit, must not fail for an operator's mistake.
    with contextlib.suppress(Exception):
        operator.close()
