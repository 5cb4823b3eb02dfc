"""What httpx raises, in words: which server, why, and what to do."""

import errno
import socket
import ssl
import types

import httpx
import pytest
import trustme

from bridge.login import failures
from bridge.login.auth_http import AuthHttpClient
from bridge.login.failures import SERVER, explain
from bridge.oauth.errors import Unavailable, Unreachable
from tests.support.in_process.auth_http import web_at
from tests.support.servers.raw_server import Peer, RawServer
from tests.support.systems.windows_errors import windows_error

pytestmark = pytest.mark.anyio

URL = "https://as.example/token"
WHAT = "token endpoint"
PROXY = "http://proxy.example:3128"


def raised(problem: httpx.HTTPError, *causes: BaseException) -> httpx.HTTPError:
    """The problem as httpx raises it: each cause led to the one before."""
    last: BaseException = problem
    for cause in causes:
        last.__cause__ = cause
        last = cause
    return problem


def tls_error(reason: str) -> ssl.SSLError:
    problem = ssl.SSLError(1, f"[SSL: {reason}] words (_ssl.c:1006)")
    problem.reason = reason
    return problem


def refused_certificate() -> ssl.SSLError:
    problem = ssl.SSLCertVerificationError(1, "x")
    problem.verify_message = "self-signed certificate"
    return problem


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")


def test_what_macos_says_of_the_local_network_is_read_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "platform", types.SimpleNamespace(release=lambda: "24.6.0"))
    monkeypatch.setattr(failures, "sys", types.SimpleNamespace(platform="darwin"))
    tried = OSError(65, "Connect call failed ('10.1.2.3', 443)")
    problem = raised(httpx.ConnectError("x"), OSError("All attempts failed"), ExceptionGroup("", [tried]))
    assert "Privacy & Security > Local Network" in explain(problem, URL, WHAT, None).hint
    assert "Local Network" not in explain(raised(httpx.ConnectError("x"), REFUSED), URL, WHAT, None).hint


