"""What the user is told: a sentence and a hint for each kind of failure, and whether to try again."""

import errno
import socket
import ssl
import types

import h11
import pytest
import trustme

from bridge.protocol.unreachable import Step
from bridge.remote import failures
from bridge.remote.connecting import NotConnected
from bridge.remote.failures import explain
from bridge.remote.http1 import Disconnected
from bridge.remote.proxy import Proxy, ProxyRefused
from bridge.session.events import Cause, ExchangeFailed
from tests.support.in_process.remote_events import Exchanging, only
from tests.support.servers.fake_proxies import SocksProxy, TunnelProxy
from tests.support.servers.raw_server import Peer, RawServer, response
from tests.support.systems.windows_errors import windows_error

pytestmark = pytest.mark.anyio

URL = "https://mcp.example.com/mcp"
PROXY = "http://proxy.example:3128"
PUT_IN = (
    "The proxy requires a user name and password: put them into the proxy's URL, as in "
    "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT."
)


def connecting(problem: Exception, *, at_proxy: bool = False, proxy: str | None = None) -> tuple[Cause, str, str]:
    cause, sent, message, hint, _ = explain(NotConnected(problem, at_proxy=at_proxy), URL, proxy)
    assert sent is False
    return cause, message, hint


def tls_error(reason: str) -> ssl.SSLError:
    problem = ssl.SSLError(1, f"[SSL: {reason}] words of the library (_ssl.c:1006)")
    problem.reason = reason
    return problem


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "the connection was refused"),
        (
            OSError(f"Multiple exceptions: [Errno {errno.ECONNREFUSED}] Connect, [Errno {errno.ENETUNREACH}] Net"),
            "the connection was refused",
        ),
        (OSError("[WinError 10061] No connection"), "the connection was refused"),
        (OSError(errno.ENETUNREACH, "x"), "there is no network route to it"),
        (OSError(errno.EHOSTUNREACH, "x"), "there is no network route to it"),
        (OSError("[WinError 10065] x"), "there is no network route to it"),
        (TimeoutError(), "it did not respond within the connect timeout"),
        (OSError(errno.ETIMEDOUT, "x"), "it did not respond within the connect timeout"),
        (OSError("[WinError 10060] x"), "it did not respond within the connect timeout"),
        (windows_error(121), "it did not respond within the connect timeout"),
        (windows_error(1225), "the connection was refused"),
        (windows_error(1231), "there is no network route to it"),
        (windows_error(1232), "there is no network route to it"),
        (OSError("Multiple exceptions: [WinError 1225] x, [WinError 1225] y"), "the connection was refused"),
        (socket.gaierror(-2, "unknown"), "the name mcp.example.com cannot be resolved"),
        (UnicodeError("label too long"), "the name mcp.example.com cannot be resolved"),
        (Disconnected("the server closed the connection without a response"), "the server closed the connection"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (OSError("two\nlines."), "two lines"),
        (OSError(), "OSError"),
    ],
)
def test_a_server_out_of_reach(problem: Exception, why: str) -> None:
    cause, message, hint = connecting(problem)
    assert cause is Cause.UNREACHABLE
    assert message.startswith(f"Cannot reach {URL}: {why}")
    assert message.endswith(".")
    assert not message.endswith("..")
    assert hint.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "the connection was refused"),
        (TimeoutError(), "it did not respond within the connect timeout"),
        (socket.gaierror(-2, "unknown"), "the name proxy.example cannot be resolved"),
    ],
)
def test_a_proxy_out_of_reach(problem: Exception, why: str) -> None:
    cause, message, hint = connecting(problem, at_proxy=True, proxy=PROXY)
    assert cause is Cause.UNREACHABLE
    assert message == f"Cannot reach {URL}: the proxy {PROXY}: {why}."
    assert "HTTPS_PROXY" in hint


def test_a_server_out_of_reach_behind_a_proxy_is_not_the_proxys_fault() -> None:
    _, message, hint = connecting(ConnectionResetError(errno.ECONNRESET, "reset by peer"), proxy=PROXY)
    assert message == f"Cannot reach {URL}: reset by peer."
    assert "PROXY" not in hint


