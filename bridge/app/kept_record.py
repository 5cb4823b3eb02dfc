"""The one record of a sign-in in the store: read, kept, and locked against the other processes of the machine."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bridge.errors import BridgeError
from bridge.oauth.record import Record, decode, encode
from bridge.store.errors import StoreBusy

_LOCK_SECONDS = 60.0
_QUICK_SECONDS = 0.2

_logger = logging.getLogger("bridge.authorization")


class Keeping(Protocol):
    """Where the record is kept, as `bridge.store` keeps it."""

    def exists_hint(self, slot: str) -> bool:
        """Whether anything may be kept there; quick."""

    async def load(self, slot: str) -> bytes | None:
        """What is kept there, if anything."""

    async def save(self, slot: str, data: bytes) -> None:
        """Keep it."""

    def locked(self, slot: str, timeout: float) -> AbstractAsyncContextManager[None]:
        """Keep everybody else on the machine from it."""


class KeptRecord:
    """What `slot` holds. A record that could not be kept is this process's own: neither read nor locked again."""

    def __init__(self, slot: str, keeping: Keeping) -> None:
        self._slot = slot
        self._keeping = keeping
        self._is_kept = True

    @property
    def may_exist(self) -> bool:
        """Whether there may be one; quick."""
        return self._keeping.exists_hint(self._slot)

    async def read(self) -> Record | None:
        """The record, if there is one that can be read. Raises `BridgeError` where the store fails."""
        data = await self._keeping.load(self._slot)
        record = decode(data) if data else None
        if data and record is None:
            _logger.warning("what was kept of the last sign-in cannot be read; you will be asked to sign in again")
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
        return await self.read() if self._is_kept else None

    async def save(self, record: Record) -> None:
        """Keep a record; call it under the lock. What cannot be kept is used all the same."""
        try:
            await self._keeping.save(self._slot, encode(record))
            self._is_kept = True
        except BridgeError as problem:
            self._not_kept(problem)

    async def replace(self, record: Record) -> None:
        """Keep the record of a new sign-in, whatever was there."""
        self._is_kept = True
        try:
            async with self.locked():
                await self.save(record)
        except BridgeError as problem:
            self._not_kept(problem)

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Keep the other processes from it. Raises `BridgeError` where that is not to be had in time."""
        # A record that is nowhere but here is nobody else's to spend.
        return self._keeping.locked(self._slot, _LOCK_SECONDS) if self._is_kept else contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def one_person(self, seconds: float) -> AsyncIterator[None]:
        """Ask from one process at a time: the others wait for how it goes, up to `seconds`, and open no tab."""
        slot = f"login-{self._slot.partition('-')[2]}"
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._keeping.locked(slot, _QUICK_SECONDS))
            except StoreBusy:
                _logger.info("another copy of the bridge has asked you to sign in to the same server; waiting for that")
                await stack.enter_async_context(self._keeping.locked(slot, seconds))
            except BridgeError as problem:
                _logger.debug("nobody else can be kept from asking: %s", problem)
            yield

    def _not_kept(self, problem: BridgeError) -> None:
        self._is_kept = False
        _logger.warning("the sign-in is good until the bridge ends, for it cannot be kept: %s", problem)
