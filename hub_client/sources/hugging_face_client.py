"""Questions to a Hugging Face server, through its own client; answers or our errors."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

PUBLIC_ENDPOINT: Final = "https://huggingface.co"
"""Where repositories lie unless ``HF_ENDPOINT`` or the source says otherwise."""

WAITS: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try, unless the server names its own."""
_LONGEST_WAIT: Final = 60.0
_WORTH_A_TRY: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class ClientMissing(HubError, ImportError):
    """The package ``huggingface_hub`` is not installed."""


class RepositoryRefused(HubError):
    """A repository is missing, private, gated or disabled, or may not be read."""


class RepositoryMissing(RepositoryRefused, LookupError):
    """A repository is not there, or is private and not to be seen."""


class ServerUnreachable(HubError):
    """A server does not answer, or answers with errors only."""


class FileGone(HubError, LookupError):
    """A revision, or a file of it, is not there any more."""


def endpoint() -> str:
    """The server that ``hf:`` stands for, without a slash at the end."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC_ENDPOINT).rstrip("/")


@dataclass(frozen=True, slots=True)
class HuggingFaceRepository:
    """One model repository at one server."""

    name: str
    """``organization/name``."""
    endpoint: str = PUBLIC_ENDPOINT

    @property
    def url(self) -> str:
        """Its page."""
        return f"{self.endpoint}/{self.name}"

    def ask(self, question: Callable[[Any], T]) -> T:
        """Ask the client's API, again if the server was busy.

        It sends the token that the user's own Hugging Face tools keep.

        :raises RepositoryRefused: saying whether to log in or to ask for access.
        :raises ServerUnreachable: with what the server said last.
        :raises FileGone: if the repository is there and the revision is not.
        """
        api = self._api()
        with _quiet():
            for wait in (*WAITS, None):
                try:
                    return question(api)
                except _transport_error() as error:
                    if wait is None or not _is_temporary(error):
                        raise self._refusal(error) from error
                    time.sleep(_asked_wait(error, wait))
        raise AssertionError  # the last wait is None, which returns or raises

    def _api(self) -> Any:  # noqa: ANN401  (its package may be missing)
        try:
            from huggingface_hub import HfApi
        except ImportError as error:
            raise ClientMissing(
                f"Reading `{self.url}` takes the package `huggingface_hub`",
                hint="pip install 'towhee-hub[huggingface]'",
            ) from error
        return HfApi(endpoint=self.endpoint, library_name="towhee-hub")

    def _refusal(self, error: Exception) -> HubError:
        from huggingface_hub import errors

        match error:
            case errors.GatedRepoError():
                return RepositoryRefused(
                    f"`{self.url}` is gated, and you have no access to it",
                    hint="Ask for access on its page, then run `hf auth login`",
                )
            case errors.DisabledRepoError():
                return RepositoryRefused(f"`{self.url}` was disabled by its server")
            case errors.RepositoryNotFoundError():
                return RepositoryMissing(
                    f"`{self.url}` does not exist, or is private",
                    hint="Check its name; for a private one run `hf auth login`",
                )
            case errors.RevisionNotFoundError() | errors.RemoteEntryNotFoundError():
                return FileGone(f"`{self.url}`: {_said(error)}")
            case errors.HfHubHTTPError() if _status(error) in {401, 403}:
                return RepositoryRefused(
                    f"`{self.url}` may not be read: {_said(error)}",
                    hint="Run `hf auth login`, and check that the token may read it",
                )
        return ServerUnreachable(
            f"`{self.endpoint}` does not give `{self.name}`: {_said(error)}",
            hint="Check your network and HF_ENDPOINT, and try again",
        )


def _transport_error() -> type[Exception]:
    """The class of all that its HTTP library raises, whichever that is."""
    from huggingface_hub import errors

    found: type[Exception] = vars(errors)["HTTPError"]
    return found


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _is_temporary(error: Exception) -> bool:
    status = _status(error)
    return status is None or status in _WORTH_A_TRY


def _asked_wait(error: Exception, otherwise: float) -> float:
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        return min(float(headers["Retry-After"]), _LONGEST_WAIT)
    except (KeyError, ValueError):
        return otherwise


def _said(error: Exception) -> str:
    status = _status(error)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "it asks to send fewer requests (429)"
    words = getattr(error, "server_message", None) or str(error).strip()
    first = words.splitlines()[0] if words else type(error).__name__
    return f"{first} ({status})" if status and str(status) not in first else first


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the client's own progress bars: ours are drawn by the command line."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
