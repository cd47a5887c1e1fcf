"""The method-chaining interface."""

from __future__ import annotations

from towhee.functional.arrow import Arrow
from towhee.functional.building import Building
from towhee.functional.entities import Entities
from towhee.functional.estimating import Estimating
from towhee.functional.failures import Failures
from towhee.functional.listing import Listing
from towhee.functional.measuring import Measuring
from towhee.functional.media import Media
from towhee.functional.observing import Observing
from towhee.functional.sampling import Sampling
from towhee.functional.serving import Serving
from towhee.functional.shaping import Shaping
from towhee.functional.showing import Showing
from towhee.functional.stores import Stores
from towhee.functional.writing import Writing
from towhee.parameters import param_scope

__all__ = ["DataCollection", "param_scope"]


class DataCollection(
    Building,
    Media,
    Shaping,
    Listing,
    Sampling,
    Failures,
    Observing,
    Measuring,
    Estimating,
    Serving,
    Entities,
    Arrow,
    Writing,
    Showing,
    Stores,
):
    """Rows, and the pipeline that each will go through.

    A collection is a value: methods return another one. Attributes that are no methods
    are operators, as in ``photos.image_decode.cv2()``; brackets name the columns that
    one reads and writes, ``photos.image_decode.cv2['path', 'image']()``. Nothing is
    installed, loaded or read until a row is asked for.

    Over a list, rows are computed once, remembered, and can be asked for by number. A
    stream computes them as they are asked for and keeps none; over an iterator it can
    be read once.

    >>> DataCollection(["a.jpg", "b.jpg"]).map(len)
    DataCollection(['a.jpg', 'b.jpg']).map(len)
    """

    __slots__ = ()
