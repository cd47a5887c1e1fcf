"""What Hugging Face servers said before: tags as of then, files of commits, bundles."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from hub_client.atomic_file import write_atomically
from hub_client.listed_file import ListedFile
from hub_client.origin import note_origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RepositoryNotes:
    """A folder of the cache, for one repository at one server."""

    folder: Path
    url: str

    @classmethod
    def open(cls, cache_dir: Path, url: str) -> Self:
        """The notes on the repository at ``url``; there need be none yet."""
        name = hashlib.sha256(url.encode()).hexdigest()[:32]
        return cls(cache_dir / "hugging-face" / name, url)

    def tags(self) -> dict[str, str]:
        """Commits by tag, of those commits whose files are noted."""
        noted = self._read("tags")
        tags = noted if isinstance(noted, dict) else {}
        return {ref: tags[ref] for ref in tags if self._file(tags[ref]).is_file()}

    def note_tags(self, tags: Mapping[str, str]) -> None:
        """Remember all tags there are now."""
        if self._read("tags") != tags:
            self._write("tags", dict(tags))

    def files(self, commit: str) -> tuple[ListedFile, ...] | None:
        """The files of a commit, which never change; None if they are not noted."""
        try:
            files = tuple(ListedFile(*each) for each in self._read(commit) or ())
        except TypeError:
            return None
        return files if files and all(each.is_well_typed for each in files) else None

    def note_files(self, commit: str, files: Sequence[ListedFile]) -> None:
        """Remember the files of a commit."""
        self._write(commit, [[each.path, each.size, each.digest] for each in files])

    def bundle(self, commit: str) -> bytes | None:
        """The sigstore bundle of a release's commit; None if none is noted."""
        try:
            return self._bundle_file(commit).read_bytes()
        except OSError:
            return None

    def note_bundle(self, commit: str, bundle: bytes) -> None:
        """Remember it, whether it is a good one or not."""
        self._write_bytes(self._bundle_file(commit), bundle)

    def _bundle_file(self, commit: str) -> Path:
        return self.folder / f"{commit}.sigstore"

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _read(self, name: str) -> Any:  # noqa: ANN401  (what it was when written)
        try:
            return json.loads(self._file(name).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None

    def _write(self, name: str, value: object) -> None:
        self._write_bytes(self._file(name), json.dumps(value).encode())

    def _write_bytes(self, file: Path, content: bytes) -> None:
        # Where that fails, the server is asked again.
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            note_origin(self.folder, self.url)
            write_atomically(file, content)
