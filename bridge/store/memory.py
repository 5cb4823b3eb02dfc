"""A store that forgets its secrets when the process ends."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from bridge.store.locks import TaskLocks
from bridge.store.paths import check_key
from bridge.store.secret_store import SecretStore


class MemoryStore(SecretStore):
    """Values in this process only. Its locks are between the tasks of this process."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._locks = TaskLocks()

    def exists_hint(self, key: str) -> bool:
        return check_key(key) in self._values

    def keys(self, kind: str) -> list[str]:
        return sorted(key for key in self._values if key.startswith(f"{kind}-"))

    async def load(self, key: str) -> bytes | None:
        return self._values.get(check_key(key))

    async def save(self, key: str, data: bytes) -> None:
        self._values[check_key(key)] = data

    async def delete(self, key: str) -> None:
        self._values.pop(check_key(key), None)

    def place(self, key: str) -> str:
        check_key(key)
        return "this run's memory"

    def locked(self, key: str, timeout: float) -> AbstractAsyncContextManager[None]:
        return self._locks.hold(check_key(key), timeout)
