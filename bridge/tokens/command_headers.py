"""The headers that the command of `--header-command` prints, as the credential of each request.

| when | what happens |
|---|---|
| the first request | what another copy of the bridge has stored is used; where there is nothing, the command runs |
| soon before the lifetime ends (`oauth.record.freshness`) | the command runs, and requests go on with the old headers |
| after the lifetime | requests wait for the command |
| the server answers 401 | another copy's newer headers are used, else the command runs; the request is sent again |
| it answers 401 within `_PAUSE` seconds after that | the request fails |
| the command failed less than `_AFTER_FAILURE` seconds ago | the request fails in the same way at once |

Headers with a lifetime are stored where tokens are, so that the command runs once on this machine. A lock of the
operating system lets the other copies wait for it. Headers without a lifetime stay in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any

import msgspec

from bridge.config import Header, Settings, child_environment
from bridge.config.header_command import (
    OPTION,
    HeaderCommand,
    NotHeaders,
    PrintedHeaders,
    checked_headers,
    header_command_in,
)
from bridge.errors import BridgeError
from bridge.oauth.record import Freshness, freshness
from bridge.process.header_command import headers_of
from bridge.process.host_environment import keyring_variables
from bridge.process.redact import Redactor
from bridge.protocol.sanitize import with_words
from bridge.remote.credentials import ANONYMOUS, AuthRefusal, Credential
from bridge.store.choice import open_store
from bridge.store.worker import Worker
from bridge.tokens.stored_record import RecordStore

KIND = "headers"

_LOCK_SECONDS = 60.0
_RUN_SECONDS = 60.0  # More than the command may take, and what follows it.
_CLOSING_SECONDS = 1.0
_PAUSE = 10.0
_AFTER_FAILURE = 5.0
_PAST = 8

_logger = logging.getLogger("bridge.headers")

Run = Callable[[Callable[[], bool]], PrintedHeaders]
"""Runs the command until the function that it is given says that the bridge ends; blocks; raises `BridgeError`."""


class KeptHeaders(msgspec.Struct, frozen=True):
    """Headers that were printed, as they are stored. Times are Unix seconds; None: they have no lifetime."""

    headers: tuple[Header, ...]
    issued_at: float
    expires_at: float | None

    def __repr__(self) -> str:
        """Without the values."""
        return f"KeptHeaders({[name for name, _ in self.headers]})"


def headers_key(url: str, command: HeaderCommand, profile: str) -> str:
    """The name under which the headers are stored."""
    return f"{headers_prefix(url, profile)}{_digest(command.key)}"


def headers_prefix(url: str, profile: str) -> str:
    """How the names of all headers begin that are stored for a server and a profile, whatever the command."""
    return f"{KIND}-{_digest(url, profile)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]


class CommandHeaders:
    """A `remote.credentials.CredentialSource` that runs a command.

    `names` are the headers, in lower case, that the user set by hand: what the command prints for these is left out.
    `hide` is given all headers before they are used.
    """

    def __init__(
        self,
        store_key: str,
        keeping: RecordStore,
        run: Run,
        *,
        names: Iterable[str],
        hide: Callable[[Iterable[Header]], None],
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store_key = store_key
        self._keeping = keeping
        self._run = run
        self._names = frozenset(names)
        self._hide = hide
        self._clock, self._ticks = clock, ticks
        self._worker = Worker("header-command")
        self._stop = threading.Event()
        self._kept: KeptHeaders | None = None
        self._credential = ANONYMOUS
        self._past: deque[tuple[Header, ...]] = deque(maxlen=_PAST)
        self._work: asyncio.Task[None] | None = None
        self._problem: BridgeError | None = None
        self._runs_from = 0.0
        self._refusal_runs_from = 0.0
        self._was_told = False

    def ready(self) -> Credential | None:
        """The credential to send; None where the caller has to wait for one (`obtain`)."""
        if self._kept is None:
            return None
        state = freshness(self._kept, self._clock())
        if state is Freshness.EXPIRED:
            return None
        if state is Freshness.DUE and self._work is None and self._ticks() >= self._runs_from:
            self._begin(self._renew())
        return self._credential

    async def obtain(self) -> Credential:
        """Wait for the command. Raises `BridgeError` where it fails."""
        if self.ready() is None:
            await asyncio.shield(self._work or self._begin(self._renew()))
        return self._credential

    def accepted(self, credential: Credential) -> None:
        """The server accepted this credential, which changes nothing."""

    async def refused(self, refusal: AuthRefusal) -> None:
        """Return when the request is worth sending again. Raises `BridgeError` where it is not."""
        if refusal.credential.serial != self._credential.serial:
            return
        if self._work is None:
            if refusal.lacks is not None or self._ticks() < self._refusal_runs_from:
                raise _still_refused(refusal)
            self._begin(self._renew(is_refused=True))
        assert self._work is not None  # noqa: S101 - it has just begun
        await asyncio.shield(self._work)

    async def close(self) -> None:
        """End the command, if it is running."""
        self._stop.set()
        if (work := self._work) is not None:
            await asyncio.wait([work], timeout=_CLOSING_SECONDS)
            work.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._work = asyncio.create_task(work)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._work = None
        if not task.cancelled():
            task.exception()  # Retrieved, so that asyncio reports no defect where no request waits for it.

    async def _renew(self, *, is_refused: bool = False) -> None:
        """Use other headers from now on. `is_refused`: the server refused those in use. Raises `BridgeError`."""
        if self._problem is not None and self._ticks() < self._runs_from:
            raise self._problem
        if is_refused and self._kept is not None:
            self._past.append(self._kept.headers)
        async with self._locked():
            stored = await self._stored()
            if stored is not None:
                _logger.debug("the headers were stored by another copy of the bridge")
                self._adopt(stored)
                return
            if is_refused:
                self._refusal_runs_from = self._ticks() + _PAUSE
            try:
                printed = await self._printed()
            except BridgeError as problem:
                self._problem = problem
                self._runs_from = self._ticks() + _AFTER_FAILURE
                if not self._stop.is_set():
                    _logger.warning("%s", problem)
                raise
            self._problem = None
            now = self._clock()
            kept = KeptHeaders(printed.headers, now, None if printed.lifetime is None else now + printed.lifetime)
            self._adopt(kept)
            await self._store(kept)

    async def _printed(self) -> PrintedHeaders:
        try:
            printed = await self._worker.run(lambda _: self._run(self._stop.is_set), _RUN_SECONDS)
        except TimeoutError:
            raise BridgeError(f"The command of {OPTION} does not end, and cannot be ended.") from None
        lifetime = "no lifetime" if printed.lifetime is None else f"a lifetime of {printed.lifetime:g} s"
        _logger.debug("the command of %s printed %s, with %s", OPTION, _names(printed.headers), lifetime)
        return printed

    def _adopt(self, kept: KeptHeaders) -> None:
        self._hide(kept.headers)
        own = ((name, value) for name, value in kept.headers if name.lower() not in self._names)
        self._kept = kept
        self._credential = Credential(
            self._credential.serial + 1,
            None,
            tuple((name.encode("ascii"), value.encode("ascii")) for name, value in own),
        )

    # -- what all copies of the bridge share

    @contextlib.asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        """Hold the lock; where it cannot be had, go on without it, because a request waits."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._keeping.locked(self._store_key, _LOCK_SECONDS))
            except BridgeError as problem:
                _logger.debug("the command of %s runs without a lock: %s", OPTION, problem)
            yield

    async def _stored(self) -> KeptHeaders | None:
        """The stored headers, where they are worth sending."""
        if not self._keeping.exists_hint(self._store_key):
            return None
        try:
            kept = _decoded(await self._keeping.load(self._store_key))
        except BridgeError as problem:
            _logger.debug("the stored headers cannot be read: %s", problem)
            return None
        if kept is None or kept.headers in self._past:
            return None
        state = freshness(kept, self._clock())
        # Those in use are due too, or over.
        return kept if state is Freshness.FRESH or (state is Freshness.DUE and self._kept is None) else None

    async def _store(self, kept: KeptHeaders) -> None:
        """Store headers that have a lifetime, and replace older ones that others must not use any more."""
        if kept.expires_at is None and not self._keeping.exists_hint(self._store_key):
            return
        data = msgspec.json.encode(kept) if kept.expires_at is not None else b"{}"
        try:
            await self._keeping.save(self._store_key, data)
        except BridgeError as problem:
            level = logging.DEBUG if self._was_told else logging.WARNING
            self._was_told = True
            _logger.log(
                level, "the headers cannot be stored, so each copy of the bridge runs the command itself: %s", problem
            )


