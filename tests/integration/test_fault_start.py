"""Not reachable at start: one sentence within the host's patience, whatever the bridge's own is."""

import asyncio
import contextlib
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from tests.support.process.bridge_process import BridgeProcess, Line, launch
from tests.support.servers.fault_answers import page
from tests.support.servers.fault_server import FaultServer
from tests.support.servers.recording_proxy import Proxy
from tests.support.servers.tls_server import TlsServer
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

PARAMS = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "h", "version": "1"}}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
    return context


@contextlib.asynccontextmanager
async def hanging() -> AsyncIterator[socket.socket]:
    """A listener whose connections are neither taken nor refused: its queue is full, and nothing empties it."""
    with socket.socket() as listener, contextlib.ExitStack() as full:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(8):
            filler = full.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield listener


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"


async def refused(host: BridgeProcess, url: str, *words: str) -> Line:
    """`initialize` gets one readable error with the URL and one of the words."""
    answer = await host.request("initialize", PARAMS, deadline=20)
    message = answer.error["message"]
    assert answer.kind == "unreachable"
    assert answer.error["code"] == -32000
    assert answer.error["data"]["url"] == url
    assert url in message
    assert any(word in message.lower() for word in words), message
    assert not any(ugly in message for ugly in ("Errno", "Exception", "Error(", "0x", "[SSL", "\n")), message
    host.close_stdin()
    assert await host.wait() == 0
    assert len(host.stderr) <= 8, host.stderr
    assert all(len(line) < 600 for line in host.stderr)
    return answer


async def test_connection_refused() -> None:
    async with FaultServer() as server, launch(server.url, patience=1) as host:
        await server.http.stop()
        await refused(host, server.url, "refused")


async def test_name_not_resolved() -> None:
    url = "https://no-such-host.invalid/mcp"
    async with launch(url, patience=1) as host:
        await refused(host, url, "resolve", "name", "dns")


async def told_within(seconds: float, url: str, *options: str, env: dict[str, str] | None = None) -> str:
    """The sentence that `initialize` is answered with, within so many seconds of a machine that is not busy."""
    async with launch(url, *options, env=env) as host:
        began = asyncio.get_running_loop().time()
        answer = await host.request("initialize", PARAMS, deadline=seconds)
        took = asyncio.get_running_loop().time() - began
        assert took < stretched(seconds)
        assert answer.kind == "unreachable"
        message: str = answer.error["message"]
        return message


async def test_a_server_that_is_down_is_told_at_once_though_patience_is_30_s() -> None:
    async with FaultServer() as server:
        url = server.url
    assert "refused" in await told_within(2.0, url)


async def test_a_connection_that_hangs_is_told_after_4_s() -> None:
    async with hanging() as listener:
        message = await told_within(6.0, url_of(listener))
    assert re.search(r"could not open a TCP connection to 127\.0\.0\.1 within \d seconds?\.", message), message


async def test_a_proxy_that_takes_connections_and_says_nothing_is_told_after_4_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy_url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        message = await told_within(6.0, "https://mcp.example.com/mcp", env={"HTTPS_PROXY": proxy_url})
    assert f"the proxy {proxy_url}: it accepted the connection but did not respond within" in message


