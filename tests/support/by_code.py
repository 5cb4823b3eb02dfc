"""A sign-in by a code (RFC 8628) without the bridge around it: the flow, a web of its own, and what it kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bridge.config import SignInSettings
from bridge.login.asking import Ask
from bridge.login.person import Person
from bridge.login.sign_in import SignIn
from bridge.oauth.record import Record
from bridge.store.memory import MemoryVault
from tests.login.signing_in import IssuersOnPaper
from tests.support.waits import stretched
from tests.support.webs import web_at

DEADLINE = 60.0


class ByCode:
    """Signs in to one server as often as a test likes; registrations last from one time to the next."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.vault = MemoryVault()
        self.kept: list[Record] = []
        self.web = web_at(url)

    async def signs_in(self, person: Person, conceal: Callable[[str], None], **settings: Any) -> Record:
        """What is kept of it."""
        given = SignInSettings(**{"grant": "device-code", "login_timeout": stretched(DEADLINE), **settings})
        flow = SignIn(self.url, given, self.web, self.vault, issuers=IssuersOnPaper(), person=person, conceal=conceal)
        async with asyncio.timeout(stretched(DEADLINE * 2)):
            await flow.run(Ask(), self._keep)
        return self.kept[-1]

    async def _keep(self, record: Record) -> None:
        self.kept.append(record)
