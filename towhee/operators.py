"""Operators as attributes: ``ops.image_embedding.timm``, also on every collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from plugin_spec.errors import HubError
from plugin_spec.names import DEFAULT_NAMESPACE, RESERVED_NAMESPACES, OperatorName
from plugin_spec.nearest import did_you_mean
from towhee.columns import Columns
from towhee.pipelines import OperatorCall, Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from towhee.callable_pipeline import CallablePipeline

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class OperatorReference(Generic[Made]):
    """An operator by name; brackets name columns, a call gives its options."""

    name: OperatorName
    make: Callable[[OperatorCall], Made]
    columns: Columns | None = None

    def __getitem__(self, index: object) -> OperatorReference[Made]:
        return OperatorReference(self.name, self.make, Columns.parse(index))

    def __call__(self, **options: object) -> Made:
        """Take the operator with these options."""
        return self.make(OperatorCall(self.name, tuple(options.items()), self.columns))


@dataclass(frozen=True, slots=True)
class OperatorNamespace(Generic[Made]):
    """The operators of one namespace; calling one hands the call to ``make``."""

    owner: type
    namespace: str
    make: Callable[[OperatorCall], Made]

    @classmethod
    def of(
        cls, owner: type, namespace: str, make: Callable[[OperatorCall], Made]
    ) -> OperatorNamespace[Made]:
        """The namespace that an attribute of ``owner`` stands for.

        :raises AttributeError: for a private name, or one that is kept for methods.
        """
        reserved = namespace.replace("_", "-") in RESERVED_NAMESPACES
        if namespace.startswith("_") or reserved:
            raise AttributeError(f"`{owner.__name__}` has no attribute `{namespace}`")
        return cls(owner, namespace, make)

    def __getattr__(self, name: str) -> OperatorReference[Made]:
        if name.startswith("_"):
            raise AttributeError(name)
        operator = OperatorName.from_attributes(self.namespace, name)
        return OperatorReference(operator, self.make)

    def __getitem__(self, index: object) -> OperatorReference[Made]:
        return self._short()[index]

    def __call__(self, *values: object, **options: object) -> Made:
        """Call the operator of that name in the namespace ``towhee``.

        :raises AttributeError: if none is known: a mistyped method looks like one.
        """
        return self._short(*values)(**options)

    def _short(self, *values: object) -> OperatorReference[Made]:
        if not values and (DEFAULT_NAMESPACE, self.namespace) in known_attributes():
            operator = OperatorName.from_attributes(DEFAULT_NAMESPACE, self.namespace)
            return OperatorReference(operator, self.make)
        methods = [name for name in dir(self.owner) if not name.startswith("_")]
        raise AttributeError(
            f"`{self.owner.__name__}` has no method `{self.namespace}`"
            f"{did_you_mean(self.namespace, methods)}"
        )

    def __dir__(self) -> list[str]:
        return sorted(
            attribute
            for namespace, attribute in known_attributes()
            if namespace == self.namespace
        )


def known_attributes() -> set[tuple[str, str]]:
    """Both attributes of every operator that is installed or bundled."""
    from hub_client.installed import list_available  # noqa: PLC0415  (reads folders)

    try:
        names = list_available()
    except HubError:  # completion must not fail because a receipt is damaged
        return set()
    paths = (name.attribute_path.partition(".") for name in names)
    return {(namespace, name) for namespace, _, name in paths}


class Operators:
    """Every operator, by namespace and name.

    ``ops.image_embedding.timm(model_name="resnet18")`` is the operator, loaded; call it
    with one value, or with a list of them.
    """

    def __getattr__(self, namespace: str) -> OperatorNamespace[CallablePipeline]:
        return OperatorNamespace.of(Operators, namespace, _load)

    def __dir__(self) -> list[str]:
        return sorted({namespace for namespace, _ in known_attributes()})

    def __repr__(self) -> str:
        return "ops"


def _load(call: OperatorCall) -> CallablePipeline:
    from towhee.callable_pipeline import CallablePipeline  # noqa: PLC0415  (as it is used)

    return CallablePipeline(Pipeline((call,))).load()


ops = Operators()
