"""From a stored tree to an operator instance; nothing of it runs before its digest."""

from __future__ import annotations

import inspect
import json
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import pluggy

from plugin_spec.errors import HubError, InvalidOperator
from plugin_spec.hookspecs import PROJECT, OperatorHooks
from plugin_spec.operator import Operator
from plugin_spec.pinned import pinning
from towhee.loaded_operator import LoadedOperator
from towhee.options import InvalidOptions
from towhee.private_modules import import_package, verify_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import ModuleType

    from plugin_spec.manifest import Manifest, Weights

_loaded: WeakValueDictionary[tuple[str, str], LoadedOperator] = WeakValueDictionary()
# Chains that are written anew, as in a loop or a notebook, find their model loaded.
_recent: deque[LoadedOperator] = deque(maxlen=4)
_locks: dict[tuple[str, str], threading.RLock] = {}


def load_operator(
    tree: Path,
    digest: str,
    manifest: Manifest,
    options: Mapping[str, object],
    *,
    own: bool = False,
) -> LoadedOperator:
    """Load an operator; calls with equal options share one instance.

    It lives while it is used, and the last few live on for the next chain, unless what
    they read has changed since.

    :param digest: what ``tree`` must hash to, as ``sha256:…``.
    :param options: as ``checked_options`` gives them.
    :param own: load one that nobody shares: it will be changed.
    :raises DigestMismatch: before any of the operator's code runs.
    :raises InvalidOperator: if its code breaks the contract.
    :raises InvalidOptions: if the class requires an option that is not given.
    """
    if own:
        loaded = _load(tree, digest, manifest, options)
        loaded.is_own = True
        return loaded
    key = _key(digest, options, manifest.weights)
    if key is None:
        return _load(tree, digest, manifest, options)
    # A lock a key: building one operator may run a chain that loads others, anywhere.
    with _locks.setdefault(key, threading.RLock()):
        shared = _loaded.get(key)
        if shared is not None and not shared.operator.is_current:
            with suppress(ValueError):
                _recent.remove(shared)
            shared = None
        if shared is None:
            shared = _loaded[key] = _load(tree, digest, manifest, options)
            _recent.append(shared)
        return shared


def _key(
    digest: str, options: Mapping[str, object], weights: Iterable[Weights]
) -> tuple[str, str] | None:
    pins = [(each.repo, each.file, each.revision, each.sha256) for each in weights]
    try:
        return digest, json.dumps([options, pins], sort_keys=True)
    except (TypeError, ValueError):
        return None


def _load(
    tree: Path, digest: str, manifest: Manifest, options: Mapping[str, object]
) -> LoadedOperator:
    name = str(manifest.name)
    verify_tree(tree, digest, f"`{name}` {manifest.version}")
    with pinning(manifest.weights):
        operator = _build(name, find_class(tree, digest, manifest), options)
    return LoadedOperator(manifest, operator)


def find_class(tree: Path, digest: str, manifest: Manifest) -> type[Operator]:
    """Import an operator, and ask it for its class.

    :raises InvalidOperator: if it fails, or gives none.
    """
    hooks = pluggy.PluginManager(PROJECT)
    hooks.add_hookspecs(OperatorHooks)
    try:
        hooks.register(_import(tree, digest, manifest))
        hooks.check_pending()
    except pluggy.PluginValidationError as error:
        raise InvalidOperator(
            f"`{manifest.name}` implements a hook that does not exist: {error}",
            hint="The hook is `def operator_class() -> type[Operator]`",
        ) from error
    found = hooks.hook.operator_class()
    if found is None:
        raise InvalidOperator(
            f"`{manifest.name}` gives no class from a hook `operator_class`",
            hint=f"Define `@hookimpl def operator_class()` in `{manifest.module}`",
        )
    if not isinstance(found, type) or not issubclass(found, Operator):
        raise InvalidOperator(
            f"`{manifest.name}` provides {found!r}, which is no `plugin_spec.Operator`",
            hint="Return a class that derives from `Operator` or `ModelOperator`",
        )
    return found


def _import(tree: Path, digest: str, manifest: Manifest) -> ModuleType:
    assert manifest.module is not None
    try:
        return import_package(tree / manifest.module, digest)
    except (Exception, SystemExit) as error:
        raise InvalidOperator(
            f"`{manifest.name}` cannot be imported: {type(error).__name__}: {error}",
            hint=_import_hint(error, manifest),
        ) from error


def _import_hint(error: BaseException, manifest: Manifest) -> str | None:
    match error:
        case ModuleNotFoundError(name=str(missing)):
            if missing.partition(".")[0] == manifest.module:
                return f"In `{manifest.module}`, import its own modules relatively"
            return f"Run `hub install {manifest.name}` to install what it requires"
    return f"Report this to the publisher of `{manifest.name}`"


def _build(name: str, found: type[Operator], options: Mapping[str, Any]) -> Operator:
    if inspect.isabstract(found):
        methods = ", ".join(
            f"`{method}`" for method in sorted(found.__abstractmethods__)
        )
        raise InvalidOperator(f"`{name}` does not implement {methods}")
    parameters = inspect.signature(found).parameters
    missing = [
        f"{parameter.name}: required, but not given"
        for parameter in parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}
        and parameter.name not in options
    ]
    if missing:
        raise InvalidOptions(name, missing, known=parameters)
    try:
        return found(**options)
    except HubError:
        raise
    except (Exception, SystemExit) as error:
        raise InvalidOperator(
            f"`{name}` cannot be built: {type(error).__name__}: {error}",
            hint="Check the options, or report this to its publisher",
        ) from error
