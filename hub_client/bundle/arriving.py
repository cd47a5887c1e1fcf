"""Wheels of a bundle until they are installed; those of a failed sync are here yet."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_client.store import CacheUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Arriving:
    """A folder of the cache that one process at a time fills.

    What a failed one brought stays for the next try, or until nobody wants it.
    """

    path: Path

    @classmethod
    def of(cls, cache_dir: Path) -> Arriving:
        """The one of a cache."""
        return cls(cache_dir / "arriving")

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Be the one that fills it; all that is in it goes if the block succeeds.

        :raises CacheUnwritable: if there cannot be one.
        """
        from filelock import FileLock  # noqa: PLC0415  (as in Store)

        lock = FileLock(self._lock)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError as error:
            raise CacheUnwritable(self.path, error) from error
        try:
            yield
            for file in self.files():
                file.unlink()
        finally:
            lock.release()

    @contextmanager
    def unused(self) -> Iterator[bool]:
        """Whether no process fills it; nobody uses what is there while that lasts."""
        from filelock import FileLock, Timeout  # noqa: PLC0415  (as in Store)

        if not self.files():
            yield True
            return
        lock = FileLock(self._lock)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def files(self) -> tuple[Path, ...]:
        """Wheels, whole or in part, sorted."""
        return tuple(sorted(self.path.glob("*")))

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")
