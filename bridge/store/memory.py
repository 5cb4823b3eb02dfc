"""Secrets that end with the process."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from bridge.store.locks import TaskLocks
from bridge.store.places import check_slot
from bridge.store.vault import Vault


class MemoryVault(Vault):
    """Keeps values in this process only; its locks exclude this process's tasks from one another."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._locks = TaskLocks()

    def exists_hint(self, slot: str) -> bool:
        return check_slot(slot) in self._values

    def slots(self, kind: str) -> list[str]:
        return sorted(slot for slot in self._values if slot.startswith(f"{kind}-"))

    async def load(self, slot: str) -> bytes | None:
        return self._values.get(check_slot(slot))

    async def save(self, slot: str, data: bytes) -> None:
        self._values[check_slot(slot)] = data

    async def delete(self, slot: str) -> None:
        self._values.pop(check_slot(slot), None)

    def place(self, slot: str) -> str:
        check_slot(slot)
        return "this run's memory"

    def locked(self, slot: str, timeout: float) -> AbstractAsyncContextManager[None]:
        return self._locks.hold(check_slot(slot), timeout)
