"""The interface of every store of secrets.

A store key is an opaque name (`bridge.store.paths`). Values are bytes that no store interprets.
"""

from __future__ import annotations

import abc
from contextlib import AbstractAsyncContextManager


class SecretStore(abc.ABC):
    """Secrets by store key, for one event loop. Every method raises `ValueError` for a malformed store key."""

    @abc.abstractmethod
    def exists_hint(self, key: str) -> bool:
        """Whether `load` may find a value. It answers at once, without the keyring, and may say yes wrongly."""

    @abc.abstractmethod
    def keys(self, kind: str) -> list[str]:
        """The store keys of this kind (the part before the hyphen) for which `exists_hint` says yes; sorted.

        It is as quick as that. Raises `StoreError` where the folder cannot be read.
        """

    @abc.abstractmethod
    async def load(self, key: str) -> bytes | None:
        """The value that was saved last; None where there is none.

        Raises `StoreError` where there is a value, but it cannot be read now (`KeyringUnavailable`) or cannot be
        trusted. Nothing is removed then, and a later `save` replaces it.
        """

    @abc.abstractmethod
    async def save(self, key: str, data: bytes) -> None:
        """Replace the value as a whole. Raises `StoreError`, and then the old value is still there.

        Only one process on this machine saves a store key at a time. A save that is cancelled may still take effect.
        """

    @abc.abstractmethod
    async def delete(self, key: str) -> None:
        """Remove the value everywhere. Raises `StoreError` where a part of it cannot be removed.

        Even then, `load` no longer finds it.
        """

    @abc.abstractmethod
    def place(self, key: str) -> str:
        """Where the value is, or would be saved, for messages: `the system keyring`, or a path."""

    @abc.abstractmethod
    def locked(self, key: str, timeout: float) -> AbstractAsyncContextManager[None]:
        """Lock the store key against every other task and process that locks it, while the block runs.

        Waits up to `timeout` seconds, then raises `StoreBusy`; raises `StoreError` where no lock can be made. The lock
        ends with the process. It is not reentrant. `load`, `save` and `delete` neither need it nor wait for it.
        """
