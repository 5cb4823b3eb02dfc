"""The one record of a sign-in in the store: read, kept, and locked against the other processes of the machine."""

from __future__ import annotations

import contextlib
import logging
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bridge.errors import BridgeError
from bridge.oauth.record import Record, decode, encode

_LOCK_SECONDS = 60.0

_logger = logging.getLogger("bridge.authorization")


class RecordStore(Protocol):
    """Where the record is kept, as `bridge.store` keeps it."""

    def exists_hint(self, store_key: str) -> bool:
        """Whether anything may be kept there; quick."""

    async def load(self, store_key: str) -> bytes | None:
        """What is kept there, if anything."""

    async def save(self, store_key: str, data: bytes) -> None:
        """Keep it."""

    def locked(self, store_key: str, timeout: float) -> AbstractAsyncContextManager[None]:
        """Keep everybody else on the machine from it."""


class StoredRecord:
    """What `store_key` holds.

    `is_kept`: the store has what is in use. What it has not is this process's own: neither read nor locked again.
    """

    def __init__(self, store_key: str, keeping: RecordStore) -> None:
        self._store_key = store_key
        self._keeping = keeping
        self.is_kept = True

    @property
    def may_exist(self) -> bool:
        """Whether there may be one; quick."""
        return self._keeping.exists_hint(self._store_key)

    async def read(self) -> Record | None:
        """The record, if there is one that can be read. Raises `BridgeError` where the store fails."""
        data = await self._keeping.load(self._store_key)
        record = decode(data) if data else None
        if data and record is None:
            _logger.warning("the stored sign-in cannot be read, for it is damaged; you will be asked to sign in again")
        return record

    async def read_if_any(self) -> Record | None:
        """The record, or None for whatever reason."""
        try:
            return await self.read() if self.may_exist else None
        except BridgeError as problem:
            _logger.debug("the stored sign-in cannot be read: %s", problem)
            return None

    async def read_current(self) -> Record | None:
        """The record as it is now; None where it is this process's own. Call it under the lock; raises as `read`."""
        return await self.read() if self.is_kept else None

    async def save(self, record: Record) -> None:
        """Keep a record; call it under the lock. What cannot be kept is used all the same."""
        try:
            await self._keeping.save(self._store_key, encode(record))
            self.is_kept = True
        except BridgeError as problem:
            self._not_kept(problem)

    async def replace(self, record: Record) -> None:
        """Keep the record of a new sign-in, whatever was there."""
        self.is_kept = True
        try:
            async with self.locked():
                await self.save(record)
        except BridgeError as problem:
            self._not_kept(problem)

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Keep the other processes from it. Raises `BridgeError` where that is not to be had in time."""
        # A record that is nowhere but here is nobody else's to spend.
        return self._keeping.locked(self._store_key, _LOCK_SECONDS) if self.is_kept else contextlib.nullcontext()

    def _not_kept(self, problem: BridgeError) -> None:
        self.is_kept = False
        _logger.warning("the sign-in lasts only until the bridge ends, for it cannot be stored: %s", problem)