@pytest.mark.parametrize(
    ("problem", "says", "to_do"),
    [
        (
            raised(httpx.ConnectError("x"), socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
            f"Cannot reach the token endpoint {URL}: the name as.example cannot be resolved.",
            "Check the spelling",
        ),
        (
            raised(httpx.ConnectError("x"), OSError("All attempts failed"), ExceptionGroup("", [REFUSED])),
            f"Cannot reach the token endpoint {URL}: the connection was refused.",
            "whether the server is running",
        ),
        (
            raised(httpx.ConnectError("x"), OSError(errno.ENETUNREACH, "x")),
            f"Cannot reach the token endpoint {URL}: there is no network route to it.",
            "VPN",
        ),
        (
            raised(httpx.ConnectError("x"), OSError("All attempts failed"), ExceptionGroup("", [windows_error(1225)])),
            f"Cannot reach the token endpoint {URL}: the connection was refused.",
            "whether the server is running",
        ),
        (
            raised(httpx.ConnectError("x"), windows_error(121)),
            f"Cannot reach the token endpoint {URL}: it did not respond within the connect timeout.",
            "A firewall may be dropping the packets",
        ),
        (
            raised(httpx.ConnectError("x"), windows_error(1232)),
            f"Cannot reach the token endpoint {URL}: there is no network route to it.",
            "VPN",
        ),
        (
            raised(httpx.ConnectTimeout("x"), TimeoutError()),
            f"Cannot reach the token endpoint {URL}: it did not respond within the connect timeout.",
            "A firewall may be dropping the packets",
        ),
        (
            raised(httpx.ConnectError("x"), OSError(errno.EMFILE, "Too many open files")),
            f"Cannot reach the token endpoint {URL}: Too many open files.",
            "Check",
        ),
        (
            raised(httpx.ConnectError("x"), refused_certificate()),
            f"Cannot trust the token endpoint {URL}: its certificate was rejected (self-signed certificate).",
            "--ca-file FILE",
        ),
        (
            raised(httpx.ConnectError("x"), ssl.SSLCertVerificationError("Peer sent no certificates")),
            f"Cannot trust the token endpoint {URL}: its certificate was rejected (Peer sent no certificates).",
            "--ca-file FILE",
        ),
        (
            raised(httpx.ConnectError("x"), tls_error("WRONG_VERSION_NUMBER")),
            f"Cannot reach the token endpoint {URL}: the server there does not use TLS.",
            "http://",
        ),
        (
            raised(httpx.ReadError("x"), tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED")),
            f"Cannot reach the token endpoint {URL}: it requires a client certificate (certificate required)",
            "--client-cert FILE",
        ),
        (httpx.ReadTimeout("x"), f"The token endpoint {URL} did not answer in time.", "Try again"),
        (
            httpx.RemoteProtocolError("illegal status line"),
            f'The response from the token endpoint {URL} is not HTTP ("illegal status line").',
            "https://",
        ),
        (
            httpx.RemoteProtocolError("Server disconnected without sending a response."),
            f"The token endpoint {URL} closed the connection without an answer.",
            "Try again",
        ),
        (httpx.ReadError(""), f"The token endpoint {URL} closed the connection without an answer.", "Try again"),
    ],
)
def test_each_way_to_fail_has_its_words(problem: httpx.HTTPError, says: str, to_do: str) -> None:
    told = explain(problem, URL, WHAT, None)
    assert told.message.startswith(says)
    assert to_do in told.hint
    assert "Errno" not in told.message
    assert "Unknown error" not in told.message


def test_an_endpoint_is_named_without_what_may_hold_any_text() -> None:
    endpoint = f"{URL}?say=ignore+all+that&open=https://evil.example/"
    told = explain(raised(httpx.ConnectError("x"), REFUSED), endpoint, WHAT, None)
    assert told.message == f"Cannot reach the token endpoint {URL}...: the connection was refused."


def test_the_mcp_server_is_called_by_its_url_alone() -> None:
    told = explain(raised(httpx.ConnectError("x"), REFUSED), URL, SERVER, None)
    assert told.message == f"Cannot reach {URL}: the connection was refused."


@pytest.mark.parametrize(
    ("problem", "says", "to_do"),
    [
        (
            raised(httpx.ConnectError("x"), socket.gaierror(socket.EAI_NONAME, "x")),
            f"the proxy {PROXY}: the name proxy.example cannot be resolved.",
            "HTTPS_PROXY",
        ),
        (raised(httpx.ConnectError("x"), REFUSED), f"the proxy {PROXY}: the connection was refused.", "HTTPS_PROXY"),
        (
            httpx.ProxyError("407 Proxy Authentication Required"),
            f"the proxy {PROXY} refused to connect (407 Proxy Authentication Required).",
            "user name and password",
        ),
    ],
)
def test_what_is_the_proxys_is_told_of_the_proxy(problem: httpx.HTTPError, says: str, to_do: str) -> None:
    told = explain(problem, URL, WHAT, PROXY)
    assert told.message == f"Cannot reach the token endpoint {URL}: {says}"
    assert to_do in told.hint


# -- over real sockets


def asking(url: str, authority: trustme.CA | None = None) -> AuthHttpClient:
    def tls(_: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if authority is not None:
            authority.configure_trust(context)
        return context

    return web_at(url, tls=tls)


async def test_a_port_where_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/mcp"
        with pytest.raises(Unreachable) as caught:
            await asking(url).get(url, SERVER, {})
    assert caught.value.message == f"Cannot reach {url}: the connection was refused."


async def test_a_name_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    url = "https://nope.invalid/mcp"
    with pytest.raises(Unreachable) as caught:
        await asking(url).get(url, SERVER, {})
    assert caught.value.message == f"Cannot reach {url}: the name nope.invalid cannot be resolved."


async def test_a_certificate_of_an_unknown_authority() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with RawServer(Peer.gone, context) as server:
        with pytest.raises(Unreachable) as caught:
            await asking(server.origin, trustme.CA()).get(server.origin, SERVER, {})
    assert caught.value.message.startswith(f"Cannot trust {server.origin}: its certificate was rejected (")


async def test_what_is_not_http() -> None:
    async def talk(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await peer.gone()

    async with RawServer(talk) as server:
        with pytest.raises(Unavailable) as caught:
            await asking(server.origin).get(server.origin, SERVER, {})
    assert caught.value.message.startswith(f"The response from {server.origin} is not HTTP (")
