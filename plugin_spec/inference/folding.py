"""Batch normalisation, computed by the convolution before it.

A normalisation that evaluates multiplies and adds what it learned. The weights of a
convolution can do that as well, and one pass over the features is spared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

# ruff: noqa: TID253  (backends load this when they first compute)
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_CONVOLUTIONS: Final = {
    "torch.nn.modules.conv.Conv2d",
    "timm.layers.conv2d_same.Conv2dSame",
}
_PLAIN: Final = "torch.nn.modules.batchnorm.BatchNorm2d"
_ACTIVATED: Final = "timm.layers.norm_act.BatchNormAct2d"
"""A normalisation with an activation in it, which stays."""
_NOTHING: Final = nn.Identity()
_TOLERANCE: Final = 1e-4
_ASKING: Final = {"__get__", "dim", "size"}
"""Functions that read a tensor's shape, and nothing of its numbers."""


class Folding:
    """A module, and which of its normalisations convolutions compute.

    The module stays as it is; it may be changed, trained and watched.

    :param module: in evaluation mode; what it lacks then is not folded.
    """

    def __init__(self, module: nn.Module, pairs: Iterable[_Pair] = ()) -> None:
        self._module = module
        self.pairs = tuple(pairs)
        # Parents come before what is in them.
        paths = sorted(
            {
                ".".join(names[:end])
                for pair in self.pairs
                for names in (each.path.split(".") for each in pair.places)
                for end in range(len(names))
            }
        )
        self._parents = [_Place.of(module, path) for path in paths]

    @classmethod
    def of(cls, module: nn.Module, *shapes: Sequence[int]) -> Folding:
        """Fold what is certain, by how the module computes on noise; else nothing.

        :param shapes: of the inputs, which are float32.
        """
        unchanged = cls(module)
        if not _has_both(module):
            return unchanged
        generator = torch.Generator().manual_seed(0)
        noise = [torch.randn(*each, generator=generator) for each in shapes]
        watch = _Watch()
        try:
            with watch:
                expected = module(*noise)
            found = cls(module, _pairs(module, watch.followed))
            agrees = _agree(found.view()(*noise), expected)
        except Exception:  # noqa: BLE001  (what does not take noise is left alone)
            return unchanged
        return found if agrees else unchanged

    def view(self) -> nn.Module:
        """What computes the same faster, with all weights as they are now.

        Everything but the folded weights is the module's own: parameters, hooks, modes.
        """
        copies: dict[str, nn.Module] = {}
        for place in self._parents:
            if not place.path:
                copies[""] = _shallow(self._module)
                continue
            if place.is_other(children := _children(copies[place.parent])):
                return self._module
            children[place.name] = copies[place.path] = _shallow(place.module)
        for pair in self.pairs:
            both = [_children(copies[place.parent]) for place in pair.places]
            if any(map(_Place.is_other, pair.places, both)):
                return self._module
            if (parts := pair.folded()) is not None:
                for place, children, part in zip(pair.places, both, parts, strict=True):
                    children[place.name] = part
        return copies.get("", self._module)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a module stands in another."""

    path: str
    parent: str
    name: str
    module: nn.Module

    @classmethod
    def of(cls, root: nn.Module, path: str) -> _Place:
        parent, _, name = path.rpartition(".")
        return cls(path, parent, name, root.get_submodule(path))

    def is_other(self, children: Mapping[str, nn.Module | None]) -> bool:
        """Whether something else stands there by now."""
        return children.get(self.name) is not self.module


@dataclass(frozen=True, slots=True)
class _Pair:
    """A convolution, and the normalisation that alone takes what it gives."""

    convolution: nn.Conv2d
    norm: nn.BatchNorm2d
    places: tuple[_Place, _Place]

    def folded(self) -> tuple[nn.Module, nn.Module] | None:
        """What stands in their places; None while they have to stay themselves."""
        norm, rest = self.norm, _rest(self.norm)
        if norm.training or _is_watched(self.convolution) or _is_watched(norm):
            return None
        own, others = (vars(each)["_parameters"] for each in (self.convolution, norm))
        buffers = vars(norm)["_buffers"]
        if rest is None or buffers["running_mean"] is None:
            return None
        tensors = (
            own["weight"],
            own["bias"],
            buffers["running_mean"],
            buffers["running_var"],
            others["weight"],
            others["bias"],
            # It counts changes that the running figures do not tell of.
            buffers["num_batches_tracked"],
        )
        state = (
            norm.eps,
            *[each if each is None else _state(each) for each in tensors],
        )
        weights = _folded.get(self.convolution)
        if weights is None or weights.state != state:
            weights = _folded[self.convolution] = _Weights.of(tensors, norm.eps, state)
        convolution = _shallow(self.convolution)
        vars(convolution)["_parameters"] = dict(weights.parameters)
        return convolution, rest


@dataclass(frozen=True, slots=True)
class _Weights:
    """A convolution's weights with a normalisation in them, and what they are of."""

    parameters: Mapping[str, nn.Parameter]
    state: tuple[object, ...]
    sources: tuple[Tensor | None, ...]
    """Holds their memory, so that its addresses are not those of later weights."""

    @classmethod
    def of(
        cls, tensors: Sequence[Tensor | None], eps: float, state: tuple[object, ...]
    ) -> _Weights:
        sources = tuple(each if each is None else each.detach() for each in tensors)
        exact = [each if each is None else each.double() for each in sources]
        weight, bias, mean, variance, scale, shift, _ = exact
        assert weight is not None
        assert mean is not None
        assert variance is not None
        # In double precision, so that each weight is rounded once.
        fused = fuse_conv_bn_weights(weight, bias, mean, variance, eps, scale, shift)
        parameters = {
            name: nn.Parameter(each.detach().float(), requires_grad=False)
            for name, each in zip(("weight", "bias"), fused, strict=True)
        }
        return cls(parameters, state, sources)


