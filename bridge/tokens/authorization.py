"""The token in use: carried by every request, renewed in time, replaced when the server refuses it.

One piece of work at a time: whoever needs a token while one is being had waits for that, and nobody holds anything
while a request is in flight. On the machine, an OS lock on the record sees to it that a refresh token is spent once;
under it the record is read again, for another process may have been first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from bridge.errors import BridgeError
from bridge.oauth.record import Freshness, Record, freshness
from bridge.oauth.recovery import Step, TokenInUse, TokenSource, next_step
from bridge.remote.credentials import ANONYMOUS, AuthRefusal, Credential
from bridge.session.events import SignInEnded, SignInStarted
from bridge.tokens.stored_record import RecordStore, StoredRecord

_CLOSING_SECONDS = 1.0
_PAUSE_SECONDS = 5.0
_PAST_TOKENS = 8

_logger = logging.getLogger("bridge.authorization")


class TokenObtained(msgspec.Struct, frozen=True):
    """What a sign-in brought, and whether the store has it."""

    record: Record
    is_kept: bool


class Renewal(Protocol):
    """Signing in and refreshing; made only when one of them is needed."""

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
        """Have a person sign in; who wishes it is not held back. Raises `SignInError`.

        None where `is_needed`, asked before anything is begun, says no.
        """

    async def open_browser(self) -> None:
        """Open one for the sign-in that is under way."""

    def still_refused(self, refusal: AuthRefusal, record: Record | None, now: float) -> BridgeError:
        """The error for a token that a sign-in just gave and the server does not take."""


class Authorization:
    """Gives each request its credential, and makes good what the server refuses.

    `add_secret` takes each secret before it is used. `tell` hears when a person is waited for, and when no more.
    """

    def __init__(
        self,
        store_key: str,
        keeping: RecordStore,
        make_renewal: Callable[[], Renewal],
        *,
        use_id_token: bool,
        add_secret: Callable[[str], None],
        tell: Callable[[SignInStarted | SignInEnded], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kept = StoredRecord(store_key, keeping)
        self._make_renewal = make_renewal
        self._renewal: Renewal | None = None
        self._use_id_token = use_id_token
        self._add_secret = add_secret
        self._tell = tell
        self._clock = clock
        self._record: Record | None = None
        self._origin = TokenSource.STORE
        self._accepted = False
        self._credential = ANONYMOUS
        self._is_loaded = not self._kept.may_exist
        self._work: asyncio.Task[None] | None = None
        self._is_asking = False
        self._asked = 0
        self._past: deque[str] = deque(maxlen=_PAST_TOKENS)
        self._renews_ahead_from = 0.0
        self._changed = asyncio.Event()
        self._last_refusal: AuthRefusal | None = None
        self._looks_again_at = 0.0
        self._opening: asyncio.Task[None] | None = None
        self._identities = 0

    # -- what a request asks for

    def ready(self) -> Credential | None:
        """The credential to send, or None where it has to be waited for (`obtain`)."""
        record = self._record
        if record is None or not record.access_token:
            return self._credential if self._is_loaded else None
        if self._is_signed_out():
            self._adopt(None, TokenSource.STORE)
            return self._credential
        if record.expires_at is None:
            return self._credential
        now = self._clock()
        state = freshness(record, now)
        if state is Freshness.FRESH or not record.refresh_token:
            return self._credential
        if state is Freshness.EXPIRED:
            return None
        if self._work is None and now >= self._renews_ahead_from:
            self._renews_ahead_from = now + _PAUSE_SECONDS
            self._begin(self._renew(record)).add_done_callback(_say_why)
        return self._credential

    async def obtain(self) -> Credential:
        """Wait for a credential that is worth sending. Raises `BridgeError` where none can be had now."""
        if not self._is_loaded:
            await self._join(self._load)
        while self.ready() is None:
            if self._is_asking:
                await self._end_of_work()  # How it went is for those who asked for it.
                continue
            await self._join(self._renew_in_use)
            break
        return self._credential

    @property
    def identities(self) -> int:
        """How often it was another that requests go out for, since the store was read."""
        return self._identities

    def known_identity(self) -> str | None:
        """In whose name requests go out, see `Record.identity`; None where the store was not read yet."""
        if not self._is_loaded:
            return None
        if self._record is not None and self._is_signed_out():
            self._adopt(None, TokenSource.STORE)
        return _identity(self._record)

    async def identity(self) -> str:
        """The same, once the store was read. Raises `BridgeError` where that is not to be had now."""
        if not self._is_loaded:
            await self._join(self._load)
        return self.known_identity() or ""

    def accepted(self, credential: Credential) -> None:
        """The server took it."""
        if credential.serial == self._credential.serial:
            self._accepted = True

    async def refused(self, refusal: AuthRefusal) -> None:
        """Come back when the request is worth sending again. Raises `BridgeError` when it is not."""
        while True:
            if refusal.credential.serial != self._credential.serial:
                return
            self._last_refusal = refusal
            if self._work is not None:
                if refusal.is_quiet:
                    await self._end_of_work()  # It has nobody to tell that a sign-in failed; there may be another.
                else:
                    await asyncio.shield(self._work)
                continue
            if refusal.is_quiet:
                if await self._needs_a_person(refusal):
                    # Nobody waits for it: not worth a tab. Somebody else's request will see to the sign-in.
                    await self._changed.wait()
                    return
                if self._is_working():
                    continue  # Somebody began while the store was read.
            await asyncio.shield(self._begin(self._recover(refusal)))

    def wish(self) -> None:
        """A person wishes to sign in now: whatever held the bridge back from asking him does so no more."""
        refusal = self._last_refusal
        if self._is_asking:
            self._opening = asyncio.create_task(self._make().open_browser())
        elif self._work is not None:
            asked = self._asked
            # Whom that work asked himself, and who said no, is not asked once more.
            self._work.add_done_callback(lambda _: self.wish() if self._asked == asked else None)
        elif refusal is None or (self._credential.header and refusal.credential.serial != self._credential.serial):
            self._tell(SignInEnded())  # There is a token that was not refused, or none is wanted.
        else:
            self._begin(self._sign_in(refusal, is_wished=True))

    async def close(self) -> None:
        """End: a refresh under way may finish, for what it spends is lost otherwise; a sign-in may not."""
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
            task.exception()  # Whoever waited has it; where nobody does, it is no defect.

    async def _join(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await asyncio.shield(self._work or self._begin(work()))

    def _is_working(self) -> bool:
        return self._work is not None

    async def _end_of_work(self) -> None:
        if self._work is not None:
            await asyncio.wait([self._work])

    def _adopt(self, record: Record | None, origin: TokenSource) -> None:
        """Use this record from now on."""
        for secret in record.secrets() if record else ():
            self._add_secret(secret)
        if self._record is not None and self._record.access_token:
            self._past.append(self._record.access_token)
        self._identities += _identity(record) != _identity(self._record)
        self._record = record
        self._origin = origin
        self._accepted = False
        self._credential = Credential(self._credential.serial + 1, self._header(record))
        self._changed.set()
        self._changed = asyncio.Event()

    def _header(self, record: Record | None) -> bytes | None:
        if record is None or not record.access_token:
            return None
        token = (self._use_id_token and record.id_token) or record.access_token
        return b"Bearer " + token.encode("ascii")

    # -- the record

    async def _load(self) -> None:
        try:
            record = await self._kept.read()
        except BridgeError as problem:
            # The server decides whether a token is needed at all; without one it will say so.
            _logger.warning("the stored sign-in cannot be read: %s", problem)
            record = None
        self._is_loaded = True
        if record is not None:
            self._adopt(record, TokenSource.STORE)
            self._identities = 0  # Nothing was sent before.

    # -- renewing

    def _make(self) -> Renewal:
        if self._renewal is None:
            self._renewal = self._make_renewal()
        return self._renewal

    async def _renew_in_use(self) -> None:
        assert self._record is not None  # noqa: S101 - it comes to this only with a token
        await self._renew(self._record)

    async def _renew(self, seen: Record) -> None:
        """Refresh, unless somebody did. A reason that may pass is raised; any other means that a sign-in is needed.

        Only a refresh token that is refused itself is cleared in the store.
        """
        from bridge.oauth.errors import GrantRejected, SignInError, Unavailable

        async with self._kept.locked():
            if self._is_removed():
                self._adopt(None, TokenSource.STORE)  # Somebody signed out: what is left here is not to bring it back.
                return
            record = await self._kept.read_current() or seen
            if record.access_token != seen.access_token and record.access_token:
                _logger.debug("another process renewed the token")
                self._adopt(record, TokenSource.STORE)
                return
            if not record.refresh_token:
                self._adopt(record, TokenSource.STORE)
                return
            try:
                renewed = await self._make().refresh(record)
            except Unavailable:
                raise
            except SignInError as problem:
                _logger.info("the token cannot be renewed, a sign-in is needed: %s", problem.message)
                cleared = record.without_tokens()
                if isinstance(problem, GrantRejected) and not self._is_removed():
                    await self._kept.save(cleared)
                self._adopt(cleared, TokenSource.STORE)
                return
            if self._is_removed():
                self._adopt(
                    None, TokenSource.STORE
                )  # Who signed out waits for nobody's refresh any longer than he likes.
                return
            await self._kept.save(renewed)
        self._adopt(renewed, TokenSource.REFRESH)
        _logger.debug("the token was renewed")

    async def _needs_a_person(self, refusal: AuthRefusal) -> bool:
        stored = await self._kept.read_if_any()
        return self._next(refusal, stored) in {Step.SIGN_IN, Step.GIVE_UP}

    def _next(self, refusal: AuthRefusal, stored: Record | None) -> Step:
        if stored is not None and stored.access_token in self._past:
            stored = None  # What was in use here before is no news: it could not be replaced there.
        record = self._record
        # One that ended before it was ever used was not refused for what it is.
        ended = record is not None and freshness(record, self._clock()) is Freshness.EXPIRED
        held = TokenInUse(record, self._origin, self._accepted or ended)
        in_use = refusal.credential.serial == self._credential.serial
        return next_step(held, stored, in_use=in_use, lacks=refusal.lacks, step_ups=refusal.step_ups)

    async def _recover(self, refusal: AuthRefusal) -> None:
        """Do what the table of `oauth.recovery` says, until there is another token or none can be had."""
        stored = await self._kept.read_if_any()
        step = self._next(refusal, stored)
        _logger.debug("status %d: %s", refusal.status, step.name)
        if step is Step.RELOAD:
            self._adopt(stored, TokenSource.STORE)
        elif step is Step.REFRESH:
            await self._renew_in_use()
            if self._credential.header is not None:
                return
            if not refusal.is_quiet:
                await self._sign_in(refusal)
        elif step is Step.SIGN_IN:
            await self._sign_in(refusal)
        elif step is Step.GIVE_UP:
            raise self._make().still_refused(refusal, self._record, self._clock())

    async def _sign_in(self, refusal: AuthRefusal, *, is_wished: bool = False) -> None:
        async def is_needed() -> bool:
            stored = await self._kept.read_if_any()
            if self._next(refusal, stored) is not Step.RELOAD:
                return True
            self._adopt(stored, TokenSource.STORE)
            return False

        self._is_asking = True
        self._asked += 1
        widens = refusal.lacks is not None
        self._tell(SignInStarted(widens))
        problem = ""
        try:
            brought = await self._make().sign_in(refusal, self._record, is_wished=is_wished, is_needed=is_needed)
            if brought is not None:
                self._kept.is_kept = brought.is_kept
                self._adopt(brought.record, TokenSource.SIGN_IN)
        except BridgeError as error:
            problem = str(error)
            raise
        finally:
            self._is_asking = False
            self._tell(SignInEnded(problem, widens))

    def _is_signed_out(self) -> bool:
        """Whether somebody removed the record from the store. It is looked at once a second, if at all."""
        now = self._clock()
        is_soon = now < self._looks_again_at <= now + 1.0  # A clock that was set back does not count.
        if is_soon or not self._kept.is_kept:
            return False
        self._looks_again_at = now + 1.0
        return self._is_removed()

    def _is_removed(self) -> bool:
        return self._kept.is_kept and not self._kept.may_exist


def _identity(record: Record | None) -> str:
    return record.identity if record is not None else ""


def _say_why(task: asyncio.Future[None]) -> None:
    if not task.cancelled() and (problem := task.exception()) is not None:
        _logger.info("the token was not renewed before its end: %s", problem)
