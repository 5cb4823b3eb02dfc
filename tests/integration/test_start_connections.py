"""Connections that are opened before they are needed, while the program loads: two of them."""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from tests.support.process.bridge_process import CLIENT_INFO, launch
from tests.support.servers.fault_http import DEADLINE
from tests.support.servers.fault_server import FaultServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

PARAMS = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": CLIENT_INFO}


@pytest.fixture(params=["http", "https"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[FaultServer, tuple[str, ...]]]:
    """A server, and the options with which the bridge trusts it."""
    tls: ssl.SSLContext | None = None
    options: tuple[str, ...] = ()
    if request.param == "https":
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        tls, options = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ("--ca-file", str(tmp_path / "authority.pem"))
        authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with FaultServer(tls=tls) as made:
        yield made, ("--protocol", "legacy", *options)


async def test_two_connections_stand_before_the_host_has_said_anything(
    server: tuple[FaultServer, tuple[str, ...]],
) -> None:
    remote, options = server
    async with launch(remote.url, *options) as host:
        await remote.http.bell.until(lambda: remote.http.connections == 2, "two connections")
        assert remote.http.requests == []
        await host.request("initialize", PARAMS, deadline=DEADLINE)
        assert remote.http.connections == 2


async def test_a_host_that_asks_nothing_leaves_no_connection_behind(
    server: tuple[FaultServer, tuple[str, ...]],
) -> None:
    remote, options = server
    async with launch(remote.url, *options) as host:
        await remote.http.bell.until(lambda: remote.http.connections >= 1, "a connection")
        host.close_stdin()
        assert await host.wait() == 0
    await remote.http.bell.until(lambda: remote.http.open_connections == 0, "no connection")
    assert remote.http.requests == []


async def test_a_server_that_hangs_up_on_what_was_opened_early_is_connected_to_again(
    server: tuple[FaultServer, tuple[str, ...]],
) -> None:
    remote, options = server
    remote.http.slam = 1
    async with launch(remote.url, *options) as host:
        await remote.http.bell.until(lambda: remote.http.connections >= 1, "a connection")
        answer = await host.request("initialize", PARAMS, deadline=DEADLINE)
        assert answer.result["serverInfo"]


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue is made in another way there")
async def test_the_end_does_not_wait_for_a_connection_under_way() -> None:
    with contextlib.ExitStack() as full:
        listener = full.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            filler = full.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        async with launch(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp") as host, asyncio.timeout(stretched(20)):
            host.close_stdin()
            assert await host.wait() == 0