NAME_SERVICE = """
import os, socket, time

ask_the_system = socket.getaddrinfo

def getaddrinfo(host, *arguments, **options):
    if host not in ("mcp.example.com", b"mcp.example.com"):
        return ask_the_system(host, *arguments, **options)
    while not os.path.exists(os.environ["NAME_SERVICE_IS_UP"]):
        time.sleep(0.01)
    return ask_the_system("127.0.0.1", *arguments, **options)

socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture
def silent_name_service(tmp_path: Path) -> dict[str, str]:
    """The environment of a bridge whose name service says nothing until there is a file."""
    (tmp_path / "sitecustomize.py").write_text(NAME_SERVICE)
    return {"PYTHONPATH": str(tmp_path), "NAME_SERVICE_IS_UP": str(tmp_path / "up")}


async def test_a_silent_name_service_is_told_and_asked_again_until_it_speaks(
    silent_name_service: dict[str, str],
) -> None:
    async with FaultServer() as server:
        url = server.url.replace("127.0.0.1", "mcp.example.com")
        async with launch(url, "--allow-http", env=silent_name_service) as host:
            answer = await host.request("initialize", PARAMS, deadline=6.0)
            assert answer.kind == "unreachable"
            assert "DNS did not respond for mcp.example.com within" in answer.error["message"]
            await asyncio.to_thread(Path(silent_name_service["NAME_SERVICE_IS_UP"]).touch)
            await host.stderr_says("can be reached now", deadline=20)
            assert (await host.initialize()).result


async def test_a_silent_name_service_does_not_hold_up_the_end(silent_name_service: dict[str, str]) -> None:
    async with launch("http://mcp.example.com/mcp", "--allow-http", env=silent_name_service) as host:
        answer = await host.request("initialize", PARAMS, deadline=6.0)
        assert answer.kind == "unreachable"
        began = time.monotonic()
        host.close_stdin()
        assert await host.wait() == 0
        assert time.monotonic() - began < stretched(1.5)


async def test_a_server_that_comes_up_meanwhile_is_connected_to_before_the_host_asks_again() -> None:
    async with hanging() as listener, launch(url_of(listener), "--connect-timeout", "0.3") as host:
        answer = await host.request("initialize", PARAMS)
        assert answer.kind == "unreachable"
        server = FaultServer()
        await server.http.listen(listener.dup())
        try:
            await host.stderr_says("can be reached now", deadline=20)
            assert not server.http.requests
            assert (await host.initialize()).result
        finally:
            await server.http.stop()


async def test_a_client_certificate_that_is_required_is_told_at_once_though_patience_is_30_s(
    authority: trustme.CA, tmp_path: Path
) -> None:
    tls = server_tls(authority)
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    async with TlsServer(tls) as server:
        message = await told_within(3.0, f"{server.origin}/mcp", "--ca-file", str(ca_file))
        assert server.requests == 0
    assert "it requires a client certificate (certificate required). Pass --client-cert FILE" in message


async def test_certificate_not_trusted(authority: trustme.CA) -> None:
    async with FaultServer(tls=server_tls(authority)) as server, launch(server.url, patience=1) as host:
        answer = await refused(host, server.url, "certificate")
        assert "--ca-file" in answer.error["message"] or "SSL_CERT_FILE" in answer.error["message"]
        assert server.http.requests == []


async def test_certificate_of_another_host(authority: trustme.CA) -> None:
    with authority.cert_pem.tempfile() as pem:
        tls = server_tls(authority, "other.example.com")
        async with FaultServer(tls=tls) as server, launch(server.url, "--ca-file", pem, patience=1) as host:
            await refused(host, server.url, "certificate")


@pytest.mark.parametrize("way", ["option", "environment"])
async def test_a_private_certificate_authority_can_be_trusted(way: str, authority: trustme.CA) -> None:
    with authority.cert_pem.tempfile() as pem:
        options = ("--ca-file", pem) if way == "option" else ()
        env = {"SSL_CERT_FILE": pem} if way == "environment" else {}
        async with (
            FaultServer(tls=server_tls(authority)) as server,
            launch(server.url, *options, env=env) as host,
        ):
            await host.initialize()
            assert (await host.call("echo")).result
            await server.stream()
            host.close_stdin()
            assert await host.wait() == 0
            await server.until_seen("DELETE")
            assert len(server.seen("DELETE")) == 1


async def test_a_client_certificate_is_shown(authority: trustme.CA) -> None:
    tls = server_tls(authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    mine = authority.issue_cert("me@example.com")
    with authority.cert_pem.tempfile() as pem, mine.private_key_and_cert_chain_pem.tempfile() as own:
        async with FaultServer(tls=tls) as server:
            async with launch(server.url, "--ca-file", pem, "--client-cert", own) as host:
                await host.initialize()
                assert (await host.call("echo")).result
            async with launch(server.url, "--ca-file", pem, patience=1) as host:
                answer = await host.request("initialize", PARAMS, deadline=20)
                assert "error" in answer.value


async def test_plain_http_where_tls_is_expected() -> None:
    async with FaultServer() as server:
        url = server.url.replace("http:", "https:")
        async with launch(url, patience=1) as host:
            await refused(host, url, "tls", "ssl", "https")


async def test_a_handshake_that_never_ends() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 16):
            pass
        writer.close()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with listener:
        url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/mcp"
        async with launch(url, "--connect-timeout", "0.5", patience=1) as host:
            await refused(host, url, "did not finish the tls handshake within")


async def test_tls_where_plain_http_is_expected(authority: trustme.CA) -> None:
    async with FaultServer(tls=server_tls(authority)) as server:
        url = server.url.replace("https:", "http:")
        async with launch(url, patience=1) as host:
            answer = await host.request("initialize", PARAMS, deadline=20)
            assert url in answer.error["message"]


async def test_proxy_not_there() -> None:
    async with Proxy(1) as proxy:
        nowhere = proxy.url
    url = "http://mcp.example.invalid/mcp"
    env = {"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere}
    async with launch(url, "--allow-http", env=env, patience=1) as host:
        await refused(host, url, "proxy")
    url = "https://mcp.example.invalid/mcp"
    async with launch(url, env=env, patience=1) as host:
        await refused(host, url, "proxy")


async def test_proxy_that_refuses_a_tunnel() -> None:
    url = "https://mcp.example.invalid/mcp"
    async with Proxy(1, refuse=407) as proxy, launch(url, env={"HTTPS_PROXY": proxy.url}, patience=1) as host:
        await refused(host, url, "proxy")
        assert proxy.heads[0].startswith("CONNECT mcp.example.invalid:443 ")


async def test_through_a_plain_proxy() -> None:
    url = "http://mcp.example.invalid/mcp"
    async with FaultServer() as server, Proxy(server.http.port) as proxy:
        async with launch(url, "--allow-http", env={"HTTP_PROXY": proxy.url}) as host:
            await host.initialize()
            assert (await host.call("echo")).result
            host.close_stdin()
            assert await host.wait() == 0
        await server.until_seen("DELETE")
        assert len(server.seen("DELETE")) == 1
        assert {request.header("host") for request in server.http.requests} == {"mcp.example.invalid"}
        assert all("mcp.example.invalid" in head for head in proxy.heads)


async def test_through_a_tunnel(authority: trustme.CA) -> None:
    url = "https://mcp.example.invalid/mcp"
    secret = ("--header", "Authorization: Bearer s3cret")
    with authority.cert_pem.tempfile() as pem:
        tls = server_tls(authority, "mcp.example.invalid")
        async with FaultServer(tls=tls) as server, Proxy(server.http.port) as proxy:
            env = {"HTTPS_PROXY": proxy.url.replace("//", "//user:pass@")}
            async with launch(url, "--ca-file", pem, *secret, env=env) as host:
                await host.initialize()
                await server.stream()
                assert (await host.call("echo")).result
                host.close_stdin()
                assert await host.wait() == 0
            assert all(head.startswith("CONNECT mcp.example.invalid:443 ") for head in proxy.heads)
            assert all("proxy-authorization: basic dxnlcjpwyxnz" in head.lower() for head in proxy.heads)
            assert not any("s3cret" in head for head in proxy.heads)
            assert {request.header("proxy-authorization") for request in server.http.requests} == {None}


async def test_no_proxy_is_used_for_this_machine() -> None:
    async with FaultServer() as server, Proxy(1, refuse=502) as proxy:
        async with launch(server.url, env={"HTTP_PROXY": proxy.url, "ALL_PROXY": proxy.url}) as host:
            await host.initialize()
            assert (await host.call("echo")).result
        assert proxy.heads == []


async def test_a_server_that_takes_connections_in_time_is_met() -> None:
    async with hanging() as listener, launch(url_of(listener), patience=20) as host:
        id = await host.ask("initialize", PARAMS, id="init")  # noqa: A001
        server = FaultServer()
        await server.http.listen(listener.dup())
        try:
            assert (await host.answer(id)).result["serverInfo"]["name"] == "fault-server"
            await host.notify("notifications/initialized")
            assert (await host.call("echo")).result
            assert len(server.seen("initialize")) == 1
        finally:
            await server.http.stop()


async def test_a_gateway_that_is_not_ready_yet_is_no_end() -> None:
    async with FaultServer() as server, launch(server.url, patience=5) as host:
        server.once("initialize", page(503))
        answer = await host.request("initialize", PARAMS)
        assert "result" in answer.value or answer.error["data"]["status"] == 503
        await host.initialize()
        assert (await host.call("echo")).result


async def test_after_the_error_a_later_initialize_works() -> None:
    async with FaultServer() as server, launch(server.url, patience=0.5) as host:
        await server.http.stop()
        assert (await host.request("initialize", PARAMS, id=1)).kind == "unreachable"
        await server.http.listen()
        await host.initialize()
        assert (await host.call("echo")).result


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_stderr_is_one_line_an_event(level: str) -> None:
    async with FaultServer() as server, launch(server.url, "--log-level", level, patience=1) as host:
        host.checks_answers = True
        await server.http.stop()
        await host.request("initialize", PARAMS, deadline=20)
        host.close_stdin()
        assert await host.wait() == 0
        if level == "info":
            assert host.stderr
            assert all(line.strip() and not line.startswith((" ", "\t")) for line in host.stderr)


async def test_silent_says_only_errors() -> None:
    async with FaultServer() as server, launch(server.url, "--silent") as host:
        await host.initialize()
        await host.call("echo")
        host.close_stdin()
        assert await host.wait() == 0
        assert host.stderr == []
