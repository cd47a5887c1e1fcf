"""Requests' bodies to rows, and results to answers' bodies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from plugin_spec.nearest import did_you_mean
from towhee.columns import Entity
from towhee.extras import needed_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

EXTRA: Final = "serve"
JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
FORM: Final = "multipart/form-data"


class BadRequest(HubError, ValueError):
    """A request's body is not what the chain takes."""


class NoAnswer(HubError, TypeError):
    """What a chain gave cannot be written into an answer."""


async def values_in(request: Request, columns: tuple[str, ...]) -> tuple[Any, ...]:
    """What a request gives: a value, or one for each column.

    :raises BadRequest: saying what is missing, or cannot be read.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {FORM, "application/x-www-form-urlencoded"}:
        return _of_columns(await _fields(request), columns or ("",))
    body = await request.body()
    if kind == JSON or kind.endswith("+json"):
        value = _parsed(body)
        return _of_columns(value, columns) if columns else (value,)
    if len(columns) > 1:
        listed = ", ".join(f"`{name}`" for name in columns)
        raise BadRequest(f"Send {listed} as a JSON object or a form")
    if kind and not kind.startswith("text/"):
        return (body,)
    try:
        return (body.decode(),)
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"The body is no text in UTF-8; send bytes as `{BYTES}`"
        ) from error


def encoded(value: object) -> tuple[str, bytes]:
    """What to answer with: bytes as they are, everything else as JSON.

    >>> encoded([Entity(a=1)])
    ('application/json', b'[{"a":1}]')

    :raises NoAnswer: naming the type that has no such form.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return BYTES, bytes(value)
    try:
        text = json.dumps(
            value,
            default=_plain,
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )
    except ValueError as error:
        raise NoAnswer(f"The result cannot be written as JSON: {error}") from error
    return JSON, text.encode()


def _plain(value: Any) -> object:  # noqa: ANN401  (what JSON has no form for)
    if isinstance(value, Entity):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return list(value)
    raise NoAnswer(f"The result holds a {type(value).__name__}, which is no JSON")


def _parsed(body: bytes) -> Any:  # noqa: ANN401  (any JSON value)
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is no JSON: {error}") from error


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number in it")


async def _fields(request: Request) -> dict[str, object]:
    """The fields of a form; files as bytes."""
    with needed_for("Reading a form", extra=EXTRA):
        import python_multipart  # noqa: F401, PLC0415  (starlette asserts that it is there)
    from starlette.datastructures import UploadFile

    async with request.form() as form:
        return {
            name: await value.read() if isinstance(value, UploadFile) else value
            for name, value in form.multi_items()
        }


def _of_columns(fields: object, columns: tuple[str, ...]) -> tuple[Any, ...]:
    """One value for each column.

    :raises BadRequest: naming every one that is missing or has no column.
    """
    listed = ", ".join(f"`{name}`" for name in columns)
    if not isinstance(fields, dict):
        raise BadRequest(f"The body is no JSON object with {listed}")
    if columns == ("",):
        if len(fields) != 1:
            raise BadRequest(f"A form has one field here, not {len(fields)}")
        return tuple(fields.values())
    return _checked(fields, columns)


def _checked(fields: Mapping[str, Any], columns: tuple[str, ...]) -> tuple[Any, ...]:
    missing = [f"`{name}` is missing" for name in columns if name not in fields]
    unknown = [
        f"`{name}` is unknown{did_you_mean(name, columns)}"
        for name in fields
        if name not in columns
    ]
    if missing or unknown:
        raise BadRequest("; ".join([*missing, *unknown]))
    return tuple(fields[name] for name in columns)
