"""Which authorization server gets a client's secret, over runs, sign-outs and moves; what is said where it is another.

MCP 2026-07-28, Client Registration, Authorization Server Binding.

More cases, without processes, are in `tests/app/test_oauth_issuer.py`.
"""

import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.oauth.authority import Authority
from tests.support.oauth.site import Site
from tests.support.process.bridge_command import run_command

pytestmark = pytest.mark.anyio

SECRET = "planted-client-secret"
ENV = {"MCP_BRIDGE_CLIENT_ID": "given-id", "MCP_BRIDGE_CLIENT_SECRET": SECRET}


@contextlib.asynccontextmanager
async def moving(*, own_client: bool = True) -> AsyncIterator[tuple[Site, Authority]]:
    """A site whose server may move to a second authority, which knows the client too."""
    async with Authority() as second, Site() as site:
        site.others.append(second)
        if own_client:
            site.planted[SECRET] = "client secret"
            for authority in (site.authority, second):
                authority.add_client("given-id", SECRET)
                authority.methods = ("client_secret_basic",)
                authority.offers = {"revoke"}
        yield site, second


def move(site: Site, second: Authority) -> None:
    """The server names the second authority, and takes its tokens only."""
    site.server.authority = second


async def refused(site: Site, *arguments: str) -> str:
    """A run that is refused; returns the error."""
    async with site.bridge(*arguments, env=ENV) as host:
        answer = await site.failed(host)
        return str(answer.error["message"])


async def logout(site: Site, *words: str) -> str:
    code, said = await run_command(site, "logout", *words, env=ENV)
    assert code == 0, said
    return said


async def test_after_signing_out_no_other_gets_the_secret_until_the_user_says_so() -> None:
    async with moving() as (site, second):
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