@pytest.mark.parametrize(
    ("said", "may_pass"),
    [("407 Proxy Authentication Required", False), ("403 Forbidden", False), ("502 Bad Gateway: no route", True)],
)
def test_a_proxy_that_refuses(said: str, may_pass: bool) -> None:
    found, message, hint = connecting(ProxyRefused(said, may_pass=may_pass), proxy=PROXY)
    assert found is (Cause.UNREACHABLE if may_pass else Cause.UNTRUSTED)
    assert message == f"Cannot reach {URL}: the proxy {PROXY} refused to connect ({said})."
    assert ("user name and password" in hint) == said.startswith("407")


@pytest.mark.parametrize(
    ("schemes", "ways"),
    [
        (("negotiate",), "Negotiate"),
        (("negotiate", "ntlm"), "Negotiate or NTLM"),
        (("digest",), "Digest"),
        (("x-" + "y" * 500,), "x-yyyyyyyyyyyyyyyyyy"),
    ],
)
def test_a_proxy_with_a_sign_in_that_is_not_known(schemes: tuple[str, ...], ways: str) -> None:
    _, message, hint = connecting(ProxyRefused("407 No", schemes=schemes), proxy=PROXY)
    assert message == (
        f"Cannot reach {URL}: the proxy {PROXY} requires authentication with {ways}, "
        "which the bridge does not support (407 No)."
    )
    assert "px" in hint
    assert "HTTPS_PROXY" in hint


def test_a_proxy_that_does_not_accept_the_password_is_told_from_one_that_got_none() -> None:
    told = {
        connecting(ProxyRefused("407 No", schemes=("ntlm", "basic"), signed_in=bool(it)), proxy=PROXY)[2]
        for it in (0, 1)
    }
    assert told == {
        PUT_IN,
        "The proxy rejected the user name and password in the proxy's URL: check them.",
    }


def test_a_proxy_that_wants_a_sign_in_without_saying_407_gets_the_same_hints() -> None:
    another = "it requires another kind of authentication"
    told = {
        said: connecting(ProxyRefused(said, wants_sign_in=True, signed_in=signed_in), proxy=PROXY)[2]
        for said, signed_in in ((another, False), ("401 Unauthorized", True))
    }
    assert told == {
        another: PUT_IN,
        "401 Unauthorized": "The proxy rejected the user name and password in the proxy's URL: check them.",
    }


def test_what_a_proxy_says_has_no_links() -> None:
    _, message, _ = connecting(
        ProxyRefused("403 Go to https://evil.example/x and\u200b [here](b.example/y)"), proxy=PROXY
    )
    assert message.endswith("refused to connect (403 Go to [link removed] and [here] ([link removed]).")


def test_what_a_proxy_says_is_cut() -> None:
    assert len(connecting(ProxyRefused("403 " + "x" * 5000), proxy=PROXY)[1]) < 500


