"""A server that moves to a second authorization server, which knows the user's own client too."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from tests.support.oauth.authority import Authority
from tests.support.oauth.site import Site
from tests.support.process.bridge_command import run_command

S = TypeVar("S", bound=Site)

SECRET = "planted-client-secret"
ENV = {"MCP_BRIDGE_CLIENT_ID": "given-id", "MCP_BRIDGE_CLIENT_SECRET": SECRET}


@contextlib.asynccontextmanager
async def moving(new_site: Callable[[], S], *, own_client: bool = True) -> AsyncIterator[tuple[S, Authority]]:
    """A site of the kind that `new_site` makes, and the authority that its server may move to."""
    async with Authority() as second, new_site() as site:
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
    """Run the command `logout`, which succeeds; returns what it says."""
    code, said = await run_command(site, "logout", *words, env=ENV)
    assert code == 0, said
    return said
