"""What a sigstore bundle signs: a release, by name, version and all its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

    from plugin_spec.names import OperatorName


def release_statement(name: OperatorName, version: Version, tree: str) -> bytes:
    r"""One line, the same for everybody who has the files.

    >>> from packaging.version import Version
    >>> from plugin_spec.names import OperatorName
    >>> release_statement(OperatorName.parse("acme/embed"), Version("1.0"), "sha256:0a")
    b'acme/embed 1.0 sha256:0a\n'

    :param tree: the digest of its files, as ``tree_digest`` gives it.
    """
    return f"{name} {version} {tree}\n".encode("ascii")
