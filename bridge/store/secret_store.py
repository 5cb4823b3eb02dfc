"""What every store of secrets can do, wherever it keeps them.

A store key is an opaque name, see `bridge.store.paths`. Values are bytes that mean nothing here.
"""

from __future__ import annotations

import abc
from contextlib import AbstractAsyncContextManager


class SecretStore(abc.ABC):
    """Keeps secrets by store key. For one event loop; every method raises `ValueError` for a malformed store key."""

    @abc.abstractmethod
    def exists_hint(self, key: str) -> bool:
        """Whether `load` is worth its while; at once, without asking the keyring. May be wrong in saying yes."""

    @abc.abstractmethod
    def keys(self, kind: str) -> list[str]:
        """The store keys of this kind, the part before the hyphen, for which `exists_hint` says yes; sorted.

        Quick as that is. Raises `StoreError` where the folder cannot be looked into.
        """

    @abc.abstractmethod
    async def load(self, key: str) -> bytes | None:
        """The value last saved, None where there is none.

        Raises `StoreError`: there is one, but it cannot be had now (`KeyringUnavailable`) or not be trusted. Nothing
        is removed then, and a later `save` replaces it.
        """

    @abc.abstractmethod
    async def save(self, key: str, data: bytes) -> None:
        """Replace the value as a whole. Raises `StoreError`, and then the old value is still there.

        Saves of one store key exclude one another on this machine. A save that is cancelled may still take effect.
        """

    @abc.abstractmethod
    async def delete(self, key: str) -> None:
        """Forget the value everywhere. Raises `StoreError` where something of it stays behind.

        Even then `load` finds nothing any more.
        """

    @abc.abstractmethod
    def place(self, key: str) -> str:
        """Where the value is, or would go, in words for people: `the system keyring`, or a path."""

    @abc.abstractmethod
    def locked(self, key: str, timeout: float) -> AbstractAsyncContextManager[None]:
        """Exclude every other task and process that locks the same store key, for as long as the block runs.

        Waits up to `timeout` seconds, then raises `StoreBusy`; `StoreError` where no lock can be made. It dies with
        its owner. Not reentrant. `load`, `save` and `delete` neither need it nor wait for it.
        """
