"""A store that is made when it is first needed.

Most starts only ask whether anything is stored, and nothing is; to answer that, it is enough to look for two file
names.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from bridge.store.paths import StorePaths, check_key, marker_name, secret_name
from bridge.store.secret_store import SecretStore


class LazyStore(SecretStore):
    """The store that `make` returns, whose files are in `paths`."""

    def __init__(self, paths: StorePaths, make: Callable[[], SecretStore]) -> None:
        self._folders = [StorePaths(root).credentials for root in (paths.root, *paths.former)]
        self._make = make
        self._made: SecretStore | None = None

    @property
    def _store(self) -> SecretStore:
        if self._made is None:
            self._made = self._make()
        return self._made

    def exists_hint(self, key: str) -> bool:
        check_key(key)
        paths = [folder / name for folder in self._folders for name in (secret_name(key), marker_name(key))]
        return any(os.path.lexists(path) for path in paths) and self._store.exists_hint(key)

    def keys(self, kind: str) -> list[str]:
        return self._store.keys(kind)

    async def load(self, key: str) -> bytes | None:
        return await self._store.load(key)

    async def save(self, key: str, data: bytes) -> None:
        await self._store.save(key, data)

    async def delete(self, key: str) -> None:
        await self._store.delete(key)

    def place(self, key: str) -> str:
        return self._store.place(key)

    def locked(self, key: str, timeout: float) -> AbstractAsyncContextManager[None]:
        return self._store.locked(key, timeout)
