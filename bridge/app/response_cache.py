"""The stored answers of a run's server: which files they are in, for which sign-in, and when the disk is written.

| what | where |
|---|---|
| finding an answer | on the loop: one or two small files; where the answer may be private, the sign-in is read first |
| storing and removing | in a thread, in order |

Every digest covers the user's headers and the client's certificate. A private answer also belongs to the sign-in in
use. Where the user signed in or out between a request and its answer, that answer is not stored.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from bridge.config import Settings
from bridge.errors import BridgeError
from bridge.session.commands import DropResponses, FindResponse, KeepResponse
from bridge.session.events import ResponseFound
from bridge.session.response_cache import CachedResult
from bridge.store.response_files import ResponseFiles

_MOST_WAITING = 64
_LARGEST_CERTIFICATE = 1_000_000

_logger = logging.getLogger("bridge.app")


class IdentitySource(Protocol):
    """The identity for which requests go out, as `Authorization` knows it: an opaque text, empty without a sign-in."""

    @property
    def identities(self) -> int:
        """How often the identity has changed."""

    def known_identity(self) -> str | None:
        """The identity; None where the store has not been read yet."""

    async def identity(self) -> str:
        """The identity. Raises `BridgeError` where the store cannot be read now."""


class KeptResponses:
    """Carries out the commands. `take(event)` gets what was found. `signed_in` is None where a run never signs in.

    `changes` is how often the user's headers have changed: what was asked before a change is not stored after it.
    """

    def __init__(
        self,
        settings: Settings,
        signed_in: IdentitySource | None,
        take: Callable[[ResponseFound], None],
        *,
        changes: int = 0,
    ) -> None:
        self._responses = ResponseFiles(settings.url, _sent(settings))
        self._signed_in = signed_in
        self._changes = changes
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._disk = _Disk()
        self._looking: set[asyncio.Task[None]] = set()

    def find(self, command: FindResponse) -> None:
        """Look for an answer; the result is an event."""
        kept = self._responses.load(command.question, None)
        if kept is not None or not self._responses.has_private(command.question.kind):
            self._loop.call_soon(self._tell, command, kept)
        else:
            task = self._loop.create_task(self._find_private(command))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    def keep(self, command: KeepResponse) -> None:
        """Store an answer, or remove the stored one."""
        identity = "" if self._signed_in is None else self._signed_in.known_identity()
        if identity is None or command.asked_as != self._identities:
            return
        kept = command.kept
        if kept is not None:
            kept = msgspec.structs.replace(kept, received_at=time.time())
        self._disk.save(
            partial(self._responses.save, command.question, kept, identity, starts_anew=command.starts_anew)
        )

    def drop(self, command: DropResponses) -> None:
        """Remove answers."""
        self._disk.drop(command.kinds, partial(self._responses.drop, command.kinds))

    @property
    def _identities(self) -> int:
        return self._changes + (0 if self._signed_in is None else self._signed_in.identities)

    async def _find_private(self, command: FindResponse) -> None:
        kept = None
        try:
            identity = "" if self._signed_in is None else await self._signed_in.identity()
            kept = self._responses.load(command.question, identity)
        except BridgeError as problem:
            _logger.debug("a kept answer is not used: %s", problem)
        self._tell(command, kept)

    def _tell(self, command: FindResponse, kept: CachedResult | None) -> None:
        self._take(ResponseFound(command.exchange, kept, time.time(), self._identities))


class _Disk:
    """Runs jobs on the disk, in order, in a thread that exists only while there are jobs.

    The process does not end before they are done, unless the disk hangs.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[bool, Callable[[], None]]] = deque()
        self._saves = 0
        self._dropped: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()
        self._is_at_work = False

    def save(self, work: Callable[[], None]) -> None:
        """Run the job soon; skip it where too many jobs are waiting."""
        with self._lock:
            if self._saves < _MOST_WAITING:
                self._saves += 1
                self._dropped.clear()
                self._begin(work, is_save=True)

    def drop(self, kinds: tuple[str, ...], work: Callable[[], None]) -> None:
        """Run the job soon, unless the same job is waiting and nothing is saved between the two."""
        with self._lock:
            if kinds not in self._dropped:
                self._dropped.add(kinds)
                self._begin(work, is_save=False)

    def _begin(self, work: Callable[[], None], *, is_save: bool) -> None:
        self._waiting.append((is_save, work))
        if not self._is_at_work:
            self._is_at_work = True
            threading.Thread(target=self._work, name="responses").start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_at_work = False
                    return
                is_save, work = self._waiting.popleft()
                self._saves -= is_save
                self._dropped.clear()  # Any copy of the bridge may write answers again from now on.
            work()


def _sent(settings: Settings) -> list[bytes]:
    """What this run sends with each request besides the message, and may change the answer."""
    sent = sorted(f"{name.lower()}: {value}".encode() for name, value in settings.headers)
    if settings.client_cert is not None:
        sent.append(b"certificate: " + _content(settings.client_cert))
    if settings.sign_in.use_id_token:
        sent.append(b"id token")
    return sent


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_CERTIFICATE)
    except OSError:
        return os.fsencode(path)