@pytest.mark.parametrize(
    ("reason", "cause", "message", "hint"),
    [
        ("WRONG_VERSION_NUMBER", Cause.UNTRUSTED, "does not use TLS", "http://"),
        ("RECORD_LAYER_FAILURE", Cause.UNTRUSTED, "does not use TLS", "http://"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", Cause.UNTRUSTED, "ended the TLS handshake", "--client-cert"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", Cause.UNTRUSTED, "requires a client certificate", "--client-cert"),
        ("TLSV1_ALERT_UNKNOWN_CA", Cause.UNTRUSTED, "client certificate", "authority"),
        ("TLSV1_ALERT_ACCESS_DENIED", Cause.UNTRUSTED, "client certificate", "--client-cert"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", Cause.UNTRUSTED, "(certificate expired)", "valid today"),
        ("TLSV1_ALERT_NO_APPLICATION_PROTOCOL", Cause.UNTRUSTED, "only HTTP/2", "HTTP/1.1"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", Cause.UNTRUSTED, "TLS 1.1 or older", "TLS 1.2"),
        ("UNSUPPORTED_PROTOCOL", Cause.UNTRUSTED, "TLS 1.1 or older", "TLS 1.2"),
        ("DH_KEY_TOO_SMALL", Cause.UNTRUSTED, "no longer secure (dh key too small)", "operator"),
        ("TLSV1_UNRECOGNIZED_NAME", Cause.UNTRUSTED, "does not serve this host name", "host name"),
        ("TLSV1_ALERT_INTERNAL_ERROR", Cause.UNREACHABLE, "TLS handshake failed", "again"),
        ("UNEXPECTED_EOF", Cause.UNREACHABLE, "TLS handshake failed", "again"),
    ],
)
def test_a_handshake_that_fails(reason: str, cause: Cause, message: str, hint: str) -> None:
    found = connecting(tls_error(reason))
    explained = explain(NotConnected(tls_error(reason), at_proxy=False), URL, None)
    assert explained.definite is (cause is Cause.UNTRUSTED)  # What lasts is not tried again.
    assert found[0] is cause
    assert found[1].startswith(f"Cannot reach {URL}")
    assert message in found[1]
    assert hint in found[2]


def test_at_the_proxy_it_is_the_proxys_certificate() -> None:
    problem = ssl.SSLCertVerificationError(1, "x")
    problem.verify_message = "self-signed certificate"
    cause, message, hint = connecting(problem, at_proxy=True, proxy=PROXY)
    assert cause is Cause.UNTRUSTED
    assert message == (f"Cannot trust the proxy {PROXY}: its certificate was rejected (self-signed certificate).")
    assert "--ca-file" in hint


@pytest.mark.parametrize(
    ("problem", "cause", "sent", "message"),
    [
        (TimeoutError(), Cause.LOST, True, f"{URL} did not respond in time."),
        (ConnectionResetError(), Cause.LOST, True, f"The connection to {URL} was lost."),
        (
            h11.RemoteProtocolError("illegal\n line"),
            Cause.LOST,
            True,
            f'The response from {URL} is not HTTP ("illegal line").',
        ),
        (h11.LocalProtocolError("bad header"), Cause.PROTOCOL, False, "cannot be sent as HTTP (bad header)."),
    ],
)
def test_a_connection_that_fails_later(problem: Exception, cause: Cause, sent: bool, message: str) -> None:
    found = explain(problem, URL, None)
    assert found[:2] == (cause, sent)
    assert found[2].endswith(message)


def test_what_a_server_says_instead_of_http_is_cut() -> None:
    assert len(explain(h11.RemoteProtocolError("x" * 9000), URL, None)[2]) < 400


@pytest.mark.parametrize(
    ("problem", "definite"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), True),
        (OSError(f"Multiple exceptions: [Errno {errno.ECONNREFUSED}] Connect, [Errno {errno.ENETUNREACH}] Net"), True),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), True),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), False),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure in name resolution"), False),
        (OSError(errno.ENETUNREACH, "x"), False),
        (TimeoutError(), False),
        (OSError(errno.EMFILE, "Too many open files"), False),
        (ProxyRefused("502 Bad Gateway"), True),
    ],
)
def test_what_the_network_has_answered_is_definite(problem: Exception, definite: bool) -> None:
    assert explain(NotConnected(problem, at_proxy=False), URL, PROXY).definite is definite


