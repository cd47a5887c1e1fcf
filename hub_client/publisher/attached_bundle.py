"""A sigstore bundle that its publisher made, held against what is to be published."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hub_client.publisher.publication import AttachedBundle
from hub_client.sources.signed_release import SIGSTORE_SIZE_LIMIT
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from pathlib import Path

    from hub_client.publisher.publication import Publication


class WrongBundle(HubError):
    """A file is no sigstore bundle, or one that signs something else."""


def attach_bundle(
    publication: Publication, file: Path, *, statement: bytes
) -> Publication:
    """The publication with the bundle in ``file``, which says that it signs it.

    Whether the signature is good, and whose it is, is for users to ask: only they know
    whose counts.

    :raises WrongBundle: if it is for other files, another version, or nothing.
    """
    with file.open("rb") as opened:
        bundle = opened.read(SIGSTORE_SIZE_LIMIT + 1)
    try:
        if len(bundle) > SIGSTORE_SIZE_LIMIT:
            raise ValueError(f"more than {SIGSTORE_SIZE_LIMIT} bytes")  # noqa: TRY301
        digest = json.loads(bundle)["messageSignature"]["messageDigest"]["digest"]
        signed = base64.b64decode(digest, validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise WrongBundle(
            f"`{file}` is no sigstore bundle of a file",
            hint="Make it with `sigstore sign --bundle FILE STATEMENT`",
        ) from error
    if signed != hashlib.sha256(statement).digest():
        said = statement.decode().strip()
        raise WrongBundle(
            f"`{file}` signs something else than this release\n  expected `{said}`",
            hint="Sign what `--statement FILE` writes, and keep both files outside "
            "the operator's folder",
        )
    return replace(publication, bundle=AttachedBundle(bundle, statement))
