"""Images with labels, and the names of what the labels stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Image = TypeVar("Image")


class InvalidDataset(HubError, ValueError):
    """What was given is no labelled images."""


@dataclass(frozen=True, slots=True)
class Samples(Sequence[tuple[Any, int]]):
    """Pairs of an image and the index of its class, read when they are asked for.

    :param source: pairs, or mappings with ``image`` and ``label``, by index.
    :param transform: applied to each image as it is read.
    :param labels: of every sample, where they are known without reading images.
    """

    name: str
    source: Any
    classes: tuple[str, ...]
    transform: Callable[[Any], Any] | None = None
    labels: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        source: Any,  # noqa: ANN401  (whatever holds images)
        transform: Callable[[Any], Any] | None = None,
    ) -> Samples:
        """Take any dataset by index: torch's, Hugging Face's, or a list of pairs.

        >>> Samples.of([("a.jpg", 0), ("b.jpg", 1)]).classes
        ('0', '1')

        Names of classes are those that the dataset has. Where it has none, labels are
        read once and named by themselves.

        :raises InvalidDataset: if it has no length, or no pairs.
        """
        if isinstance(source, Samples) and transform is None:
            return source
        kind = type(source).__name__
        if not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
            raise InvalidDataset(
                f"A {kind} has no length, or cannot be read by index",
                hint="Give a dataset that can, such as `list(…)` of it",
            )
        if not len(source):
            raise InvalidDataset(f"The {kind} holds no image")
        labels = _known_labels(source)
        classes = _known_classes(source)
        if not classes:
            if labels is None:
                labels = tuple(_pair(source[each])[1] for each in range(len(source)))
            classes = _named(labels)
        place = {name: index for index, name in enumerate(classes)}
        numbers = (
            None if labels is None else tuple(_index(each, place) for each in labels)
        )
        name = getattr(source, "name", None) or kind
        return cls(str(name), source, classes, transform, numbers)

    def with_classes(self, classes: Sequence[str]) -> Samples:
        """The same with labels by other names' order, which holds all of these."""
        if tuple(classes) == self.classes:
            return self
        place = [classes.index(name) for name in self.classes]
        labels = self.labels and tuple(place[each] for each in self.labels)
        return Samples(
            self.name, _Renumbered(self, place), tuple(classes), labels=labels
        )

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401  (or a list, for a slice)
        if isinstance(index, slice):
            return [self[each] for each in range(len(self))[index]]
        # Sources from elsewhere need not know negative ones, nor where they end.
        image, label = _pair(self.source[range(len(self))[index]])
        number = self.classes.index(label) if isinstance(label, str) else int(label)
        return image if self.transform is None else self.transform(image), number

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self):,} images, {len(self.classes)} classes>"


@dataclass(frozen=True, slots=True)
class _Renumbered:
    """Samples with other numbers for their classes."""

    source: Samples
    place: Sequence[int]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image, label = self.source[index]
        return image, self.place[label]


def _pair(item: Any) -> tuple[Any, Any]:  # noqa: ANN401
    if isinstance(item, dict):
        image = _either(item, ("image", "img", "pixel_values"))
        return image, _either(item, ("label", "labels", "fine_label"))
    if isinstance(item, (tuple, list)) and len(item) == 2:  # noqa: PLR2004  (a pair)
        return item[0], item[1]
    raise InvalidDataset(
        f"A sample is a {type(item).__name__}, not an image with its label",
        hint="Give pairs, or mappings with `image` and `label`",
    )


def _either(item: Mapping[str, Any], names: Sequence[str]) -> Any:  # noqa: ANN401
    for name in names:
        if name in item:
            return item[name]
    found = ", ".join(f"`{each}`" for each in item)
    raise InvalidDataset(f"A sample has no `{names[0]}`: it has {found}")


def _known_classes(source: Any) -> tuple[str, ...]:  # noqa: ANN401
    """The names that torchvision's datasets, and those of Hugging Face, have."""
    features = getattr(source, "features", None)
    for column in ("label", "labels", "fine_label"):
        if names := getattr((features or {}).get(column), "names", None):
            return tuple(names)
    return tuple(map(str, getattr(source, "classes", ())))


def _known_labels(source: Any) -> tuple[Any, ...] | None:  # noqa: ANN401
    """Labels that can be had without reading an image."""
    for column in ("label", "labels", "fine_label"):
        if column in (getattr(source, "features", None) or ()):
            return tuple(source[column])
    for attribute in ("labels", "targets"):
        known = getattr(source, attribute, None)
        if known is not None:
            return tuple(known.tolist() if hasattr(known, "tolist") else known)
    return None


def _named(labels: Sequence[Any]) -> tuple[str, ...]:
    if any(isinstance(label, str) for label in labels):
        return tuple(sorted(set(labels)))
    numbers = [int(label) for label in labels]
    if min(numbers) < 0:
        raise InvalidDataset(f"There is a label {min(numbers)}, below 0")
    return tuple(str(number) for number in range(max(numbers) + 1))


def _index(label: Any, place: Mapping[str, int]) -> int:  # noqa: ANN401
    number = place.get(label) if isinstance(label, str) else int(label)
    if number is None or not 0 <= number < len(place):
        raise InvalidDataset(
            f"There is a label {label!r}, and {len(place)} classes are named"
        )
    return number
