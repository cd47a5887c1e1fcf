"""Operators as attributes: ``ops.image_embedding.timm``, also on every collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from plugin_spec.errors import HubError
from plugin_spec.names import RESERVED_NAMESPACES, OperatorName
from plugin_spec.nearest import did_you_mean
from towhee.pipelines import OperatorCall, Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from towhee.callable_pipeline import CallablePipeline

Made = TypeVar("Made")


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

    def __getattr__(self, name: str) -> Callable[..., Made]:
        if name.startswith("_"):
            raise AttributeError(name)
        operator = OperatorName.from_attributes(self.namespace, name)

        def call(**options: object) -> Made:
            return self.make(OperatorCall(operator, tuple(options.items())))

        return call

    def __call__(self, *_values: object, **_options: object) -> Made:
        """Refuse: a namespace is no operator, but a mistyped method looks like one."""
        methods = [name for name in vars(self.owner) if not name.startswith("_")]
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
