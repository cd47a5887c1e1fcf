"""Encoded bytes from a file or a web address."""

from __future__ import annotations

import http.client
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
    if path.is_dir():
        hint = f"Take the files in it, for example `{path / '*.jpg'}`"
        raise UnreadableImage(f"`{path}`", "it is a folder", hint=hint)
    if not path.exists():
        raise UnreadableImage(f"`{path}`", "no such file")
    if not path.is_file():  # reading a pipe or a device may never end
        raise UnreadableImage(f"`{path}`", "it is not a regular file")
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableImage(f"`{path}`", reason) from error


def download(url: str, *, timeout: float, max_bytes: int) -> bytes:
    """Read the body that ``url`` answers with.

    :param timeout: seconds from the first packet to the last byte.
    :raises UnreadableImage: if it cannot be reached, is too slow or too large, or is a
        page of text, as many servers send instead of an error.
    """
    deadline = time.monotonic() + timeout
    request = urllib.request.Request(  # noqa: S310  (the caller checked the scheme)
        url, headers={"User-Agent": "towhee-hub", "Accept": "image/*"}
    )
    body = bytearray()
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            if response.headers.get_content_maintype() == "text":
                kind = response.headers.get_content_type()
                raise UnreadableImage(f"`{url}`", f"it answers with {kind}")
            # read1 returns what has arrived, so a server that drips meets the deadline.
            while chunk := response.read1(_CHUNK):
                body += chunk
                if len(body) > max_bytes:
                    reason = f"it is larger than {max_bytes} bytes"
                    raise UnreadableImage(
                        f"`{url}`", reason, hint="Raise `max_bytes` to allow it"
                    )
                if time.monotonic() > deadline:
                    raise TimeoutError  # noqa: TRY301  (as the socket would)
    except TimeoutError as error:
        reason = f"it took longer than {timeout:g} seconds"
        raise UnreadableImage(f"`{url}`", reason) from error
    except urllib.error.HTTPError as error:
        reason = f"it answers {error.code} {error.reason}"
        error.close()
        raise UnreadableImage(f"`{url}`", reason) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, UnreadableImage):
            raise
        reason = f"it cannot be reached ({getattr(error, 'reason', None) or error})"
        raise UnreadableImage(f"`{url}`", reason) from error
    return bytes(body)
