"""The formats of a manifest's strings: each function says what is wrong with one."""

from __future__ import annotations

import keyword
import re
import sys
from typing import TYPE_CHECKING, Final

from packaging.requirements import InvalidRequirement as InvalidPackage
from packaging.requirements import Requirement as PackageRequirement
from packaging.specifiers import InvalidSpecifier
from packaging.version import InvalidVersion, Version

from plugin_spec.errors import HubError
from plugin_spec.names import OperatorName
from plugin_spec.nearest import did_you_mean
from plugin_spec.port import PORT_TYPES
from plugin_spec.requirement import Requirement, parse_specifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JSON_TYPES: Final = frozenset(
    {"array", "boolean", "integer", "null", "number", "object", "string"}
)
_OUR_PACKAGES: Final = frozenset({"plugin_spec", "hub_client", "towhee"})
_LICENSE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9.+-]*(?: (?:AND|OR|WITH) [A-Za-z0-9][A-Za-z0-9.+-]*)*"
)


def _operator_name(text: str) -> str | None:
    try:
        OperatorName.parse(text)
    except HubError as error:
        return str(error)
    return None


def _operator(text: str) -> str | None:
    try:
        Requirement.parse(text)
    except HubError as error:
        first, *more = str(error).splitlines()
        return f"{first}, got {text!r}" if more else first
    return None


def _version(text: str) -> str | None:
    try:
        Version(text)
    except InvalidVersion:
        return f"expected a PEP 440 version, got {text!r}"
    return None


def _specifier(text: str) -> str | None:
    try:
        parse_specifier(text)
    except InvalidSpecifier:
        return f"expected a PEP 440 specifier such as `>=3.11`, got {text!r}"
    return None


def _package(text: str) -> str | None:
    r"""Say why ``text`` is no Python package to ask for; None if it is one.

    >>> _package(r'six; os_name == "a\n--index-url http://h/"')[:30]
    'expected a PEP 508 requirement'
    """
    expected = f"expected a PEP 508 requirement such as `timm>=1,<2`, got {text!r}"
    try:
        package = PackageRequirement(text)
    except InvalidPackage:
        return expected
    # Packaging writes an escaped line end out: it would begin a line for uv and pip.
    if not str(package).isprintable():
        return expected
    if package.url is not None:
        return f"URL requirements are not allowed, got {text!r}"
    return None


def _identifier(text: str) -> str | None:
    """Say why ``text`` cannot name a Python argument; None if it can.

    >>> _identifier("class")
    "expected a Python identifier, got the keyword 'class'"
    """
    if not text.isascii() or not text.isidentifier():
        return f"expected a Python identifier, got {text!r}"
    if keyword.iskeyword(text):
        return f"expected a Python identifier, got the keyword {text!r}"
    return None


def _module(text: str) -> str | None:
    """Say why ``text`` cannot name an operator's package; None if it can.

    >>> _module("json")
    '`json` belongs to Python; choose a name such as `json_operator`'
    """
    if problem := _identifier(text):
        return problem
    if text in sys.stdlib_module_names or text in _OUR_PACKAGES:
        owner = "this hub" if text in _OUR_PACKAGES else "Python"
        return f"`{text}` belongs to {owner}; choose a name such as `{text}_operator`"
    return None


def _license(text: str) -> str | None:
    if _LICENSE.fullmatch(re.sub(r"[()]", "", text)):
        return None
    return f"expected an SPDX expression such as `Apache-2.0`, got {text!r}"


def check_path(text: str) -> str | None:
    """Say why ``text`` cannot name a file inside a repository; None if it can.

    >>> check_path("../secret")
    "expected a relative path inside the repository, got '../secret'"
    """
    parts = text.split("/")
    if {"", ".", ".."} & set(parts) or re.search(r"[\\:\x00-\x1f\x7f]", text):
        return f"expected a relative path inside the repository, got {text!r}"
    return None


def _port_type(text: str) -> str | None:
    if text in PORT_TYPES:
        return None
    return f"unknown port type {text!r}{did_you_mean(text, PORT_TYPES)}"


def _json_type(text: str) -> str | None:
    if text in JSON_TYPES:
        return None
    return f"unknown JSON type {text!r}{did_you_mean(text, JSON_TYPES)}"


FORMATS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "identifier": _identifier,
    "json-type": _json_type,
    "license": _license,
    "module": _module,
    "operator": _operator,
    "operator-name": _operator_name,
    "package": _package,
    "path": check_path,
    "port-type": _port_type,
    "specifier": _specifier,
    "version": _version,
}
