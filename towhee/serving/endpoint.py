"""A function behind a path of a FastAPI application."""

from __future__ import annotations

import asyncio
import json
import logging
from operator import is_
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from plugin_spec.errors import HubError
from towhee.columns import Entity
from towhee.extras import needed_for
from towhee.serving.batches import Batches
from towhee.serving.bodies import (
    BYTES,
    EXTRA,
    FORM,
    JSON,
    BadRequest,
    encoded,
    values_in,
)
from towhee.serving.guard import named_files

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from towhee.outcome import OperatorFailed, Outcome
    from towhee.serving.functions import Function

_LOG: Final = logging.getLogger("towhee.serving")
_REQUEST_FAULT: Final = 422
_OUR_FAULT: Final = 500


def add_endpoint(
    function: Function, path: str, app: FastAPI | None, *, paths: bool
) -> FastAPI:
    """Have ``function`` answer what is posted to ``path``.

    :raises MissingExtra: if FastAPI is not installed.
    """
    with needed_for("Serving", extra=EXTRA):
        import fastapi

    if app is None:
        app = fastapi.FastAPI(title="towhee")
    endpoint = Endpoint(function.load(), paths=paths)

    async def answer(request: Request) -> Response:
        return await endpoint.answer(request)

    # FastAPI reads annotations as objects, and this module imports none of its own.
    answer.__annotations__ = {"request": fastapi.Request, "return": fastapi.Response}
    app.add_api_route(
        path,
        answer,
        methods=["POST"],
        response_class=fastapi.Response,
        name=path.strip("/").replace("/", "_") or "answer",
        summary=repr(function),
        openapi_extra={"requestBody": _body_schema(function.requests.columns)},
        responses={
            _REQUEST_FAULT: {"description": "The request is to blame"},
            _OUR_FAULT: {"description": "An operator failed"},
        },
    )
    return app


class Endpoint:
    """Reads requests, has a function compute them in other threads, and answers."""

    def __init__(self, function: Function, *, paths: bool) -> None:
        self._function = function
        self._files = {} if paths else named_files(function)
        self._together = function.gains_from_batches
        self._batches: WeakKeyDictionary[asyncio.AbstractEventLoop, Batches]
        self._batches = WeakKeyDictionary()

    async def answer(self, request: Request) -> Response:
        """Answer one request; what fails is told in JSON."""
        from starlette.responses import Response

        columns = self._function.requests.columns
        try:
            values = await values_in(request, columns)
            self._refuse_files(values)
            outcome = await self._outcome(values)
            if outcome.error is not None:
                return _failure(outcome.error, values)
            kind, body = await asyncio.to_thread(encoded, outcome.value)
        except BadRequest as error:
            return _told(_REQUEST_FAULT, None, error)
        except Exception as error:  # noqa: BLE001  (whoever asks is told)
            _LOG.exception("A request failed")
            return _told(_OUR_FAULT, None, error)
        return Response(body, media_type=kind)

    async def _outcome(self, values: tuple[Any, ...]) -> Outcome:
        if not self._together:
            (outcome,) = await asyncio.to_thread(self._function.answers, [values])
            return outcome
        loop = asyncio.get_running_loop()
        if loop not in self._batches:
            self._batches[loop] = Batches(self._function.answers)
        return await self._batches[loop].answer(values)

    def _refuse_files(self, values: tuple[Any, ...]) -> None:
        for position, operator in self._files.items():
            if isinstance(values[position], str):
                raise BadRequest(
                    f"`{operator}` would take text for a file of this machine; "
                    f"send the bytes themselves, as `{BYTES}` or a form's file"
                )


def _failure(error: OperatorFailed, values: tuple[Any, ...]) -> Response:
    """Blame the request for what the first step could not take of it."""
    cause, given = error.__cause__, error.input
    row = (
        tuple(given[name] for name in given) if isinstance(given, Entity) else (given,)
    )
    is_untouched = len(row) == len(values) and all(map(is_, row, values))
    theirs = is_untouched and isinstance(cause, ValueError | TypeError)
    if theirs:
        return _told(_REQUEST_FAULT, error.operator, cause or error)
    _LOG.error("%s", error, exc_info=error)
    return _told(_OUR_FAULT, error.operator, cause or error)


def _told(status: int, operator: str | None, error: BaseException) -> Response:
    from starlette.responses import Response

    reason = str(error)
    if not isinstance(error, HubError):
        reason = f"{type(error).__name__}: {reason}".removesuffix(": ")
    told = {"error": {"operator": operator, "reason": reason}}
    return Response(json.dumps(told).encode(), status, media_type=JSON)


def _body_schema(columns: tuple[str, ...]) -> dict[str, object]:
    """What the documentation of the service says of a request's body."""
    value: dict[str, object] = {}
    fields = {
        "type": "object",
        "properties": {name: {} for name in columns},
        "required": list(columns),
        "additionalProperties": False,
    }
    content: dict[str, object] = {JSON: {"schema": fields if columns else value}}
    if len(columns) < 2:  # noqa: PLR2004  (one value can be the body itself)
        content |= {BYTES: {"schema": {"type": "string", "format": "binary"}}}
        content |= {"text/plain": {"schema": {"type": "string"}}}
    if columns:
        content |= {FORM: {"schema": fields}}
    return {"required": True, "content": content}
