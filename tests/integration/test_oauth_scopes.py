"""Which scopes are asked for, what is said where others are granted, and step-up.

More cases, without processes, are in `tests/app/test_oauth_scopes.py`.
"""

import pytest

from tests.support.oauth.answers import Hold
from tests.support.oauth.site import LOGIN, Site

pytestmark = pytest.mark.anyio


async def test_step_up_lets_other_calls_pass() -> None:
    async with Site() as site, site.bridge() as host:
        site.server.challenge = {"scope": "files:read"}
        site.server.needs = {"tools/call:wild": "files:write"}
        await site.begin(host)
        held = Hold(site.authority.behave)
        site.authority.always("token:authorization_code", held)
        waiting = await host.ask("tools/call", {"name": "wild", "arguments": {}})
        await site.person.until_opened(2, deadline=LOGIN)
        assert (await host.call("echo")).result
        assert not host.answers(waiting)
        held.open()
        assert (await host.answer(waiting, deadline=LOGIN)).result