# By convolution: operators that take their vectors from one model share them.
_folded: WeakKeyDictionary[nn.Module, _Weights] = WeakKeyDictionary()


@dataclass(slots=True)
class _Given:
    """What a convolution gave."""

    result: Tensor
    weight: Tensor
    mean: Tensor | None = None
    """The normalisation's that took it."""
    uses: int = 0


class _Watch(TorchFunctionMode):
    """Sees which function takes what convolutions give; in the calling thread alone."""

    def __init__(self) -> None:
        super().__init__()
        self._given: dict[int, _Given] = {}
        self._normalised: list[Tensor | None] = []

    @property
    def followed(self) -> list[tuple[Tensor, Tensor]]:
        """Weights used once, each with the ``running_mean`` of what alone follows."""
        weights = [id(each.weight) for each in self._given.values()]
        means = [id(each) for each in self._normalised]
        return [
            (each.weight, each.mean)
            for each in self._given.values()
            if each.mean is not None
            and each.uses == weights.count(id(each.weight)) == 1
            and means.count(id(each.mean)) == 1
        ]

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  (what the function gives)
        del types
        kwargs = kwargs or {}
        if func is batch_norm:
            self._normalised.append(args[1])
        if func.__name__ not in _ASKING:
            for tensor in _tensors((*args, *kwargs.values())):
                if (given := self._given.get(id(tensor))) is not None:
                    given.uses += 1
                    given.mean = args[1] if func is batch_norm else None
        result = func(*args, **kwargs)
        if func is torch.conv2d:
            self._given[id(result)] = _Given(result, args[1])
        return result


def _pairs(
    module: nn.Module, followed: Iterable[tuple[Tensor, Tensor]]
) -> Iterator[_Pair]:
    """Modules of known kinds that have these weights, in one place each."""
    holders: dict[int, list[tuple[str, nn.Module]]] = {}
    for path, each in module.named_modules(remove_duplicate=False):
        for tensor in (*each.parameters(recurse=False), *each.buffers(recurse=False)):
            holders.setdefault(id(tensor), []).append((path, each))
    for weight, mean in followed:
        found = [*holders.get(id(weight), ()), *holders.get(id(mean), ())]
        if len(found) != 2:  # noqa: PLR2004  (one of each)
            continue
        (path, convolution), (norm_path, norm) = found
        if _kind(convolution) in _CONVOLUTIONS and _rest(norm) is not None:
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            places = _Place.of(module, path), _Place.of(module, norm_path)
            yield _Pair(convolution, norm, places)


def _rest(norm: Any) -> nn.Module | None:  # noqa: ANN401  (any module)
    """What a normalisation does beyond that; None if it is of no known kind."""
    if _kind(norm) == _PLAIN:
        return _NOTHING
    if _kind(norm) != _ACTIVATED:
        return None
    if isinstance(norm.drop, nn.Identity):
        return norm.act  # type: ignore[no-any-return]
    return nn.Sequential(norm.drop, norm.act)


def _has_both(module: nn.Module) -> bool:
    kinds = {_kind(each) for each in module.modules()}
    return bool(kinds & _CONVOLUTIONS and kinds & {_PLAIN, _ACTIVATED})


def _kind(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _is_watched(module: nn.Module) -> bool:
    own = vars(module)
    return bool(own["_forward_hooks"] or own["_forward_pre_hooks"] or "forward" in own)


def _shallow(module: nn.Module) -> nn.Module:
    """The same in an object of its own, which other children can be given."""
    copy = object.__new__(type(module))
    vars(copy).update(vars(module), _modules=dict(_children(module)))
    return copy


def _children(module: nn.Module) -> dict[str, nn.Module | None]:
    found: dict[str, nn.Module | None] = vars(module)["_modules"]
    return found


def _state(tensor: Tensor) -> tuple[int, int]:
    """Another one once the numbers in it are others, or lie elsewhere."""
    return tensor.data_ptr(), tensor._version  # noqa: SLF001  (torch's only count)


def _tensors(values: Iterable[object]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _agree(found: Tensor, expected: Tensor) -> bool:
    """To float32 rounding; where nothing but zeros comes out, that shows nothing."""
    most = expected.abs().max()
    difference = (found - expected).abs().max()
    return bool(most > 0 and difference <= _TOLERANCE * most)
