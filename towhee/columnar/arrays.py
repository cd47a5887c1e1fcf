"""Arrays of one shape as a column, in which some may be missing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from towhee.columnar.packing import Column

_NUMBERS = "biuf"


def stack(values: Sequence[object]) -> Column | None:
    """A column of arrays that are alike, and of None; None for other values."""
    import numpy as np

    first = next((value for value in values if value is not None), None)
    if not isinstance(first, np.ndarray) or first.dtype.kind not in _NUMBERS:
        return None
    there: list[Any] = [value for value in values if value is not None]
    alike = (np.ndarray, first.shape, first.dtype)
    kinds = (
        (type(value), getattr(value, "shape", None), getattr(value, "dtype", None))
        for value in there
    )
    if not all(kind == alike for kind in kinds):
        return None
    arrays = np.stack(there)
    if len(there) == len(values):
        return stored(arrays)
    missing = np.fromiter((value is None for value in values), bool, len(values))
    padded = np.zeros((len(values), *first.shape), first.dtype)
    padded[~missing] = arrays
    return stored(padded, missing)


def stored(arrays: NDArray[Any], missing: NDArray[Any] | None = None) -> Column:
    """A column of what an array has along its first axis, without a copy if it can be.

    Vectors of floats become lists of one size, the form in which vectors are usually
    stored, and other arrays of numbers and truth values tensors.
    """
    import numpy as np
    import pyarrow as pa

    shape, kind = arrays.shape[1:], arrays.dtype.kind
    if not shape:
        return pa.array(arrays, mask=missing)
    if not arrays.size or kind not in _NUMBERS:
        return pa.array(list(arrays))
    numbers = pa.array(np.ascontiguousarray(arrays).ravel())
    mask = None if missing is None else pa.array(missing)
    lists = pa.FixedSizeListArray.from_arrays(numbers, math.prod(shape), mask=mask)
    if len(shape) == 1 and kind == "f":
        return lists
    tensor = pa.fixed_shape_tensor(numbers.type, shape)
    return pa.ExtensionArray.from_storage(tensor, lists)


def holds_arrays(column: Column) -> bool:
    """Whether its values are tensors, or vectors of floats."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_fixed_size_list(kind):
        return bool(pa.types.is_floating(kind.value_type))
    return isinstance(kind, pa.FixedShapeTensorType)


def stacked(column: Column) -> NDArray[Any]:
    """Arrays, or lists of one size, of which none is missing; not to be written to."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_fixed_size_list(kind):
        shape, numbers = (kind.list_size,), column.flatten()
    elif pa.types.is_boolean(kind.value_type):
        shape, numbers = kind.shape, column.storage.flatten()
    else:
        return column.to_numpy_ndarray()  # type: ignore[no-any-return]
    return numbers.to_numpy(zero_copy_only=False).reshape(len(column), *shape)  # type: ignore[no-any-return]


def spread(column: Column) -> list[NDArray[Any] | None]:
    """The arrays in a column, copied, and None for those that are missing."""
    if not column.null_count:
        return list(stacked(column).copy())
    arrays = iter(stacked(column.drop_null()).copy())
    return [next(arrays) if there else None for there in column.is_valid().to_pylist()]
