"""The files of a new operator, as text."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from plugin_spec.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

    from plugin_spec.names import OperatorName

Kind: TypeAlias = Literal["operator", "model", "pipeline"]
License: TypeAlias = Literal["Apache-2.0", "MIT", "BSD-3-Clause"]

_ENDING: Final = ".tmpl"
_PACKAGES: Final[Mapping[Kind, str]] = {
    "operator": '"numpy>=1.26"',
    "model": '"numpy>=1.26"',
    "pipeline": "",
}
# What a new operator's own files import, or are called.
_MODULES: Final = frozenset({"numpy", "pytest", "tests", "samples"})
_CLASSES: Final = frozenset({"ModelOperator", "Operator"})


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A new operator; ``files`` are what it starts from."""

    name: OperatorName
    kind: Kind = "operator"
    license: License = "Apache-2.0"

    def files(self) -> dict[str, str]:
        """Text by path, with ``/``, sorted by path."""
        templates = files(__package__) / "templates"
        folders = (
            ("all", self.kind)
            if self.kind == "pipeline"
            else ("all", "code", self.kind)
        )
        filled = {
            self._path(path): self._fill(text)
            for folder in folders
            for path, text in _read(templates / folder)
        }
        terms = files(__package__) / "licenses" / f"{self.license}.txt"
        filled["LICENSE"] = self._fill(terms.read_text(encoding="utf-8"))
        return dict(sorted(filled.items()))

    def _path(self, template: str) -> str:
        path = template.removesuffix(_ENDING).replace("dot-", ".")
        return path.replace("MODULE", module_name(self.name.name))

    def _fill(self, text: str) -> str:
        module = module_name(self.name.name)
        filled = Template(text).substitute(
            name=self.name,
            attributes=self.name.attribute_path,
            module=module,
            class_name=_class_name(module),
            license=self.license,
            # Model cards write it so.
            license_tag=self.license.lower(),
            packages=_PACKAGES[self.kind],
        )
        return "".join(f"{line.rstrip()}\n" for line in filled.splitlines())


def module_name(name: str) -> str:
    """The package of an operator: its name, or a longer one where that is taken.

    >>> module_name("my-op"), module_name("json"), module_name("3d-pose")
    ('my_op', 'json_operator', 'operator_3d_pose')
    """
    plain = name.replace("-", "_")
    candidates = (plain, f"{plain}_operator", f"operator_{plain}")
    return next(filter(_is_free, candidates))


def _is_free(module: str) -> bool:
    class_name = _class_name(module)
    return (
        FORMATS["module"](module) is None
        and module not in _MODULES
        and not keyword.iskeyword(class_name)
        and class_name not in _CLASSES
    )


def _class_name(module: str) -> str:
    """A module's name in the form of a class.

    >>> _class_name("operator_3d_pose")
    'Operator3dPose'
    """
    return "".join(part.capitalize() for part in module.split("_"))


def _read(folder: Traversable, below: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        path = f"{below}{entry.name}"
        if entry.is_dir():
            yield from _read(entry, f"{path}/")
        elif entry.name.endswith(_ENDING):
            yield path, entry.read_text(encoding="utf-8")
