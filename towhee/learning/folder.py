"""A state as files: ``state.json``, and one file for each operator that learned."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from towhee.learning.state import Saved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from towhee.learning.state import Learned, State

INDEX: Final = "state.json"
VERSION: Final = 1


class Unsavable(HubError, TypeError):
    """What an operator learned, or its options, cannot be written to a file."""


class InvalidState(HubError, ValueError):
    """A folder holds no state, or a damaged one."""


def write(state: State, folder: str | os.PathLike[str]) -> None:
    """Write every operator's file, then the index that names them.

    :raises Unsavable: naming the operator, before anything is written.
    """
    contents: dict[str, bytes] = {}
    entries = []
    for name in state:
        learned = state[name]
        content = _content(name, learned)
        file = f"{sha256(content).hexdigest()}.learned"
        contents[file] = content
        entries.append(
            {
                "name": name,
                "operator": learned.source,
                "options": dict(learned.options),
                "features": learned.features,
                "file": file,
            }
        )
    index = json.dumps({"version": VERSION, "operators": entries}, indent=2)
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        (path / file).write_bytes(content)
    # Rename last: whoever reads finds an index whose files are all there.
    temporary = path / f"{INDEX}.{os.getpid()}"
    temporary.write_text(f"{index}\n", encoding="utf-8")
    temporary.replace(path / INDEX)
    for old in set(path.glob("*.learned")) - {path / file for file in contents}:
        old.unlink(missing_ok=True)


def read(folder: str | os.PathLike[str], *, trusted: bool) -> dict[str, Saved]:
    """Read the index and every file that it names.

    :raises InvalidState: naming what is missing or was changed.
    """
    path = Path(folder)
    try:
        index = json.loads((path / INDEX).read_text(encoding="utf-8"))
        version = index["version"]
        if version != VERSION:
            raise InvalidState(
                f"`{path}` has the format {version!r}, and {VERSION} is known"
            )
        return {
            entry["name"]: _saved(path, entry, trusted=trusted)
            for entry in index["operators"]
        }
    except FileNotFoundError as error:
        raise InvalidState(
            f"`{path}` has no file `{Path(error.filename).name}`"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, HubError):
            raise
        raise InvalidState(f"`{path / INDEX}` is no index of a state") from error


def _saved(path: Path, entry: Mapping[str, Any], *, trusted: bool) -> Saved:
    file = str(entry["file"])
    if Path(file).name != file:
        raise InvalidState(f"`{path / INDEX}` names the file `{file}`, outside of it")
    content = (path / file).read_bytes()
    if f"{sha256(content).hexdigest()}.learned" != file:
        raise InvalidState(f"`{path / file}` was changed since it was written")
    options = dict(entry["options"])
    return Saved(
        str(entry["operator"]), options, int(entry["features"]), content, trusted
    )


def _content(name: str, learned: Learned | Saved) -> bytes:
    options = dict(learned.options)
    try:
        same = json.loads(json.dumps(options)) == options
    except (TypeError, ValueError):
        same = False
    if not same:
        raise Unsavable(f"The options of `{name}` are no JSON: {options}")
    if isinstance(learned, Saved):
        return learned.content
    return learned.operator.save()
