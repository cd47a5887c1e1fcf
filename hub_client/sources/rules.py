"""Which source a name's rule points to. It opens none, and imports next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugin_spec.errors import HubError, InvalidName
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Mapping


class InvalidSource(HubError, ValueError):
    """A source, or the pattern of a rule, cannot be read."""


class SourceRules:
    """Sources by pattern, as configuration has them.

    A pattern is ``namespace/name``, ``namespace/*`` or ``*``, more specific first.
    """

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._rules = {_canonical(pattern): spec for pattern, spec in rules.items()}

    def source_spec(self, name: OperatorName) -> str | None:
        """The source of ``name``, placeholders filled; None if no rule covers it."""
        return self.spec_of(name.namespace, name.name)

    def spec_of(self, namespace: str, name: str) -> str | None:
        """As ``source_spec``, for a name that is known to be one."""
        for pattern in (f"{namespace}/{name}", f"{namespace}/*", "*"):
            if (spec := self._rules.get(pattern)) is not None:
                spec = spec.replace("{namespace}", namespace)
                return spec.replace("{name}", name)
        return None

    def specs(self) -> tuple[str, ...]:
        """Every source once, as configuration writes it, in its order."""
        return tuple(dict.fromkeys(self._rules.values()))

    def names(self) -> frozenset[OperatorName]:
        """The names that have a rule of their own."""
        return frozenset(
            OperatorName.parse(pattern)
            for pattern in self._rules
            if not pattern.endswith("*")
        )


def _canonical(pattern: str) -> str:
    """The pattern with its namespace written out.

    :raises InvalidSource: if it is none of the three forms.
    """
    if pattern == "*":
        return pattern
    namespace, slash, name = pattern.partition("/")
    try:
        if slash and name == "*":
            return f"{OperatorName.parse(f'{namespace}/x').namespace}/*"
        return str(OperatorName.parse(pattern))
    except InvalidName as error:
        raise InvalidSource(
            f"expected a pattern of names in `[sources]`, got {pattern!r}",
            hint="Write `namespace/name`, `namespace/*` or `*`",
        ) from error
