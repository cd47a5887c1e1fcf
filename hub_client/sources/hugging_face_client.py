"""Questions to a Hugging Face server, through its own client; answers or our errors."""

from __future__ import annotations

import os
import re
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hub_client.candidate import ReleaseGone
from hub_client.proxies import through
from hub_client.side_by_side import pause, watched
from hub_client.sources import HUGGING_FACE, HUGGING_FACE_AT
from hub_client.sources.hugging_face_transfer import (
    BUSY,
    LISTING_LIMIT,
    NoAnswer,
    SentOn,
    limited,
)
from hub_client.staging import NO_ROOM
from hub_client.steps import note
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hub_client.sources.hugging_face_transfer import Arrived, Held

T = TypeVar("T")

PUBLIC_ENDPOINT: Final = "https://huggingface.co"
"""Where repositories lie unless ``HF_ENDPOINT`` or the source says otherwise."""

AT_ONCE: Final = 4
"""Files that are fetched side by side."""
WAITS: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try, unless the server names its own."""
_TRIED: Final = 10.0
"""Seconds after which the client itself connected in vain, again and again."""
_LONGEST_WAIT: Final = 60.0
"""Seconds; a server that asks for more is not waited for."""
# Of Retry-After, and of RateLimit, as in `"api";r=0;t=12`.
_SECONDS: Final = re.compile(r"(?:^|;\s*t=)([0-9]{1,9})(?:$|;)")
_ADDRESS: Final = re.compile(r"https?://[^/\s]\S*")
_REACH: Final = "Check your network and HF_ENDPOINT, and try again"


class ClientMissing(HubError, ImportError):
    """The package ``huggingface_hub`` is not installed."""


class RepositoryRefused(HubError):
    """A repository is missing, private, gated or disabled, or may not be read."""


class RepositoryMissing(RepositoryRefused, LookupError):
    """A repository is not there, or is private and not to be seen."""


class RepositoryMoved(RepositoryRefused):
    """A repository has another name now, and so perhaps another owner."""


class ServerUnreachable(HubError):
    """A server does not answer, or answers with errors only."""


class InvalidEndpoint(HubError, ValueError):
    """``HF_ENDPOINT`` is no address of a server."""


class FileGone(ReleaseGone):
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

    @property
    def spec(self) -> str:
        """It as a source, as configuration writes it."""
        if self.endpoint == endpoint():
            return f"{HUGGING_FACE}{self.name}"
        return f"{HUGGING_FACE_AT}{self.endpoint}/{self.name}"

    def ask(
        self,
        question: Callable[[Any], T],
        *,
        limit: int = LISTING_LIMIT,
        waits: Sequence[float] | None = None,
        patience: float | None = None,
        silence: bool = True,
    ) -> T:
        """Ask the client's API, again if the server was busy.

        It sends the token that the user's own Hugging Face tools keep.

        :param limit: bytes that one answer may have.
        :param waits: seconds before each further try; ``WAITS`` if not given.
        :param patience: as ``limited`` takes it.
        :param silence: whether to ask a server again, too, that gave no answer at all.
        :raises RepositoryRefused: saying whether to log in or to ask for access.
        :raises ServerUnreachable: with what the server said last.
        :raises RepositoryMoved: if what it lists is another repository's.
        :raises FileGone: if the repository is there and the revision is not.
        :raises TooMuch: if an answer is longer than ``limit``.
        """
        api = self._api()
        with _quiet(), limited(self.endpoint, limit, patience) as held:
            for wait in (*(WAITS if waits is None else waits), None):
                asked = time.monotonic()
                try:
                    return _answer(partial(question, api), held)
                except SentOn as error:
                    raise self._moved(error) from error
                except NoAnswer as error:
                    raise self._unreachable(str(error)) from error
                except HubError:
                    raise
                # Anything may come of an answer that is not what it should be.
                except Exception as error:
                    cause = _innermost(error)
                    again = _is_temporary(cause) and (silence or _status(cause))
                    if wait is None or not again:
                        raise self._refusal(cause) from error
                    seconds = _asked_wait(cause)
                    seconds = wait if seconds is None else seconds
                    late = time.monotonic() + seconds > held.until
                    tried = time.monotonic() - asked > _TRIED and _is_unmet(cause)
                    if late or tried or seconds > _LONGEST_WAIT:
                        raise self._refusal(cause) from error
                    note("waiting", f"{seconds:g} s", "for", self.url)
                    pause(seconds)
        raise AssertionError  # the last wait is None, which returns or raises

    def download(
        self,
        path: str,
        revision: str,
        *,
        limit: int,
        again: bool = False,
        arrived: Arrived | None = None,
    ) -> Path:
        """Bring a file into the client's cache.

        :param again: fetch it even if the cache has it.
        :raises HubError: as ``ask``, which takes ``limit``, too.
        """
        found = self.ask(
            lambda api: api.hf_hub_download(
                self.name,
                path,
                revision=revision,
                force_download=again,
                tqdm_class=arrived and arrived.bar_class(),
            ),
            limit=limit,
        )
        return Path(found)

    def cached(self, path: str, commit: str) -> Path | None:
        """Where Hugging Face's own tools keep a file, if they have it."""
        self._api()
        from huggingface_hub import constants, try_to_load_from_cache

        found = try_to_load_from_cache(
            self.name, path, cache_dir=constants.HF_HUB_CACHE, revision=commit
        )
        return Path(found) if isinstance(found, str) and Path(found).is_file() else None

    def _api(self) -> Any:  # noqa: ANN401  (its package may be missing)
        try:
            from huggingface_hub import HfApi
        except ImportError as error:
            raise ClientMissing(
                f"Reading `{self.url}` takes the package `huggingface_hub`",
                hint="pip install 'towhee-hub[huggingface]'",
            ) from error
        if not _ADDRESS.fullmatch(self.endpoint):
            raise InvalidEndpoint(
                f"expected HF_ENDPOINT to be `https://SERVER`, got {self.endpoint!r}",
                hint="Set it to the address of a server, or unset it",
            )
        # The user's token is for the server that they chose, and not for one that a
        # project names.
        token = None if self.endpoint == endpoint() else False
        return HfApi(endpoint=self.endpoint, token=token, library_name="towhee-hub")

    def _moved(self, error: SentOn) -> HubError:
        if ":" in error.to:
            return self._not_hugging_face(HubError(f"it sends to `{error.to}`"))
        now = replace(self, name=error.to).spec
        return RepositoryMoved(
            f"`{self.spec}` is now `{now}`",
            hint=f"If you trust who has it there, name `{now}` as the source",
        )

    def _how_to_log_in(self) -> str:
        if self.endpoint == endpoint():
            return "run `hf auth login`"
        return f"set `HF_ENDPOINT={self.endpoint}`: a token goes nowhere else"

    def _how_to_ask_more(self) -> str:
        if self.endpoint == endpoint():
            return "Wait, or log in: `hf auth login`; who is logged in may ask more"
        return "Wait, and try again"

    def _refusal(self, error: BaseException) -> HubError:  # noqa: PLR0911  (a case each)
        from huggingface_hub import errors

        match error:
            case errors.GatedRepoError():
                return RepositoryRefused(
                    f"`{self.url}` is gated, and you have no access to it",
                    hint=f"Ask for access on its page, then {self._how_to_log_in()}",
                )
            case errors.DisabledRepoError():
                return RepositoryRefused(f"`{self.url}` was disabled by its server")
            case errors.RepositoryNotFoundError():
                return RepositoryMissing(
                    f"`{self.url}` does not exist, or is private",
                    hint=f"Check its name; for a private one {self._how_to_log_in()}",
                )
            case errors.RevisionNotFoundError() | errors.RemoteEntryNotFoundError():
                return FileGone(f"`{self.url}`: {_said(error)}")
            case errors.HfHubHTTPError() if _status(error) in {401, 403}:
                return RepositoryRefused(
                    f"`{self.url}` refuses access: {_said(error)}",
                    hint=f"Check what your token may do, or {self._how_to_log_in()}",
                )
            case errors.OfflineModeIsEnabled():
                return ServerUnreachable(
                    f"`{self.url}` is not asked, as HF_HUB_OFFLINE is set",
                    hint="Unset it; `--offline` takes what was fetched before",
                )
            case OSError(errno=int()) | UnicodeError() if problem := self._bad_token():
                return problem
            case OSError(errno=int()):
                return self._not_kept(error)
        return self._no_answer(error)

    def _bad_token(self) -> HubError | None:
        """What is wrong with the user's token, if it is what an error comes from."""
        from huggingface_hub import constants, get_token

        try:
            if self.endpoint == endpoint():
                (get_token() or "").encode("ascii")
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or getattr(error, "reason", "")
            return HubError(
                f"Your Hugging Face token cannot be read or sent: {reason}",
                hint=f"Check HF_TOKEN and `{constants.HF_TOKEN_PATH}`, or log in anew: "
                "`hf auth login`",
            )
        return None

    def _not_kept(self, error: OSError) -> HubError:
        from huggingface_hub import constants

        full = error.errno in NO_ROOM
        way_on = "Make room on that disk" if full else "Make it writable"
        return HubError(
            f"Cannot keep what `{self.url}` gives in `{constants.HF_HUB_CACHE}`: "
            f"{error.strerror}",
            hint=f"{way_on}, or set HF_HUB_CACHE to a folder on another one",
        )

    def _no_answer(self, error: BaseException) -> HubError:
        from huggingface_hub import errors

        told = (OSError, ImportError, errors.HFValidationError, _transport_error())
        if isinstance(error, errors.FileMetadataError) or not isinstance(error, told):
            return self._not_hugging_face(error)
        if _status(error) == HTTPStatus.TOO_MANY_REQUESTS:
            return self._unreachable(_said(error), hint=self._how_to_ask_more())
        return self._unreachable(_said(error))

    def _unreachable(self, reason: str, *, hint: str = _REACH) -> HubError:
        return ServerUnreachable(
            f"`{self.endpoint}`{through(self.endpoint)} does not give `{self.name}`: "
            f"{reason}",
            hint=hint,
        )

    def _not_hugging_face(self, error: BaseException) -> HubError:
        """What the client could make nothing of: often a page to log in at."""
        return ServerUnreachable(
            f"`{self.endpoint}` does not answer for `{self.name}` as a Hugging Face "
            f"server does: {_said(error)}",
            hint="Check HF_ENDPOINT, and whether your network wants you to log in",
        )


