"""Requirements on operators, written like ``image-embedding/timm>=1.2,<2``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from plugin_spec.errors import InvalidName, InvalidRequirement
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from packaging.version import Version

_SPLIT = re.compile(r"\s*([^\s=<>!~]+)\s*((?:[=<>!~].*)?)")


# Longer than anybody writes, and far from the thousands of digits in which Python
# refuses to count: packaging reads those, and falls over them later.
_MAX_LENGTH: Final = 1_000


def parse_specifier(text: str) -> SpecifierSet:
    """Parse a PEP 440 specifier that can be asked for versions ever after.

    >>> parse_specifier(">=1,<2").contains("1.5")
    True

    :raises InvalidSpecifier: if it is none, or longer than a thousand characters.
    """
    if len(text) > _MAX_LENGTH:
        raise InvalidSpecifier(
            f"expected at most {_MAX_LENGTH:,} characters, got {len(text):,}"
        )
    return SpecifierSet(text)


@dataclass(frozen=True, slots=True)
class Requirement:
    """An operator name and the versions of it that will do."""

    name: OperatorName
    specifier: SpecifierSet

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a name with an optional PEP 440 specifier.

        >>> str(Requirement.parse("image-embedding/timm >=1, <2"))
        'image-embedding/timm<2,>=1'

        :raises InvalidRequirement: if the name or the specifier does not parse.
        """
        match = _SPLIT.fullmatch(text)
        if match is None:
            raise InvalidRequirement(
                f"expected a requirement, got {text!r}",
                hint="Write one as `image-embedding/timm>=1,<2`",
            )
        try:
            name = OperatorName.parse(match[1])
        except InvalidName as error:
            raise InvalidRequirement(str(error), hint=error.hint) from error
        try:
            return cls(name, parse_specifier(match[2]))
        except InvalidSpecifier as error:
            if len(text) > _MAX_LENGTH:
                raise InvalidRequirement(
                    f"invalid version specifier: {error}"
                ) from error
            caret = " " * match.start(2) + "^"
            raise InvalidRequirement(
                f"invalid version specifier\n    {text}\n    {caret}",
                hint="Write versions as PEP 440 does, for example `>=1,<2`",
            ) from error

    def accepts(self, version: Version) -> bool:
        """Whether ``version`` will do; whether a pre-release may is another rule."""
        return self.specifier.contains(version, prereleases=True)

    def __str__(self) -> str:
        return f"{self.name}{self.specifier}"
