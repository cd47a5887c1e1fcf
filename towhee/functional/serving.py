"""Chains that are called with one value, from Python or over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from towhee.columns import distinct_names
from towhee.functional.core import Core
from towhee.serving.requests import Requests

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Self

    from fastapi import FastAPI

    from towhee.serving.functions import Function


class Serving(Core):
    """Turn a chain into a function, and the function into a service."""

    __slots__ = ()

    @classmethod
    def api(cls, *columns: str) -> AbstractContextManager[Self]:
        """Begin a chain that is called with one row at a time.

        >>> with DataCollection.api() as api:
        ...     double = api.map(lambda number: 2 * number).as_function()
        >>> double(4)
        8

        :param columns: names for the values that a call gives; without, it gives one.
        :raises InvalidColumns: if a name is there twice.
        """
        from contextlib import nullcontext  # noqa: PLC0415

        names = distinct_names(columns) if columns else ()
        return nullcontext(cls(Requests(names)).stream())

    def as_function(self) -> Function:
        """A function that takes one row through the chain.

        A chain that makes several rows of one gives a list; a row that a filter drops
        gives None. Operators are found now, and loaded at the first call.

        >>> with DataCollection.api("a", "b") as api:
        ...     total = api.map["a", "c"](str).map(lambda row: row.c * row.b)
        ...     repeat = total.as_function()
        >>> repeat(7, 3)
        '777'

        :raises NotCallable: if the chain did not begin with ``api``.
        """
        from towhee.serving.functions import Function  # noqa: PLC0415  (few chains do)

        return Function(self._chain)

    def serve(
        self, path: str = "/", app: FastAPI | None = None, *, paths: bool = False
    ) -> FastAPI:
        """Answer ``POST`` requests to ``path`` with what the chain makes of them.

        >>> with DataCollection.api() as api:
        ...     app = api.map(str.upper).serve("/shout")
        >>> from fastapi.testclient import TestClient
        >>> TestClient(app).post("/shout", json="hi").json()
        'HI'

        The request's body is the row: a JSON value, text, or bytes such as an image's.
        Columns are the keys of a JSON object, or the fields of a form. Operators are
        loaded now. Requests that wait while a model computes are computed together.
        What fails is answered with 422 if the request is to blame, else with 500, and
        JSON that names the operator and the reason.

        :param app: to add the path to; a new one by default. Run it with ``uvicorn``.
        :param paths: whether a request may name files of this machine, and addresses
            that it can reach, to an operator that reads such. Otherwise, text is
            refused for its inputs, and the bytes have to be sent.
        :raises MissingExtra: if FastAPI is not installed.
        """
        from towhee.serving.endpoint import add_endpoint  # noqa: PLC0415

        return add_endpoint(self.as_function(), path, app, paths=paths)