def command_headers_of(settings: Settings, redactor: Redactor) -> CommandHeaders:
    """What runs the command of these settings, which have one."""
    command = header_command_in(settings.header_command, sys.platform)
    own = settings.sign_in

    def run(is_stopped: Callable[[], bool]) -> PrintedHeaders:
        environ = child_environment(os.environ, settings.secret_variables)
        return headers_of(command, environ, redact=redactor, is_stopped=is_stopped)

    return CommandHeaders(
        headers_key(settings.url, command, own.profile),
        open_store(own.token_store, lambda text: _logger.warning("%s", text), keyring_variables),
        run,
        names=settings.header_names,
        hide=redactor.add_headers,
    )


def _decoded(data: bytes | None) -> KeptHeaders | None:
    """Stored headers; None for what is damaged, or could not be sent."""
    try:
        kept = msgspec.json.decode(data or b"", type=KeptHeaders)
        return msgspec.structs.replace(kept, headers=checked_headers(kept.headers))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, NotHeaders):
        return None


def _names(headers: Iterable[Header]) -> str:
    return ", ".join(name for name, _ in headers)


def _still_refused(refusal: AuthRefusal) -> BridgeError:
    what = f"{refusal.url} refused (HTTP {refusal.status}) the headers that the command of {OPTION} printed"
    return BridgeError(
        with_words(what, refusal.said),
        hint="Run the command in a terminal, and check whether the server takes what it prints.",
    )
