"""Which authorization server gets a client's secret, over runs, sign-outs and moves; what is said where it is another.

MCP 2026-07-28, Client Registration, Authorization Server Binding.

More cases, without processes, are in `tests/app/test_oauth_issuer.py`.
"""

import pytest

from tests.support.oauth.moving_site import ENV, logout, move, moving, refused
from tests.support.oauth.site import Site

pytestmark = pytest.mark.anyio


async def test_after_signing_out_no_other_gets_the_secret_until_the_user_says_so() -> None:
    async with moving(Site) as (site, second):
        await site.sign_in(env=ENV, log="info")
        first = site.authority.issuer
        (told,) = [line for line in site.bridges[0].stderr if "for the first time" in line]
        assert "warning" in told
        assert first in told
        await logout(site, site.server.url)
        move(site, second)
        message = await refused(site)
        for words in (site.server.url, first, second.issuer, "given-id"):
            assert words in message
        assert second.forms("authorization_code") == []
        assert second.seen("authorize") == []
        # The command that the error shows, as it stands there.
        command = message[message.index("mcp-remote-bridge logout") :].split()[1:]
        said = await logout(site, *command[1:])
        assert first in said
        await site.sign_in("--answer-within", "0", env=ENV, log="info")
        assert len(second.forms("authorization_code")) == 1
