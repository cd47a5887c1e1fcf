"""The stores' operators, loaded from their repositories, in this and other processes."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from installation import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from plugin_spec.vector_stores import InsertOperator, SearchOperator

OPERATORS = ROOT / "reference_operators"
CLASSES = {"faiss": "Faiss", "lancedb": "Lance", "milvus": "Milvus"}
ELSEWHERE = """if True:
    import json, sys
    sys.path.insert(0, sys.argv[1])
    from vector_stores import Store
    store = Store(*json.loads(sys.argv[2]))
    print(json.dumps(getattr(store, sys.argv[3])(*json.loads(sys.argv[4]))))
"""


@dataclass(frozen=True, slots=True)
class Store:
    """One kind of store, in a folder."""

    kind: str
    folder: str
    server: str = ""
    """The address, if it is a server's rather than in the folder."""

    @property
    def place(self) -> dict[str, str]:
        """The options that say where."""
        return {
            "faiss": {"path": f"{self.folder}/photos"},
            "lancedb": {"uri": f"{self.folder}/database", "table": "photos"},
            "milvus": {
                "uri": self.server or f"{self.folder}/photos.db",
                "collection": "photos",
            },
        }[self.kind]

    def inserter(self, **options: object) -> InsertOperator:
        return _class(self.kind, "Insert")(**{**self.place, **options})  # type: ignore[no-any-return]

    def searcher(self, **options: object) -> SearchOperator:
        return _class(self.kind, "Search")(**{**self.place, **options})  # type: ignore[no-any-return]

    def insert(
        self, records: Sequence[object], options: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """Put records in, and let go of the store."""
        operator = self.inserter(**(options or {}))
        ids = operator.predict([operator.prepare(record) for record in records])
        operator.close()
        return list(ids)

    def search(
        self, query: Sequence[float], options: Mapping[str, Any] | None = None
    ) -> list[list[Any]]:
        """Ids, scores and metadata."""
        operator = self.searcher(**(options or {}))
        result = operator(query)
        operator.close()
        return [result.ids, result.scores, result.metadata]

    def note(self) -> object:
        """What the store noted."""
        return self.inserter().note()

    def content(self, length: int) -> list[list[Any]]:
        """Every id, with its distance from the origin and its metadata, by id."""
        found = self.search([0.0] * length, {"topk": 10_000})
        return sorted(map(list, zip(*found, strict=True)), key=str)

    def there(self, action: str, *arguments: object) -> object:
        """Do it here, or elsewhere if the store would stay this process's own."""
        if self.kind == "milvus" and not self.server:
            return self.elsewhere(action, *arguments)
        found: object = getattr(self, action)(*arguments)
        return found

    def elsewhere(self, action: str, *arguments: object) -> object:
        """Do it in another process."""
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                ELSEWHERE,
                str(ROOT / "tests"),
                json.dumps([self.kind, self.folder, self.server]),
                action,
                json.dumps(arguments),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


def store_in(folder: Path, kind: str) -> Store:
    return Store(kind, str(folder))


def _class(kind: str, action: str) -> Any:  # noqa: ANN401  (a class of any store)
    path = str(OPERATORS / f"ann-{action.lower()}" / kind)
    sys.path.insert(0, path)
    try:
        module = importlib.import_module(f"{kind}_{action.lower()}")
    finally:
        sys.path.remove(path)
    return getattr(module, f"{CLASSES[kind]}{action}")
