"""Five copies of the bridge start together where nobody has signed in yet: a round, as often as it is wanted."""

from __future__ import annotations

import asyncio

from tests.support.oauth.site import LOGIN, Site
from tests.support.oauth.user import visit
from tests.support.process.bridge_process import INITIALIZE
from tests.support.process.instances import COPIES, SLOW, serves, start_copies
from tests.support.process.login_processes import no_login_left

MANNERS = ("at-once", "when-all-have-asked", "amid-their-start")
"""When the person consents: rounds take turns with these."""


async def play_round(manner: str, copies: int = COPIES) -> None:
    """A new person, server and authorization server; raises AssertionError unless one consent serves every copy."""
    async with Site() as site:
        site.person.browser = "follow" if manner == "at-once" else "record"
        async with start_copies(site, copies) as hosts:
            opened = [await host.ask("initialize", INITIALIZE) for host in hosts]
            if manner != "at-once":
                url = await site.person.until_opened(1, deadline=LOGIN)
                if manner == "when-all-have-asked":
                    await site.server.until_seen("initialize", copies, deadline=SLOW)
                assert (await visit(url)).status == 200
            for host, id_ in zip(hosts, opened, strict=True):
                assert (await host.answer(id_, SLOW)).result
                await host.notify("notifications/initialized")
            await asyncio.gather(*(serves(host) for host in hosts))
        await no_login_left(site.person)
        assert len(site.person.opened) == 1, f"{len(site.person.opened)} tabs"
        assert site.registered_once(), "registered more than once"
        assert len(site.authority.forms("authorization_code")) == 1, "more than one code was exchanged"
        assert site.authority.refreshed == 0, "a token was renewed that had just been given"
