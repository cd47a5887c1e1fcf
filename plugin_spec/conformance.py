"""Whether an operator's repository may be published as it stands.

Everything is read as text; nothing of the repository is imported or run.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from plugin_spec.errors import InvalidManifest
from plugin_spec.finding import Finding, missing
from plugin_spec.licenses import find_license_problem
from plugin_spec.manifest import Manifest
from plugin_spec.nearest import did_you_mean
from plugin_spec.package_source import check_package
from plugin_spec.tree_paths import path_problems, walk_published

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Finding", "check_operator"]

MANIFEST: Final = "operator.yaml"
_HEAD: Final = 1 << 16
"""Bytes of a document that are looked at."""
_LICENSES: Final = frozenset({"LICENSE", "LICENSE.md", "LICENSE.txt", "license"})
_CARD: Final = re.compile(r"---[ \t]*\n.*?^---[ \t]*$", re.DOTALL | re.MULTILINE)
_CARD_LICENSE: Final = re.compile(r"^license:\s*[\"']?([\w.-]+)", re.MULTILINE)
_PICKLES: Final = {".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth"}


def check_operator(path: Path, *, ignored: Collection[str] = ()) -> tuple[Finding, ...]:
    """Give everything to mend in the repository at ``path``, errors first.

    :param ignored: what of it stays at home, as ``walk_published`` takes it.
    """
    if not path.is_dir():
        mend = "Give the folder that holds `operator.yaml`"
        return (Finding("error", str(path), "not a folder", mend),)
    found, files = _walk(path, ignored)
    manifest = _read_manifest(path, files, found)
    found += _check_documents(path, files)
    found += _check_pickles(files)
    if manifest is not None:
        found += _check_license(manifest)
        found += _check_card(path, files, manifest)
        found += _check_weights(manifest)
        found += _check_step_files(manifest, files)
        if manifest.module is not None:
            distributions = [package.name for package in manifest.packages]
            found += check_package(path, files, manifest.module, distributions)
    return tuple(sorted(found, key=lambda finding: finding.severity))


def _walk(folder: Path, ignored: Collection[str]) -> tuple[list[Finding], list[str]]:
    """Give what may not be in a tree, and the paths of its regular files."""
    found: list[Finding] = []
    files: list[str] = []
    for entry, path in sorted(
        walk_published(folder, ignored), key=lambda pair: pair[1]
    ):
        if entry.is_file(follow_symlinks=False):
            files.append(path)
        else:
            kind = "a symbolic link" if entry.is_symlink() else "not a regular file"
            mend = "Put a regular file there, or remove it"
            found.append(Finding("error", _printable(path), f"is {kind}", mend))
    mend = "Give it a name that every system accepts"
    found += (
        Finding("error", _printable(path), problem, mend)
        for path, problem in path_problems(files)
    )
    return found, files


def _read_manifest(
    folder: Path, files: Collection[str], found: list[Finding]
) -> Manifest | None:
    if MANIFEST not in files:
        mend = "Write the manifest, as `docs/manifest.md` describes it"
        found.append(missing(folder, MANIFEST, mend))
        return None
    try:
        return Manifest.from_yaml((folder / MANIFEST).read_bytes(), source=MANIFEST)
    except InvalidManifest as error:
        mend = "Correct the manifest, as `docs/manifest.md` describes it"
        found += (Finding("error", MANIFEST, each, mend) for each in error.problems)
        return None


def _check_documents(folder: Path, files: Collection[str]) -> Iterator[Finding]:
    wanted = {
        "README.md": "Say what the operator does, with an example that can be copied",
        "LICENSE": "Add the text of the licence that the manifest names",
    }
    for name, mend in wanted.items():
        names = _LICENSES if name == "LICENSE" else {name}
        found = sorted(names.intersection(files))
        if not found:
            yield missing(folder, name, mend)
        elif not any(_body(_head(folder / each)).strip() for each in found):
            yield Finding("error", found[0], "empty", mend)


def _check_card(
    folder: Path, files: Collection[str], manifest: Manifest
) -> Iterator[Finding]:
    """What Hugging Face reads at the top of the page is not to say another licence."""
    written = manifest.license
    if "README.md" not in files or " " in written or written.startswith("LicenseRef-"):
        return
    card = _CARD.match(_head(folder / "README.md"))
    said = card and _CARD_LICENSE.search(card[0])
    usual = written.lower().removesuffix("-only").removesuffix("-or-later")
    if said and said[1].lower() not in {written.lower(), usual, "other"}:
        message = f"its card says the licence {said[1]}, and the manifest {written}"
        yield Finding("warning", "README.md", message, "Say the same in both")


def _body(text: str) -> str:
    """What a person reads of a page: all but the head that model cards have."""
    card = _CARD.match(text)
    return text[card.end() :] if card else text


def _head(file: Path) -> str:
    with file.open("rb") as opened:
        head = opened.read(_HEAD).decode(errors="replace")
    return head.replace("\r\n", "\n")


def _check_license(manifest: Manifest) -> Iterator[Finding]:
    # Not where manifests are read: what is published already stays what it is.
    if problem := find_license_problem(manifest.license):
        mend = (
            "Write an identifier of https://spdx.org/licenses/, "
            "or `LicenseRef-` and a name for terms of your own"
        )
        yield Finding("error", f"{MANIFEST}: license", problem, mend)


def _check_pickles(files: Collection[str]) -> Iterator[Finding]:
    for path in files:
        if PurePosixPath(path).suffix.lower() in _PICKLES:
            yield _pickle(_printable(path))


def _check_weights(manifest: Manifest) -> Iterator[Finding]:
    for index, weights in enumerate(manifest.weights):
        if PurePosixPath(weights.file).suffix.lower() in _PICKLES:
            yield _pickle(f"{MANIFEST}: weights[{index}].file")


def _pickle(place: str) -> Finding:
    message = "may be a pickle, which runs code when it is loaded"
    return Finding("warning", place, message, "Save the weights as safetensors")


def _check_step_files(manifest: Manifest, files: Collection[str]) -> Iterator[Finding]:
    for index, step in enumerate(manifest.steps):
        for option, value in step.options.items():
            if not isinstance(value, dict) or value.keys() != {"file"}:
                continue
            if (path := value["file"]) not in files:
                place = f"{MANIFEST}: steps[{index}].with.{option}"
                message = f"no file `{path}` here{did_you_mean(path, files)}"
                yield Finding("error", place, message, "Add the file, or mend its path")


def _printable(path: str) -> str:
    return path if path.isprintable() else repr(path)
