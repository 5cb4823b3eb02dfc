"""What a sign-in is made of: the same proxy as the relay's, and what is said where there is no connection."""

import socket
import sys
import types

import pytest

from bridge.config import Settings
from bridge.oauth.errors import Unavailable, Unreachable
from bridge.remote import proxy as proxy_module
from bridge.tokens.sign_in_setup import open_http
from tests.support.servers.raw_server import Peer, RawServer

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def on_macos(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Network settings of macOS, and no variable."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    module = types.ModuleType("_scproxy")
    vars(module).update(_get_proxies=dict, _get_proxy_settings=lambda: None)
    monkeypatch.setitem(sys.modules, "_scproxy", module)
    monkeypatch.setattr(proxy_module, "sys", types.SimpleNamespace(platform="darwin"))
    return module


async def test_the_systems_proxy_is_asked(on_macos: types.ModuleType) -> None:
    asked: list[bytes] = []

    async def refuse(peer: Peer) -> None:
        asked.append(await peer.request())
        await peer.send(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

    async with RawServer(refuse) as proxy:
        vars(on_macos).update(_get_proxies=lambda: {"https": proxy.origin})
        with pytest.raises(Unavailable, match="403"):
            await open_http(Settings(url="https://mcp.example/mcp")).get("https://mcp.example/found", "server", {})
    assert asked[0].startswith(b"CONNECT mcp.example:443 HTTP/1.1")


async def test_where_a_script_finds_the_proxy_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from bridge.remote import system_proxy

    monkeypatch.setattr(system_proxy, "_has_script_on_macos", lambda: True)
    monkeypatch.setattr(proxy_module, "is_loopback", lambda host: False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/mcp"
    with pytest.raises(Unreachable) as caught:
        await open_http(Settings(url=url)).get(url, "server", {})
    assert "(PAC)" in caught.value.hint
    assert "set HTTP_PROXY to the proxy's URL" in caught.value.hint
    monkeypatch.setattr(system_proxy, "_has_script_on_macos", lambda: False)
    with pytest.raises(Unreachable) as caught:
        await open_http(Settings(url=url)).get(url, "server", {})
    assert "PAC" not in caught.value.hint
