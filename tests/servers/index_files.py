"""An index in a git repository, which a test can also forge."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from servers.git_repository import GitRepository


def digest_of(files: Mapping[str, bytes]) -> str:
    """The tree digest of files, as ``docs/lock.md`` defines it."""
    listing = "".join(
        f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n"
        for path in sorted(files, key=str.encode)
    )
    return f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class IndexRepository:
    """A repository whose newest commit becomes an index of what was listed."""

    repository: GitRepository
    lines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def spec(self) -> str:
        return f"index+{self.repository.url}"

    def list(
        self, source: str, commit: str, files: Mapping[str, bytes], **changes: object
    ) -> None:
        """Add the version that ``files`` are, as a line that may lie; not committed.

        ``changes`` replace what the line would say.
        """
        operator = Manifest.from_yaml(files["operator.yaml"]).to_dict()
        version = {
            "version": operator["version"],
            "source": source,
            "ref": f"refs/tags/v{operator['version']}",
            "commit": commit,
            "tree": digest_of(files),
            "operator": operator,
            **changes,
        }
        self.lines[f"operators/{operator['name']}.jsonl"].append(json.dumps(version))

    def commit(self, **more: bytes) -> str:
        """Commit the entries; ``more`` are files at the root."""
        entries = {
            path: "".join(f"{each}\n" for each in lines).encode()
            for path, lines in self.lines.items()
        }
        return self.repository.commit({**entries, **more})
