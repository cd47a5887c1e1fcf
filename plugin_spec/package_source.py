"""The Python package of an operator, read as text: nothing is imported or run."""

from __future__ import annotations

import ast
import sys
import warnings
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from plugin_spec.finding import Finding, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from packaging.utils import NormalizedName

_HOOK: Final = "operator_class"

# Distributions that give a package of another name; others are asked of this
# interpreter, which need not have installed what an operator requires.
_DISTRIBUTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "PIL": ("pillow",),
    "cv2": (
        "opencv-python",
        "opencv-python-headless",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "yaml": ("pyyaml",),
}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One parsed file; ``place`` is its path below the repository."""

    place: str
    tree: ast.Module


def check_package(
    repository: Path, files: Iterable[str], module: str, distributions: Iterable[str]
) -> Iterator[Finding]:
    """Check the package ``module`` of a repository.

    :param files: paths of the repository's regular files; no other is opened.
    :param distributions: names of the Python packages that the manifest requires.
    """
    initial = f"{module}/__init__.py"
    places = [path for path in files if path.startswith(f"{module}/")]
    if initial not in places:
        mend = f"`module` names a folder of this repository: write `{initial}`"
        yield missing(repository, initial, mend)
        return
    sources = []
    for place in places:
        if place.endswith(".py"):
            parsed = _parse(repository / place, place)
            if isinstance(parsed, Finding):
                yield parsed
            else:
                sources.append(parsed)
    for source in sources:
        yield from _imports_of_itself(source, module)
    if any(source.place == initial for source in sources):
        yield from _missing_hook(sources, initial)
    required = set(map(canonicalize_name, distributions))
    for each in _first_imports(sources, module, _at_import):
        if not _gives(required, each.package):
            yield each.finding()


def check_late_imports(
    folder: Path, distributions: Iterable[str], loaded: Collection[str]
) -> Iterator[Finding]:
    """Warn of packages that functions import, of those that a run has loaded.

    What a function imports may be for some options alone, or may be done without.

    :param folder: of the package itself.
    :param loaded: modules, by name.
    """
    required = set(map(canonicalize_name, distributions))
    files = sorted(folder.rglob("*.py"))
    parsed = (
        _parse(file, file.relative_to(folder.parent).as_posix()) for file in files
    )
    sources = [each for each in parsed if isinstance(each, SourceFile)]
    told = {each.package for each in _first_imports(sources, folder.name, _at_import)}
    for each in _first_imports(sources, folder.name, _in_functions):
        unseen = each.package in loaded and each.package not in told
        if unseen and not _gives(required, each.package):
            yield each.finding()


def _parse(path: Path, place: str) -> SourceFile | Finding:
    try:
        with warnings.catch_warnings(action="ignore"):
            return SourceFile(place, ast.parse(path.read_bytes()))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        place = f"{place} line {line}" if line else place
        reason = getattr(error, "msg", None) or str(error) or "too deeply nested"
        return Finding("error", place, f"not Python: {reason}", "Correct the syntax")


def _imports_of_itself(source: SourceFile, module: str) -> Iterator[Finding]:
    for name, line in _absolute_imports(ast.walk(source.tree)):
        if name.partition(".")[0] == module:
            yield Finding(
                "error",
                f"{source.place} line {line}",
                f"imports `{name}`, but the package runs under a private name",
                "Import your own modules relatively, as in `from .model import Model`",
            )


def _missing_hook(sources: Iterable[SourceFile], initial: str) -> Iterator[Finding]:
    implemented = False
    visible = False
    for source in sources:
        for node in source.tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == _HOOK:
                implemented |= any(map(_is_hookimpl, node.decorator_list))
                visible |= source.place == initial
            elif isinstance(node, ast.ImportFrom) and source.place == initial:
                visible |= any((a.asname or a.name) == _HOOK for a in node.names)
    if not (implemented and visible):
        mend = "Write `@hookimpl def operator_class() -> type[Operator]: …` in it"
        yield Finding("error", initial, f"does not implement the hook `{_HOOK}`", mend)


def _is_hookimpl(decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    name = decorator.attr if isinstance(decorator, ast.Attribute) else None
    return "hookimpl" in (name, getattr(decorator, "id", None))


@dataclass(frozen=True, slots=True)
class _Import:
    """Where a package that is not Python's own is imported first."""

    package: str
    place: str

    def finding(self) -> Finding:
        """The warning, if nothing that is required gives it."""
        return Finding(
            "warning",
            self.place,
            f"imports `{self.package}`, which `requires.packages` does not name",
            "Add the distribution that gives it to `requires.packages`",
        )


def _first_imports(
    sources: Iterable[SourceFile],
    module: str,
    nodes: Callable[[ast.Module], Iterable[ast.AST]],
) -> Iterator[_Import]:
    known = {*sys.stdlib_module_names, "plugin_spec", module}
    for source in sources:
        for name, line in _absolute_imports(nodes(source.tree)):
            package = name.partition(".")[0]
            if package not in known:
                yield _Import(package, f"{source.place} line {line}")
            known.add(package)


def _at_import(tree: ast.Module) -> Iterable[ast.AST]:
    return tree.body


def _in_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """What functions hold, but for what they only try."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, inside = waiting.pop()
        if inside:
            yield node
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        held = [
            each for each in ast.iter_child_nodes(node) if type(each) is not ast.Try
        ]
        waiting += [(each, inside) for each in reversed(held)]


def _gives(required: set[NormalizedName], package: str) -> bool:
    usual = {
        canonicalize_name(each) for each in (package, *_DISTRIBUTIONS.get(package, ()))
    }
    if required & usual:
        return True
    # Reading every installed distribution takes a tenth of a second.
    installed = packages_distributions().get(package, ())
    return bool(required & {canonicalize_name(each) for each in installed})


def _absolute_imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or "", node.lineno
