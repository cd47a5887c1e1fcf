"""How far vectors of the same images moved, and whether an index survives that."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from towhee.studies.errors import CannotStudy
from towhee.studies.neighbours import nearest_others, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from plugin_spec.spaces import EmbeddingSpace

NEIGHBOURS: Final = (5, 10)
KEPT: Final = 0.95
"""The part of its neighbours that a search has to keep, for an index to stay."""
_WORST: Final = 12
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Overlap:
    """Of the nearest neighbours by old vectors, the part that is found by new ones."""

    neighbours: int
    kept: float | None
    """New vectors look among old ones, as in an index that stays; None if they are of
    another length."""
    rebuilt: float
    """New vectors look among new ones."""
    by_chance: float


@dataclass(frozen=True, slots=True)
class Cosine:
    """Between the old and the new vector of an image."""

    mean: float
    median: float
    least: float


@dataclass(frozen=True, slots=True)
class Case:
    """One image, by its number, and what is near it."""

    image: int
    cosine: float | None
    overlap: float
    """As ``rebuilt``, of the greatest number of neighbours."""
    old: tuple[int, ...]
    new: tuple[int, ...]
    kept: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Drift:
    """What was measured, and what follows."""

    images: int
    sizes: tuple[int, int]
    """Numbers in a vector, the old one first."""
    differences: tuple[str, ...] | None
    """Between the spaces; None if one of them is not known."""
    compatible: bool | None
    cosine: Cosine | None
    overlaps: tuple[Overlap, ...]
    worst: tuple[Case, ...]

    @property
    def must_rebuild(self) -> bool:
        """Whether an index of old vectors is of no use to new ones.

        It is so if

        - vectors are of another length, or
        - both spaces are known, and do not compare, or
        - of the neighbours less than ``KEPT`` are found by new vectors among old ones,
          for any number of neighbours.
        """
        return (
            self.cosine is None or self.compatible is False or self._least_kept < KEPT
        )

    @property
    def reason(self) -> str:
        """A sentence that says whether, and why."""
        kept = f"{self._least_kept:.3f} of the nearest neighbours"
        if self.cosine is None:
            old, new = self.sizes
            return (
                "The index must be rebuilt: a vector has "
                f"{new:,} numbers, and had {old:,}"
            )
        if self.compatible is False:
            return (
                "The index must be rebuilt: the spaces do not compare, and search "
                f"refuses to mix them; new vectors find {kept} among old ones"
            )
        if self.must_rebuild:
            return (
                f"The index must be rebuilt: new vectors find only {kept} among old "
                f"ones, and {KEPT} is what it takes to stay"
            )
        known = "" if self.compatible else "; their spaces are not known"
        return (
            f"The index can stay: new vectors find {kept} among old ones, and {KEPT} "
            f"is what it takes{known}"
        )

    @property
    def _least_kept(self) -> float:
        return min((each.kept or 0.0) for each in self.overlaps)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, without the cases: they are pictures."""
        own = asdict(self)
        del own["worst"]
        return {**own, "must_rebuild": self.must_rebuild, "reason": self.reason}


def measure_drift(
    old: Sequence[Any],
    new: Sequence[Any],
    spaces: tuple[EmbeddingSpace | None, EmbeddingSpace | None] = (None, None),
) -> Drift:
    """Compare vectors of the same images, in the same order.

    :raises CannotStudy: if they are too few to have neighbours.
    """
    counts = [each for each in NEIGHBOURS if len(old) > 2 * each]
    if not counts:
        raise CannotStudy(
            f"{len(old)} images are too few to have neighbours",
            hint=f"Give {2 * NEIGHBOURS[0] + 1} at least",
        )
    before, after = unit_vectors(old, "The old one"), unit_vectors(new, "The new one")
    comparable = before.shape == after.shape
    most = counts[-1]
    near = nearest_others(before, before, most)
    rebuilt = nearest_others(after, after, most)
    kept = nearest_others(after, before, most) if comparable else None
    cosines = (before * after).sum(axis=1) if comparable else None
    first, second = spaces
    return Drift(
        images=len(old),
        sizes=(before.shape[1], after.shape[1]),
        differences=first.differences(second) if first and second else None,
        compatible=first.compatible_with(second) if first and second else None,
        cosine=None if cosines is None else _cosine(cosines),
        overlaps=tuple(
            Overlap(
                count,
                None if kept is None else _mean(_shared(near, kept, count)),
                _mean(_shared(near, rebuilt, count)),
                round(count / (len(old) - 1), 4),
            )
            for count in counts
        ),
        worst=_worst(near, rebuilt, kept, cosines),
    )


def _shared(
    old: NDArray[np.intp], new: NDArray[np.intp], count: int
) -> NDArray[np.float64]:
    """Of each row's first ``count``, the part that both have."""
    same = old[:, :count, None] == new[:, None, :count]
    found: NDArray[np.float64] = same.any(axis=2).mean(axis=1)
    return found


def _mean(values: NDArray[Any]) -> float:
    return round(float(values.mean()), 4)


def _cosine(values: NDArray[np.float32]) -> Cosine:
    import numpy as np

    found = values.mean(), np.median(values), values.min()
    return Cosine(*(round(float(each), 5) for each in found))


def _worst(
    old: NDArray[np.intp],
    new: NDArray[np.intp],
    kept: NDArray[np.intp] | None,
    cosines: NDArray[np.float32] | None,
) -> tuple[Case, ...]:
    """Images whose neighbours changed most; of equal ones, the least cosine first."""
    import numpy as np

    overlaps = _shared(old, new, old.shape[1])
    second = np.zeros(len(old)) if cosines is None else cosines
    order = np.lexsort((second, overlaps))[:_WORST]
    return tuple(
        Case(
            image=int(each),
            cosine=None if cosines is None else round(float(cosines[each]), 4),
            overlap=round(float(overlaps[each]), 4),
            old=_first(old[each]),
            new=_first(new[each]),
            kept=None if kept is None else _first(kept[each]),
        )
        for each in order
    )


def _first(row: NDArray[np.intp]) -> tuple[int, ...]:
    return tuple(row[:_SHOWN].tolist())
