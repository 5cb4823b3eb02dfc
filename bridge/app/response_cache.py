"""The kept answers of one run's server: which files, in whose name, and when the disk is written.

| what | where |
|---|---|
| a look | on the loop: one or two small files; the sign-in is read first where an answer may be for one only |
| keeping and forgetting | in a thread, in order |

Whose answer it is: the user's own headers and the client's certificate are in every digest. Beyond that a private
answer belongs to the sign-in in use. Where that is another when the answer comes than when it was asked for, it is not
kept: the user signed in or out meanwhile.
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
    """In whose name requests go out, as `Authorization` tells: an opaque text, empty where nobody is signed in."""

    @property
    def identities(self) -> int:
        """How often that changed."""

    def known_identity(self) -> str | None:
        """The text; None where the store was not read yet."""

    async def identity(self) -> str:
        """The text. Raises `BridgeError` where it is not to be had now."""


class KeptResponses:
    """Acts on the commands. `take(event)` hears what was found; `signed_in`: None where nobody ever signs in."""

    def __init__(
        self, settings: Settings, signed_in: IdentitySource | None, take: Callable[[ResponseFound], None]
    ) -> None:
        self._responses = ResponseFiles(settings.url, _sent(settings))
        self._signed_in = signed_in
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._disk = _Disk()
        self._looking: set[asyncio.Task[None]] = set()

    def find(self, command: FindResponse) -> None:
        """Look for an answer; what there is comes as an event."""
        kept = self._responses.load(command.question, None)
        if kept is not None or not self._responses.has_private(command.question.kind):
            self._loop.call_soon(self._tell, command, kept)
        else:
            task = self._loop.create_task(self._find_private(command))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    def keep(self, command: KeepResponse) -> None:
        """Keep an answer, or none any more."""
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
        """Forget answers."""
        self._disk.drop(command.kinds, partial(self._responses.drop, command.kinds))

    @property
    def _identities(self) -> int:
        return 0 if self._signed_in is None else self._signed_in.identities

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
    """Does what is to be done on the disk, in order, in a thread that there is only meanwhile.

    The process does not end before it is done, unless the disk hangs.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[bool, Callable[[], None]]] = deque()
        self._saves = 0
        self._dropped: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()
        self._is_at_work = False

    def save(self, work: Callable[[], None]) -> None:
        """Do it soon; not at all where too much waits already."""
        with self._lock:
            if self._saves < _MOST_WAITING:
                self._saves += 1
                self._dropped.clear()
                self._begin(work, is_save=True)

    def drop(self, kinds: tuple[str, ...], work: Callable[[], None]) -> None:
        """Do it soon, unless the same is about to be done and nothing is saved in between."""
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
                self._dropped.clear()  # What is dropped from now on may have been written meanwhile, by anybody.
            work()


def _sent(settings: Settings) -> list[bytes]:
    """What goes with each request of this run beside the message, and may change the answer."""
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
