"""A sign-in by a code (RFC 8628) without the bridge around it: the flow, a web of its own, and what it kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bridge.config import SignInSettings
from bridge.login.prompt import Prompt
from bridge.login.sign_in import SignInFlow
from bridge.login.sign_in_reason import SignInReason
from bridge.oauth.record import Record
from bridge.store.memory import MemoryStore
from tests.login.signing_in import IssuersOnPaper
from tests.support.in_process.auth_http import web_at
from tests.support.waits import stretched

DEADLINE = 60.0


class ByCode:
    """Signs in to one server as often as a test likes; registrations last from one time to the next."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.store = MemoryStore()
        self.kept: list[Record] = []
        self.web = web_at(url)

    async def signs_in(self, person: Prompt, add_secret: Callable[[str], None], **settings: Any) -> Record:
        """What is kept of it."""
        given = SignInSettings(**{"grant": "device-code", "login_timeout": stretched(DEADLINE), **settings})
        flow = SignInFlow(
            self.url, given, self.web, self.store, issuers=IssuersOnPaper(), prompt=person, add_secret=add_secret
        )
        async with asyncio.timeout(stretched(DEADLINE * 2)):
            await flow.run(SignInReason(), self._keep)
        return self.kept[-1]

    async def _keep(self, record: Record) -> None:
        self.kept.append(record)