def _answer(question: Callable[[], T], held: Held) -> T:
    """What the client makes of a question, be the server never so slow.

    :raises NoAnswer: if it drips, so that the client itself would wait for ever.
    """
    if held.patience == inf:
        return question()
    held.await_nothing()
    return watched(question, held.check_due)


def _innermost(error: BaseException) -> BaseException:
    """What its HTTP library says, below what the client makes of it."""
    transport = _transport_error()
    while error.__cause__ is not None and not isinstance(error, transport):
        error = error.__cause__
    return error


def _transport_error() -> type[Exception]:
    """The class of all that its HTTP library raises, whichever that is."""
    from huggingface_hub import errors

    found: type[Exception] = vars(errors)["HTTPError"]
    return found


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _is_temporary(error: BaseException) -> bool:
    """Whether asking again may help: a busy server, a broken or cut transfer."""
    from huggingface_hub import errors

    if (status := _status(error)) is not None:
        return status in BUSY
    cut = isinstance(error, OSError) and error.errno is None
    known = isinstance(error, errors.OfflineModeIsEnabled | errors.FileMetadataError)
    return isinstance(error, _transport_error()) or (cut and not known)


def _is_unmet(error: BaseException) -> bool:
    """Whether no connection came about."""
    # Whichever HTTP library it is, it is httpx by another name.
    return isinstance(error, _transport_error()) and (
        type(error).__name__ in {"ConnectError", "ConnectTimeout"}
    )


def _asked_wait(error: BaseException) -> float | None:
    """Seconds for which a server asks to be left alone, if it says so in seconds."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    for header in ("Retry-After", "RateLimit"):
        if match := _SECONDS.search(headers.get(header, "")):
            return float(match[1])
    return None


def _said(error: BaseException) -> str:
    status = _status(error)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        asked = _asked_wait(error)
        more = f", and none for {asked:g} seconds" if asked else ""
        return f"it asks to send fewer requests (429){more}"
    words = getattr(error, "server_message", None) or str(error).strip()
    first = words.splitlines()[0] if words else type(error).__name__
    return f"{first} ({status})" if status and str(status) not in first else first


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the client's own progress bars: ours are drawn by the command line.

    Nor does it warn of a full disk: what cannot be written is an error of ours. What it
    would like in a page's metadata, the page itself says.
    """
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Not enough free disk space")
        warnings.filterwarnings("ignore", "Warnings while validating metadata")
        if are_progress_bars_disabled():
            yield
            return
        disable_progress_bars()
        try:
            yield
        finally:
            enable_progress_bars()
