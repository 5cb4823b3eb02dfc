"""Gives each request its token: renews the token before it expires, and replaces it when the server refuses it.

A run does one such piece of work at a time, and requests that need a token meanwhile wait for it. No lock is held while
a request is in flight. A lock of the operating system keeps two processes from spending one refresh token: under the
lock the record is read again, because another process may have renewed it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from bridge.errors import BridgeError
from bridge.oauth.record import Freshness, Record, freshness
from bridge.oauth.recovery import Step, TokenSource
from bridge.remote.credentials import AuthRefusal, Credential
from bridge.session.events import SignInEnded, SignInStarted
from bridge.tokens.current_token import CurrentToken
from bridge.tokens.stored_record import RecordStore, StoredRecord

_CLOSING_SECONDS = 1.0
_PAUSE_SECONDS = 5.0

_logger = logging.getLogger("bridge.authorization")


class TokenObtained(msgspec.Struct, frozen=True):
    """The record that a sign-in gave, and whether it is in the store."""

    record: Record
    is_kept: bool


class Renewal(Protocol):
    """Refreshes tokens and signs the user in. It is made when one of these is first needed."""

    async def refresh(self, record: Record) -> Record:
        """The record with new tokens. Raises as `TokenEndpoint.refresh`."""

    async def sign_in(
        self,
        refusal: AuthRefusal,
        previous: Record | None,
        *,
        is_wished: bool,
        is_needed: Callable[[], Awaitable[bool]],
    ) -> TokenObtained | None:
        """Have the user sign in; None where `is_needed`, called before anything begins, says no. Raises `SignInError`.

        `is_wished`: the user asked for it, so it is not put off after a sign-in that failed.
        """

    async def open_browser(self) -> None:
        """Open a browser for the sign-in that is under way."""

    def still_refused(self, refusal: AuthRefusal, record: Record | None, now: float) -> BridgeError:
        """The error for a token that a sign-in has just given and that the server refuses."""


class Authorization:
    """Gives each request its credential, and replaces a token that the server refuses.

    `grant`: see `StoredRecord`. `add_secret` gets each secret before its use; `tell`, when a sign-in starts and ends.
    """

    def __init__(
        self,
        store_key: str,
        keeping: RecordStore,
        make_renewal: Callable[[], Renewal],
        *,
        use_id_token: bool,
        grant: str = "",
        add_secret: Callable[[str], None],
        tell: Callable[[SignInStarted | SignInEnded], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kept = StoredRecord(store_key, keeping, grant)
        self._make_renewal = make_renewal
        self._renewal: Renewal | None = None
        self._tell = tell
        self._clock = clock
        self._used = CurrentToken(add_secret, use_id_token=use_id_token)
        self._is_loaded = not self._kept.may_exist
        self._work: asyncio.Task[None] | None = None
        self._is_asking = False
        self._asked = 0
        self._renews_ahead_from = 0.0
        self._last_refusal: AuthRefusal | None = None
        self._looks_again_at = 0.0
        self._opening: asyncio.Task[None] | None = None

    # -- what a request asks for

    def ready(self) -> Credential | None:
        """The credential to send; None where the caller has to wait for one (`obtain`)."""
        used = self._used
        record = used.record
        if record is None or not record.access_token:
            return used.credential if self._is_loaded else None
        if self._is_signed_out():
            used.adopt(None, TokenSource.STORE)
            return used.credential
        if record.expires_at is None:
            return used.credential
        now = self._clock()
        state = freshness(record, now)
        if state is Freshness.FRESH or not record.is_renewable:
            return used.credential
        if state is Freshness.EXPIRED:
            return None
        if self._work is None and now >= self._renews_ahead_from:
            self._renews_ahead_from = now + _PAUSE_SECONDS
            self._begin(self._renew(record)).add_done_callback(_say_why)
        return used.credential

    async def obtain(self) -> Credential:
        """Wait for a credential that is worth sending. Raises `BridgeError` where there is none now."""
        if not self._is_loaded:
            await self._join(self._load)
        while self.ready() is None:
            if self._is_asking:
                await self._end_of_work()  # Its error is for the requests that asked for the sign-in.
                continue
            await self._join(self._renew_in_use)
            break
        return self._used.credential

    @property
    def identities(self) -> int:
        """How often the identity has changed since the store was read."""
        return self._used.identities

    def known_identity(self) -> str | None:
        """In whose name requests go out (`Record.identity`); None before the store has been read."""
        if not self._is_loaded:
            return None
        if self._used.record is not None and self._is_signed_out():
            self._used.adopt(None, TokenSource.STORE)
        return self._used.identity

    async def identity(self) -> str:
        """The same; reads the store first where that is needed. Raises `BridgeError` where it cannot be read."""
        if not self._is_loaded:
            await self._join(self._load)
        return self.known_identity() or ""

    def accepted(self, credential: Credential) -> None:
        """The server accepted a request with this credential."""
        self._used.accepted(credential)

    async def refused(self, refusal: AuthRefusal) -> None:
        """Return when the request is worth sending again. Raises `BridgeError` where it is not."""
        while True:
            if refusal.credential.serial != self._used.credential.serial:
                return
            self._last_refusal = refusal
            if self._work is not None:
                if refusal.is_quiet:
                    await self._end_of_work()  # A quiet request does not fail with it: another sign-in may follow.
                else:
                    await asyncio.shield(self._work)
                continue
            if refusal.is_quiet:
                if await self._needs_user(refusal):
                    # The host does not wait for this request, so it opens no tab. Another request will.
                    await self._used.changed.wait()
                    return
                if self._is_working():
                    continue  # Other work began while the store was read.
            await asyncio.shield(self._begin(self._recover(refusal)))

    def wish(self) -> None:
        """The user asks to sign in now, so a sign-in that was put off is put off no longer."""
        refusal, used = self._last_refusal, self._used
        if self._is_asking:
            self._opening = asyncio.create_task(self._make().open_browser())
        elif self._work is not None:
            asked = self._asked
            # If that work asked the user itself, and the user refused, the user is not asked again.
            self._work.add_done_callback(lambda _: self.wish() if self._asked == asked else None)
        elif refusal is None or (used.credential.header and refusal.credential.serial != used.credential.serial):
            self._tell(SignInEnded())  # There is a token that was not refused, or the server requires none.
        else:
            self._begin(self._sign_in(refusal, is_wished=True))

    async def close(self) -> None:
        """Stop. A refresh under way may finish, because its refresh token may be spent already; a sign-in may not."""
        work, self._work = self._work, None
        if work is None:
            return
        if not self._is_asking:
            await asyncio.wait([work], timeout=_CLOSING_SECONDS)
        work.cancel()
        await asyncio.wait([work], timeout=_CLOSING_SECONDS / 2)

    # -- one piece of work at a time

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._work = asyncio.create_task(work)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._work is task:
            self._work = None
        if not task.cancelled():
            task.exception()  # Retrieved, so that asyncio reports no defect where no request waits for it.

    async def _join(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await asyncio.shield(self._work or self._begin(work()))

    def _is_working(self) -> bool:
        return self._work is not None

    async def _end_of_work(self) -> None:
        if self._work is not None:
            await asyncio.wait([self._work])

    # -- the record and its renewal

    async def _load(self) -> None:
        try:
            record = await self._kept.read()
        except BridgeError as problem:
            # The server decides whether a token is needed at all; without one it will say so.
            _logger.warning("the stored sign-in cannot be read: %s", problem)
            record = None
        self._is_loaded = True
        if record is not None:
            self._used.adopt(record, TokenSource.STORE)
            self._used.identities = 0  # Nothing was sent before.

    def _make(self) -> Renewal:
        if self._renewal is None:
            self._renewal = self._make_renewal()
        return self._renewal

    async def _renew_in_use(self) -> None:
        assert self._used.record is not None  # noqa: S101 - it comes to this only with a token
        await self._renew(self._used.record)

    async def _renew(self, seen: Record) -> None:
        """Refresh, unless another process has done so. Raises what may pass; anything else calls for a sign-in.

        The store keeps the refresh token unless the authorization server refused that token itself.
        """
        from bridge.oauth.errors import AnotherAccount, GrantRejected, SignInError, Unavailable

        async with self._kept.locked():
            if self._is_removed():
                self._used.adopt(None, TokenSource.STORE)  # The user signed out: a refresh must not undo that.
                return
            record = await self._kept.read_current() or seen
            if record.access_token != seen.access_token and record.access_token:
                _logger.debug("another process renewed the token")
                self._used.adopt(record, TokenSource.STORE)
                return
            if not record.is_renewable:
                self._used.adopt(record, TokenSource.STORE)
                return
            try:
                renewed = await self._make().refresh(record)
            except Unavailable:
                raise
            except SignInError as problem:
                cleared = record.without_tokens()
                if isinstance(problem, GrantRejected | AnotherAccount) and not self._is_removed():
                    await self._kept.save(cleared)
                self._used.adopt(cleared, TokenSource.STORE)
                if isinstance(problem, AnotherAccount):
                    _logger.warning("%s", problem)
                    raise  # The user has to know before the next sign-in.
                _logger.info("the token cannot be renewed, a sign-in is needed: %s", problem.message)
                return
            if self._is_removed():
                # The user signed out meanwhile; `logout` does not wait for us.
                self._used.adopt(None, TokenSource.STORE)
                return
            await self._kept.save(renewed)
        self._used.adopt(renewed, TokenSource.REFRESH)
        _logger.debug("the token was renewed")

    async def _needs_user(self, refusal: AuthRefusal) -> bool:
        stored = await self._kept.read_if_any()
        return self._used.next_step(refusal, stored, self._clock()) in {Step.SIGN_IN, Step.GIVE_UP}

    async def _recover(self, refusal: AuthRefusal) -> None:
        """Do what the table in `oauth.recovery` says, until there is another token or none can be obtained."""
        stored = await self._kept.read_if_any()
        step = self._used.next_step(refusal, stored, self._clock())
        _logger.debug("status %d: %s", refusal.status, step.name)
        match step:
            case Step.RELOAD:
                self._used.adopt(stored, TokenSource.STORE)
            case Step.REFRESH:
                await self._renew_in_use()
                if self._used.credential.header is None and not refusal.is_quiet:
                    await self._sign_in(refusal)
            case Step.SIGN_IN:
                await self._sign_in(refusal)
            case Step.GIVE_UP:
                raise self._make().still_refused(refusal, self._used.record, self._clock())

    async def _sign_in(self, refusal: AuthRefusal, *, is_wished: bool = False) -> None:
        async def is_needed() -> bool:
            stored = await self._kept.read_if_any()
            if self._used.next_step(refusal, stored, self._clock()) is not Step.RELOAD:
                return True
            self._used.adopt(stored, TokenSource.STORE)
            return False

        self._is_asking = True
        self._asked += 1
        widens = refusal.lacks is not None
        self._tell(SignInStarted(widens))
        problem, needs_change = "", False
        try:
            brought = await self._make().sign_in(refusal, self._used.record, is_wished=is_wished, is_needed=is_needed)
            if brought is not None:
                self._kept.is_kept = brought.is_kept
                self._used.adopt(brought.record, TokenSource.SIGN_IN)
        except BridgeError as error:
            problem, needs_change = str(error), getattr(error, "needs_change", False)
            raise
        finally:
            self._is_asking = False
            self._tell(SignInEnded(problem, widens, needs_change))

    def _is_signed_out(self) -> bool:
        """Whether the record was removed from the store. Looks at most once a second."""
        now = self._clock()
        is_soon = now < self._looks_again_at <= now + 1.0  # A clock that was set back does not count.
        if is_soon or not self._kept.is_kept:
            return False
        self._looks_again_at = now + 1.0
        return self._is_removed()

    def _is_removed(self) -> bool:
        return self._kept.is_kept and not self._kept.may_exist


def _say_why(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and (problem := task.exception()) is not None:
        _logger.info("the token was not renewed before it expired: %s", problem)