def test_a_silent_name_service_is_told_from_an_unknown_name() -> None:
    _, message, hint = connecting(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    assert message == f"Cannot reach {URL}: DNS did not respond for mcp.example.com."
    assert "network" in hint


@pytest.mark.parametrize(
    ("step", "at_proxy", "message"),
    [
        ("name", False, "DNS did not respond for mcp.example.com within"),
        ("connection", False, "could not open a TCP connection to mcp.example.com within"),
        (
            "handshake",
            False,
            "mcp.example.com accepted the connection but did not finish the TLS handshake within",
        ),
        ("name", True, f"the proxy {PROXY}: DNS did not respond for proxy.example within"),
        ("connection", True, f"the proxy {PROXY}: could not open a TCP connection to proxy.example within"),
        ("proxy", True, f"the proxy {PROXY}: it accepted the connection but did not respond within"),
        (
            "handshake",
            True,
            f"the proxy {PROXY}: proxy.example accepted the connection but did not finish the TLS handshake within",
        ),
    ],
)
def test_what_was_waited_for_is_told(step: Step, at_proxy: bool, message: str) -> None:
    problem = NotConnected(TimeoutError(), at_proxy=at_proxy, step=step, seconds=2.04)
    explained = explain(problem, URL, PROXY)
    assert explained.message == f"Cannot reach {URL}: {message} 2 seconds."
    assert (explained.cause, explained.sent, explained.definite) == (Cause.UNREACHABLE, False, False)
    assert explained.hint.endswith(".")
    assert ("HTTPS_PROXY" in explained.hint) == (at_proxy and step != "name")


@pytest.mark.parametrize("problem", [OSError(errno.ENETUNREACH, "x"), socket.gaierror(-2, "x"), TimeoutError()])
def test_where_the_system_has_a_proxy_that_is_not_used_it_is_said_what_to_set(problem: Exception) -> None:
    failure = NotConnected(problem, at_proxy=False, seconds=2.0)
    before = explain(failure, URL, None)
    failure.unused = "This system uses a proxy script (PAC), which the bridge does not run"
    after = explain(failure, URL, None)
    assert after.hint.startswith(f"{before.hint} {failure.unused}: set HTTPS_PROXY to the proxy's URL")
    assert after._replace(hint="") == before._replace(hint="")
    assert "set HTTP_PROXY to" in explain(failure, URL.replace("https", "http"), None).hint


def test_what_macos_says_of_the_local_network_is_read_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = NotConnected(OSError(65, "Connect call failed ('192.168.1.7', 443)"), at_proxy=False)
    monkeypatch.setattr(failures, "platform", types.SimpleNamespace(release=lambda: "24.6.0"))
    monkeypatch.setattr(failures, "sys", types.SimpleNamespace(platform="darwin"))
    explained = explain(problem, URL, None)
    assert "Privacy & Security > Local Network" in explained.hint
    assert (explained.cause, explained.definite) == (Cause.UNREACHABLE, False)
    monkeypatch.setattr(failures, "platform", types.SimpleNamespace(release=lambda: "23.6.0"))
    assert "Local Network" not in explain(problem, URL, None).hint


# -- over real sockets


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def failure(at: Exchanging) -> ExchangeFailed:
    failed = only(ExchangeFailed, await at.post())
    assert failed.sent is False
    assert len(at.events) == 1
    return failed


async def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/mcp"
        failed = await failure(Exchanging(url))
    assert failed.cause is Cause.UNREACHABLE
    assert failed.message == f"Cannot reach {url}: the connection was refused."


async def test_an_untrusted_certificate(server_tls: ssl.SSLContext) -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trustme.CA().configure_trust(stranger)
    async with RawServer(Peer.gone, server_tls) as server:
        failed = await failure(Exchanging(server.origin, tls=stranger))
        assert failed.cause is Cause.UNTRUSTED
        assert failed.message.startswith(f"Cannot trust {server.origin}: its certificate was rejected (")


async def test_a_certificate_for_another_name(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with RawServer(Peer.gone, server_tls) as server, RawServer(TunnelProxy(server.port)) as front:
        failed = await failure(Exchanging(URL, proxy=Proxy(front.origin), tls=client_tls))
    assert failed.cause is Cause.UNTRUSTED
    assert failed.message.startswith(f"Cannot trust {URL}: ")
    assert "mcp.example.com" in failed.message.partition("rejected")[2]


async def test_plain_http_where_tls_is_expected(client_tls: ssl.SSLContext) -> None:
    async def talk(peer: Peer) -> None:
        await peer.reader.read(100)
        await peer.send(response(b"this is plain", status=b"400 Bad Request"))
        await peer.gone()

    async with RawServer(talk) as server:
        url = server.origin.replace("http:", "https:")
        failed = await failure(Exchanging(url, tls=client_tls))
    assert failed.cause is Cause.UNTRUSTED
    assert failed.message == f"Cannot reach {url}: the server there does not use TLS."
    assert "http://" in failed.hint


async def test_not_http_at_all() -> None:
    async def talk(peer: Peer) -> None:
        await peer.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await peer.gone()

    async with RawServer(talk) as server:
        failed = only(ExchangeFailed, await Exchanging(server.origin).post())
    assert (failed.cause, failed.sent) == (Cause.LOST, True)
    assert failed.message.startswith(f"The response from {server.origin} is not HTTP (")
    assert "https://" in failed.hint


async def test_a_proxy_that_wants_a_sign_in(client_tls: ssl.SSLContext) -> None:
    async with RawServer(TunnelProxy(answer=response(status=b"407 Who Are You"))) as front:
        failed = await failure(Exchanging(URL, proxy=Proxy(front.origin, ("user", "s3cret")), tls=client_tls))
        assert failed.cause is Cause.UNTRUSTED
        assert failed.message == f"Cannot reach {URL}: the proxy {front.origin} refused to connect (407 Who Are You)."
    assert "s3cret" not in failed.message + failed.hint


async def test_a_socks_proxy_that_refuses() -> None:
    async with RawServer(SocksProxy(0, reply=2)) as front:
        proxy = Proxy(front.origin.replace("http:", "socks5:"))
        failed = await failure(Exchanging("http://mcp.example.com/", proxy=proxy))
        assert failed.message.startswith(f"Cannot reach http://mcp.example.com/: the proxy {proxy.url} refused")
