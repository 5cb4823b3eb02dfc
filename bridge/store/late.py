"""A vault that is put together when something of it is needed.

Most starts only ask whether anything is kept at all, and nothing is: for that a look at two names is enough.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from bridge.store.places import Places, check_slot, marker_name, secret_name
from bridge.store.vault import Vault


class LateVault(Vault):
    """What `make` makes, which keeps its secrets in `places`."""

    def __init__(self, places: Places, make: Callable[[], Vault]) -> None:
        self._folders = [Places(root).credentials for root in (places.root, *places.former)]
        self._make = make
        self._made: Vault | None = None

    @property
    def _vault(self) -> Vault:
        if self._made is None:
            self._made = self._make()
        return self._made

    def exists_hint(self, slot: str) -> bool:
        check_slot(slot)
        paths = [folder / name for folder in self._folders for name in (secret_name(slot), marker_name(slot))]
        return any(os.path.lexists(path) for path in paths) and self._vault.exists_hint(slot)

    def slots(self, kind: str) -> list[str]:
        return self._vault.slots(kind)

    async def load(self, slot: str) -> bytes | None:
        return await self._vault.load(slot)

    async def save(self, slot: str, data: bytes) -> None:
        await self._vault.save(slot, data)

    async def delete(self, slot: str) -> None:
        await self._vault.delete(slot)

    def place(self, slot: str) -> str:
        return self._vault.place(slot)

    def locked(self, slot: str, timeout: float) -> AbstractAsyncContextManager[None]:
        return self._vault.locked(slot, timeout)
