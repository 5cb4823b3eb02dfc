"""Signing in where the eras meet: the server that asks for a token may be of either, and is not judged by asking."""

import pytest

from tests.support.hosts.era_host import ModernHost, handshake, leave
from tests.support.oauth.era_site import era_site
from tests.support.oauth.site import LOGIN
from tests.support.process.bridge_process import BridgeProcess
from tests.support.servers.fault_era import EraServer

pytestmark = pytest.mark.anyio


async def call(host: BridgeProcess, era: str) -> None:
    """What a host of this era does first, with a person who signs in meanwhile."""
    if era == "modern":
        answer = await ModernHost(host, {}).request("tools/call", {"name": "echo"}, deadline=LOGIN)
    else:
        await handshake(host, deadline=LOGIN)
        answer = await host.call("echo", deadline=LOGIN)
    assert answer.result["content"]


@pytest.mark.parametrize("server_era", ["legacy", "modern"])
@pytest.mark.parametrize("host_era", ["legacy", "modern"])
async def test_a_person_signs_in_once_whatever_the_eras(host_era: str, server_era: str) -> None:
    async with era_site(server_era) as protected:
        for _ in range(2):
            async with protected.bridge() as host:
                await call(host, host_era)
                await leave(host)
        assert len(protected.person.opened) == 1
        assert isinstance(protected.server, EraServer)
        with_token = [request for request in protected.server.probes if request.header("authorization")]
        asked = 0 if host_era == server_era == "legacy" else 1
        assert len(with_token) == asked, "the second start asks neither the person nor the server"
