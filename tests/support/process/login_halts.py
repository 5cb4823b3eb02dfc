"""A login that stands still where a test wants it: so that what is killed is killed just there.

| point | what has happened | what has not |
|---|---|---|
| `before-consent` | a browser was opened | nobody has consented |
| `before-exchange` | the answer came to the callback, and its code went out | the token endpoint has not answered |
| `during-store` | the tokens were given | another process holds the lock of the record, so none is kept yet |
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from bridge.oauth.record import tokens_key
from tests.support.oauth.answers import Hold
from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import Page, visit
from tests.support.process.login_processes import lock_held

POINTS = ("before-consent", "before-exchange", "during-store")


class Halt:
    """One login at one point. Made by `halted_at`."""

    def __init__(self, site: Site, point: str) -> None:
        assert point in POINTS, point
        self.site = site
        self.point = point
        self._hold = Hold(site.authority.behave)
        self._lock = contextlib.ExitStack()
        self._visit: asyncio.Task[Page] | None = None
        site.person.browser = "record"
        if point != "before-consent":
            site.authority.once("token:authorization_code", self._hold)

    async def reached(self) -> None:
        """Wait until the login is there; a person consents where that comes first."""
        url = await self.site.person.until_opened(1, deadline=LOGIN)
        if self.point == "before-consent":
            return
        self._visit = asyncio.create_task(visit(url))
        await self.site.authority.until_seen("token:authorization_code", deadline=LOGIN)
        if self.point == "during-store":
            self._lock.enter_context(lock_held(self.site.person, tokens_key(self.site.server.url, "", "", "default")))
            self._hold.open()
            await self.site.authority.until(lambda: self.site.authority.ledger.families, "tokens to be given")

    async def go_on(self) -> Page:
        """Let the login end; returns the page that the person sees then."""
        if self._visit is None:
            self._visit = asyncio.create_task(visit(self.site.person.opened[0]))
        self.release()
        return await self._visit

    def release(self) -> None:
        """Let go of whatever the login, or what is left of it, would wait for."""
        self._hold.open()
        self._lock.close()

    async def end(self) -> None:
        """Leave nothing behind; the login may be dead."""
        self.release()
        if self._visit is not None:
            self._visit.cancel()
            await asyncio.gather(self._visit, return_exceptions=True)


@contextlib.asynccontextmanager
async def halted_at(site: Site, point: str) -> AsyncIterator[Halt]:
    """The next login stands still at one of the `POINTS`; at the end everything is let go."""
    halt = Halt(site, point)
    try:
        yield halt
    finally:
        await halt.end()
