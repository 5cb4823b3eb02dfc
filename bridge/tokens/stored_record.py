"""The record of a sign-in in the store: read, saved, and locked against the other processes of this machine."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bridge.errors import BridgeError
from bridge.oauth.record import Record, decode, encode

_LOCK_SECONDS = 60.0

_logger = logging.getLogger("bridge.authorization")


class RecordStore(Protocol):
    """What stores the record: the part of `store.secret_store.SecretStore` that is needed here."""

    def exists_hint(self, store_key: str) -> bool:
        """Whether there may be a value for the store key; quick."""

    async def load(self, store_key: str) -> bytes | None:
        """The value for the store key; None where there is none."""

    async def save(self, store_key: str, data: bytes) -> None:
        """Replace the value for the store key."""

    def locked(self, store_key: str, timeout: float) -> AbstractAsyncContextManager[None]:
        """Lock the store key against every other task and process on this machine."""


def _newest(record: Record, _: Record | None) -> Record:
    return record


class StoredRecord:
    """The record for `store_key`.

    `grant` is that of the run (`Record.grant`): a record of another one counts as none.
    `is_kept`: the store has the record in use. Otherwise only this process has it, and does not lock or read it again.
    """

    def __init__(self, store_key: str, keeping: RecordStore, grant: str = "") -> None:
        self._store_key = store_key
        self._keeping = keeping
        self._grant = grant
        self.is_kept = True

    @property
    def may_exist(self) -> bool:
        """Whether there may be a record; quick."""
        return self._keeping.exists_hint(self._store_key)

    async def read(self) -> Record | None:
        """The record, if there is one that can be read. Raises `BridgeError` where the store fails."""
        data = await self._keeping.load(self._store_key)
        record = decode(data) if data else None
        if data and record is None:
            _logger.warning("the stored sign-in is damaged and cannot be read; you will be asked to sign in again")
        if record is not None and record.grant != self._grant:
            _logger.info("the stored sign-in is not used, because it was made with another --grant")
            return None
        return record

    async def read_if_any(self) -> Record | None:
        """The record; None where there is none or it cannot be read."""
        try:
            return await self.read() if self.may_exist else None
        except BridgeError as problem:
            _logger.debug("the stored sign-in cannot be read: %s", problem)
            return None

    async def read_current(self) -> Record | None:
        """The stored record; None where only this process has one. Call it under the lock; raises as `read`."""
        return await self.read() if self.is_kept else None

    async def save(self, record: Record) -> None:
        """Save a record; call it under the lock. A record that cannot be saved is used all the same."""
        try:
            await self._keeping.save(self._store_key, encode(record))
            self.is_kept = True
        except BridgeError as problem:
            self._not_kept(problem)

    async def replace(self, record: Record, settle: Callable[[Record, Record | None], Record] = _newest) -> Record:
        """Save the record of a new sign-in in place of what was there; returns what is used from now on.

        `settle` gets the record and what is stored, under the lock, and returns what to save, or raises what is raised.
        """
        from bridge.oauth.errors import SignInError  # A start needs none.

        self.is_kept = True
        try:
            async with self.locked():
                settled = settle(record, await self.read_if_any())
                await self.save(settled)
        except SignInError:
            raise
        except BridgeError as problem:
            settled = settle(record, None)
            self._not_kept(problem)
        return settled

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Lock the record against other processes. Raises `BridgeError` where the lock is not free in time."""
        # No other process can spend a record that only this one has.
        return self._keeping.locked(self._store_key, _LOCK_SECONDS) if self.is_kept else contextlib.nullcontext()

    def _not_kept(self, problem: BridgeError) -> None:
        self.is_kept = False
        _logger.warning("the sign-in cannot be stored, so it lasts only until the bridge ends: %s", problem)
