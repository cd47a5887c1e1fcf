"""Rows with columns: made, taken apart, renamed, filled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from towhee.columns import Columns, InvalidColumns, column_names, distinct_names
from towhee.functional import limits
from towhee.functional.column_method import takes_columns
from towhee.functional.core import Core
from towhee.outcome import short_repr
from towhee.pipelines import FunctionCall
from towhee.reshaping import (
    AsEntity,
    Fill,
    IsComplete,
    Rename,
    Replace,
    Select,
    as_json,
    as_raw,
    parse_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Self

_MISSING = ("", None, math.nan)


class Entities(Core):
    """Rows with columns. None of these methods changes a row: they make new ones."""

    __slots__ = ()

    @takes_columns()
    def runas_op(
        self, func: Callable[..., Any], *, columns: Columns | None = None
    ) -> Self:
        """Run a function as an operator is run: on columns, or on the whole row.

        >>> rows = DataCollection([1, 2]).as_entity(["a"])
        >>> rows.runas_op["a", "b"](func=lambda a: a + 1).to_list()
        [Entity(a=1, b=2), Entity(a=2, b=3)]
        """
        limits.function("runas_op", func)
        return self.then(FunctionCall("map", func, columns, self._chain.parallel))

    def as_entity(self, schema: str | Iterable[str] | None = None) -> Self:
        """Give each row's values the names in ``schema``; a mapping has its own.

        >>> DataCollection([{"a": 1}]).as_entity().to_list()
        [Entity(a=1)]
        >>> DataCollection([(1, 2)]).as_entity(["a", "b"]).to_list()
        [Entity(a=1, b=2)]

        :param schema: one name takes the whole row; several take its values in order,
            which have to be as many, or those that a mapping has of these names.
        """
        names = None if schema is None else distinct_names(schema)
        return self._each("as_entity", AsEntity(names))

    def as_json(self) -> Self:
        """Write each row as a line of JSON; arrays become lists, and paths text.

        >>> DataCollection([{"a": [1, 2]}]).as_entity().as_json().to_list()
        ['{"a": [1, 2]}']

        A row with ``nan`` or infinity fails: other programs read no such JSON. Keys of
        dicts become text: of ``{"1": 1, 1: 2}`` both are written, and readers take the
        last.
        """
        return self._each("as_json", as_json)

    def parse_json(self) -> Self:
        """Read each row, a JSON object, into columns.

        >>> DataCollection(['{"a": 1}']).parse_json().to_list()
        [Entity(a=1)]
        """
        return self._each("parse_json", parse_json)

    def as_raw(self) -> Self:
        """Take columns' names away: the value of one, a tuple of several.

        >>> rows = DataCollection([(1, 2)]).as_entity(["a", "b"])
        >>> rows.as_raw().to_list(), rows.select("a").as_raw().to_list()
        ([(1, 2)], [1])
        """
        return self._each("as_raw", as_raw)

    @takes_columns(outputs=False)
    def select(self, *names: str, columns: Columns | None = None) -> Self:
        """Keep the columns of those names, in that order.

        >>> rows = DataCollection([(1, 2, 3)]).as_entity(["a", "b", "c"])
        >>> rows.select["c", "a"]().to_list(), rows.select("b").to_list()
        ([Entity(c=3, a=1)], [Entity(b=2)])

        :raises InvalidColumns: without a name.
        """
        inputs = columns.inputs if columns else ()
        return self._each("select", Select(column_names([*inputs, *names])))

    def rename(self, column: Mapping[str, str]) -> Self:
        """Give columns other names; they stay where they are.

        >>> rows = DataCollection([(1, 2)]).as_entity(["a", "b"])
        >>> rows.rename({"a": "b", "b": "a"}).to_list()
        [Entity(b=1, a=2)]

        :param column: new names by old ones. A row that lacks an old one fails, and so
            does one with two columns of one name.
        """
        names = _mapping("rename", column)
        if not all(isinstance(name, str) for name in (*names, *names.values())):
            raise InvalidColumns(
                f"`rename` takes texts as names, not {column!r}",
                hint="Write new names by old ones: `rename({'old': 'new'})`",
            )
        return self._each("rename", Rename(names))

    def replace(self, /, **columns: Mapping[Hashable, object]) -> Self:
        """Replace values: by column, which become which.

        >>> rows = DataCollection(["yes", "no", "maybe"]).as_entity(["a"])
        >>> rows.replace(a={"yes": 1, "no": 0}).as_raw().to_list()
        [1, 0, 'maybe']
        """
        for values in columns.values():
            _mapping("replace", values)
        return self._each("replace", Replace(columns))

    def dropna(self, na: Iterable[object] | None = None) -> Self:
        """Leave out rows with a missing value in any column.

        >>> rows = DataCollection([(1, "a"), (2, ""), (float("nan"), "c")])
        >>> rows.as_entity(["a", "b"]).dropna().to_list()
        [Entity(a=1, b='a')]

        :param na: what counts as missing: empty text, None and ``nan`` if not given.
        """
        if isinstance(na, str | bytes) or not isinstance(na, Iterable | None):
            raise TypeError(f"`dropna` takes values that are missing, as in [{na!r}]")
        values = _MISSING if na is None else tuple(na)
        try:
            kept = IsComplete.without(values)
        except TypeError as error:
            raise TypeError(
                f"`dropna` takes values that are missing, not {short_repr(na)}: "
                f"{error}; leave rows out by a function with `filter`"
            ) from None
        parallel = self._chain.parallel
        return self.then(FunctionCall("filter", kept, None, parallel, "dropna"))

    def fill_entity(
        self,
        /,
        _DefaultKVs: Mapping[str, object] | None = None,  # noqa: N803  (Towhee's names)
        _ReplaceNoneValue: bool = False,  # noqa: N803
        **defaults: object,
    ) -> Self:
        """Add columns that rows lack.

        >>> rows = DataCollection([{"a": 1}, {"a": None, "b": 2}]).as_entity()
        >>> rows.fill_entity(a=0, b=0).to_list()
        [Entity(a=1, b=0), Entity(a=None, b=2)]
        >>> rows.fill_entity({"a": 0}, True).to_list()
        [Entity(a=1), Entity(a=0, b=2)]
        """
        given = _mapping("fill_entity", _DefaultKVs or {})
        filled = {**defaults, **given}
        return self._each("fill_entity", Fill(filled, _ReplaceNoneValue))

    def _each(self, method: str, function: Callable[..., Any]) -> Self:
        parallel = self._chain.parallel
        return self.then(FunctionCall("map", function, None, parallel, method))


def _mapping(method: str, given: object) -> dict[Any, Any]:
    if not isinstance(given, Mapping):
        raise TypeError(f"`{method}` takes a dictionary, not {given!r}")
    return dict(given)
