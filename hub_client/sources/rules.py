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
        for pattern in (str(name), f"{name.namespace}/*", "*"):
            if pattern in self._rules:
                spec = self._rules[pattern].replace("{namespace}", name.namespace)
                return spec.replace("{name}", name.name)
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
            f"expected a pattern of names, got {pattern!r}",
            hint="Write `namespace/name`, `namespace/*` or `*`",
        ) from error
