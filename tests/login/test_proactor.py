"""Signing in on the Proactor loop, which Windows has: what httpx reads there, through a SOCKS proxy above all.

`scripts/test.py --proactor` runs all of `tests/login` so.
"""

import asyncio
import socket
import sys

import pytest

from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.oauth.errors import Unreachable
from tests.support.servers.fake_proxies import SocksProxy
from tests.support.servers.raw_server import DEADLINE, Answers, RawServer, response
from tests.support.waits import stretched

if sys.platform != "linux":
    pytest.skip("Windows' kernel is played on Linux only", allow_module_level=True)

from tests.support.in_process.auth_http import web_at
from tests.support.systems.proactor import ProactorLoop


def asking(url: str, proxy: str | None = None) -> AuthHttpClient:
    return web_at(url, proxy=None if proxy is None else (proxy, ("user", "secret")))


def test_a_socks_proxy_is_understood() -> None:
    async def play() -> AuthResponse:
        async with (
            RawServer(Answers(response(b"{}"))) as server,
            RawServer(SocksProxy(server.port, password=b"secret")) as front,
        ):
            http = asking(server.origin, f"socks5://127.0.0.1:{front.port}")
            return await http.metadata(f"{server.origin}/m", "metadata")

    with asyncio.Runner(loop_factory=ProactorLoop) as runner:
        assert runner.run(asyncio.wait_for(play(), stretched(DEADLINE))).body == b"{}"


def test_a_refused_connection_is_told_as_one() -> None:
    async def play() -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            origin = f"http://127.0.0.1:{bound.getsockname()[1]}"
            await asking(origin).metadata(f"{origin}/m", "metadata")

    with (
        asyncio.Runner(loop_factory=ProactorLoop) as runner,
        pytest.raises(Unreachable, match="connection was refused"),
    ):
        runner.run(asyncio.wait_for(play(), stretched(DEADLINE)))
