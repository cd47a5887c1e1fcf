"""Encoded bytes from a file or a web address."""

from __future__ import annotations

import http.client
import stat
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final

from .errors import UnreadableImage

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK: Final = 1 << 16


def read_file(path: Path) -> bytes:
    """Read a whole file.

    :raises UnreadableImage: if it is missing, a folder, or cannot be read.
    """
    label = f"`{path}`"
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):  # reading a pipe or a device may never end
            return path.read_bytes()
    except FileNotFoundError as error:
        address = ":/" in str(path)
        hint = "Of web addresses, only http and https are read" if address else None
        raise UnreadableImage(label, "no such file", hint=hint) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableImage(label, reason) from error
    if stat.S_ISDIR(mode):
        hint = f"Take the files in it, for example `{path / '*.jpg'}`"
        raise UnreadableImage(label, "it is a folder", hint=hint)
    raise UnreadableImage(label, "it is not a regular file")


def download(url: str, *, timeout: float, max_bytes: int) -> bytes:
    """Read the body that ``url`` answers with.

    :param timeout: seconds from the first packet to the last byte.
    :raises UnreadableImage: if it cannot be reached, is too slow or too large, or is a
        page of text, as many servers send instead of an error.
    """
    label = f"`{url}`"
    try:
        return _body(url, timeout=timeout, max_bytes=max_bytes)
    except UnreadableImage:
        raise
    except TimeoutError as error:
        reason = f"it took longer than {timeout:g} seconds"
        raise UnreadableImage(label, reason) from error
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"it answers {error.code} {error.reason}"
        raise UnreadableImage(label, reason) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = f"it cannot be reached ({getattr(error, 'reason', None) or error})"
        raise UnreadableImage(label, reason) from error


def _body(url: str, *, timeout: float, max_bytes: int) -> bytes:
    deadline = time.monotonic() + timeout
    request = urllib.request.Request(  # noqa: S310  (the caller checked the scheme)
        url, headers={"User-Agent": "towhee-hub", "Accept": "image/*"}
    )
    body = bytearray()
    with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
        if response.headers.get_content_maintype() == "text":
            kind = response.headers.get_content_type()
            raise UnreadableImage(f"`{url}`", f"it answers with {kind}")
        # read1 returns what has arrived, so a server that drips meets the deadline.
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > max_bytes:
                reason = f"it is larger than {max_bytes} bytes"
                hint = "Raise `max_bytes` to allow it"
                raise UnreadableImage(f"`{url}`", reason, hint=hint)
            if time.monotonic() > deadline:
                raise TimeoutError
    return bytes(body)
