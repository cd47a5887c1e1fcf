"""The licence that a manifest names, held against the list of SPDX."""

from __future__ import annotations

import re
from typing import Final

from plugin_spec.nearest import nearest

_COMMON: Final = (
    *("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "BSL-1.0"),
    *("MPL-2.0", "EPL-2.0", "LGPL-2.1-only", "LGPL-2.1-or-later"),
    *("LGPL-3.0-only", "LGPL-3.0-or-later", "GPL-2.0-only", "GPL-2.0-or-later"),
    *("GPL-3.0-only", "GPL-3.0-or-later", "AGPL-3.0-only", "AGPL-3.0-or-later"),
    *("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0"),
    *("CC-BY-NC-ND-4.0", "CC-BY-ND-4.0", "Unlicense"),
)
"""What people mean by short names; of the 700 others nearly none is what they mean."""
_GRAMMAR: Final = frozenset({"and", "or", "with"})


def find_license_problem(text: str) -> str | None:
    """Say why ``text`` is no SPDX expression; None if it is one.

    >>> find_license_problem("Apache2")
    '`Apache2` is not on the list of SPDX: did you mean `Apache-2.0`?'
    >>> find_license_problem("MIT OR LicenseRef-Acme") is None
    True
    """
    from packaging.licenses import (  # noqa: PLC0415  (a long list, seldom needed)
        InvalidLicenseExpression,
        canonicalize_license_expression,
    )

    try:
        canonicalize_license_expression(text)
    except InvalidLicenseExpression as error:
        reason = f"expected an SPDX expression, got {text!r}: {error}"
    else:
        return None
    for word in re.findall(r"[^\s()]+", re.sub(r"(?i)\bwith\s+\S+", "", text)):
        try:
            canonicalize_license_expression(word)
        except InvalidLicenseExpression:
            if word.lower() not in _GRAMMAR:
                return f"`{word}` is not on the list of SPDX{_did_you_mean(word)}"
    return reason


def _did_you_mean(word: str) -> str:
    """The end of a message: up to two that begin as ``word``, or else look like it."""
    short = _short(word)
    begun = [each for each in _COMMON if short and _short(each).startswith(short)]
    found = [f"`{each}`" for each in (begun or nearest(word, _COMMON))[:2]]
    return f": did you mean {' or '.join(found)}?" if found else ""


def _short(text: str) -> str:
    """What is left of an identifier for those who do not write it out.

    >>> _short("Apache-License-v2"), _short("BSD-3-Clause")
    ('apache2', 'bsd3clause')
    """
    return re.sub(r"v(?=\d)|licen[cs]e|[^a-z0-9]", "", text.lower())
