"""Which addresses are asked, over real sockets. The rules are in `test_address_guard`."""

import socket
import ssl
from typing import Any

import httpx
import pytest
import trustme

from bridge.login.auth_http import AuthHttpClient, AuthResponse
from bridge.oauth import reach
from bridge.oauth.errors import MetadataError, Unavailable
from bridge.oauth.reach import Reach
from tests.login.test_auth_http import asking, serving, silent
from tests.support.servers.raw_server import DEADLINE, Answers, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

SERVER = "https://mcp.example/mcp"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    return serving(authority, "as.example", "localhost")


class Names:
    """The name service: `addresses` by name, in place of the system's. `asked` are those that it was asked for.

    Tests can connect only to loopback, so 127.0.0.1 counts as public here. So does ::2, where nothing listens.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, addresses: dict[str, list[str]]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        monkeypatch.setattr(socket, "getaddrinfo", self.getaddrinfo)
        monkeypatch.setattr(reach, "_reach", lambda ip: Reach.PUBLIC if str(ip) in {"127.0.0.1", "::2"} else judged(ip))

    def getaddrinfo(self, host: bytes, port: int, *_: object, **__: object) -> list[Any]:
        name = host.decode()
        self.asked.append(name)
        if not (found := self.addresses.get(name, [])):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]


judged = reach._reach


def names(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> Names:
    """`mcp` names the server, `authority` what it leads to."""
    return Names(
        monkeypatch,
        {
            "mcp.example": addresses.get("mcp", ["127.0.0.1"]),
            "as.example": addresses.get("authority", ["127.0.0.1"]),
        },
    )


def public(**details: Any) -> AuthHttpClient:
    """The wire for a server that was reached at a public address."""
    return asking(SERVER, refused_at="8.8.8.8", **details)


async def test_a_public_name_is_resolved_once_judged_and_connected_to_by_its_address(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    known = names(monkeypatch)
    talk = Answers(response(b"{}"))
    async with RawServer(talk, server_tls) as server:
        reply = await public(authority=authority).metadata(f"https://as.example:{server.port}/a", "document")
    assert reply.body == b"{}"
    assert known.asked.count("as.example") == 1
    assert f"\r\nHost: as.example:{server.port}\r\n".encode() in talk.requests[0]


async def test_the_certificate_must_be_the_name_s_and_not_the_address_s(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    names(monkeypatch)
    async with RawServer(silent, serving(authority, "127.0.0.1", "other.example")) as server:
        with pytest.raises(Unavailable, match="its certificate was rejected"):
            await public(authority=authority).metadata(f"https://as.example:{server.port}/a", "document")


@pytest.mark.parametrize("found", [["10.0.0.2"], ["127.0.0.1", "10.0.0.2"], ["::1"], ["::ffff:7f00:2"]])
async def test_a_name_that_leads_inside_is_refused_and_not_asked(
    found: list[str], monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    names(monkeypatch, authority=found)
    talk = Answers()
    async with RawServer(talk, server_tls) as server:
        http = public(authority=authority)
        url = f"https://as.example:{server.port}/secret"
        for refused in (
            http.metadata(url, "x"),
            http.probe(url, "x"),
            http.post(url, "x", b"", {}),
            http.vet(url, "x"),
        ):
            with pytest.raises(MetadataError, match="Nothing was sent there"):
                await refused
        assert server.peers == []


async def test_a_redirect_leads_inside_no_more_than_a_name(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    names(monkeypatch)
    inside = Answers(response(b"{}"))
    async with RawServer(inside, server_tls) as private:
        to = f"location: https://localhost:{private.port}/admin".encode()
        async with RawServer(Answers(response(b"", to, status=b"302 Found")), server_tls) as server:
            http = public(authority=authority)
            with pytest.raises(MetadataError, match="Nothing was sent there"):
                await http.metadata(f"https://as.example:{server.port}/a", "document")
        assert private.peers == []


async def test_the_servers_own_origin_needs_no_judging(monkeypatch: pytest.MonkeyPatch) -> None:
    known = names(monkeypatch)
    for url in ("https://mcp.example/authorize", "https://MCP.example:443/authorize"):
        await public().vet(url, "authorization endpoint")
    assert known.asked == []


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, authority=[])
    with pytest.raises(Unavailable, match=r"name as\.example cannot be resolved"):
        await public().vet("https://as.example/authorize", "authorization endpoint")


async def test_what_may_not_be_asked_is_not_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    known = names(monkeypatch)
    for url in ("http://as.example/", "file:///etc/passwd", "https://a@as.example/", "https://as.example/#x", "as"):
        with pytest.raises(MetadataError):
            await public().vet(url, "authorization endpoint")
        with pytest.raises(MetadataError):
            await public().metadata(url, "document")
    assert known.asked == []


async def test_of_several_addresses_one_that_answers_is_enough(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    names(monkeypatch, authority=["::2", "127.0.0.1"])
    async with RawServer(Answers(response(b"{}")), server_tls) as server:
        http = public(authority=authority)
        assert (await http.metadata(f"https://as.example:{server.port}/a", "document")).body == b"{}"


async def test_an_address_that_swallows_everything_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, authority=["8.8.8.8", "9.9.9.9"])
    tried: list[tuple[str, bool]] = []

    async def read(
        self: AuthHttpClient, client: httpx.AsyncClient, request: httpx.Request, *_: str
    ) -> tuple[AuthResponse, float]:
        is_short = request.extensions["timeout"]["connect"] < stretched(DEADLINE)
        tried.append((request.url.host, is_short))
        if request.url.host == "8.8.8.8":
            raise httpx.ConnectTimeout("")
        return AuthResponse("", 404, "", b""), 0.0

    monkeypatch.setattr(AuthHttpClient, "_read", read)
    http = public()
    await http.metadata("https://as.example/a", "document")
    assert tried == [("8.8.8.8", True), ("9.9.9.9", False)]
    # The one that answered comes first from then on, and no more time is lost.
    tried.clear()
    await http.metadata("https://as.example/a", "document")
    assert tried == [("9.9.9.9", True)]


async def test_the_own_origin_is_connected_to_where_it_was_judged(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    known = names(monkeypatch, mcp=["::1", "127.0.0.1"])
    async with RawServer(Answers(response(b"{}")), serving(authority, "mcp.example")) as server:
        http = asking(f"https://mcp.example:{server.port}/mcp", authority=authority, refused_at="8.8.8.8")
        assert (await http.metadata(f"https://mcp.example:{server.port}/a", "document")).body == b"{}"
        known.addresses["mcp.example"] = ["::1"]
        with pytest.raises(MetadataError, match="Nothing was sent there"):
            await http.metadata(f"https://mcp.example:{server.port}/b", "document")
        assert len(server.peers) == 1
    assert known.asked == ["mcp.example"] * 2


# -- a proxy


async def test_a_proxy_is_told_the_name_and_nothing_is_resolved_here(monkeypatch: pytest.MonkeyPatch) -> None:
    known = names(monkeypatch)
    talk = Answers(response(b"", b"connection: close", status=b"403 Forbidden"))
    async with RawServer(talk) as proxy:
        http = public(proxy=(proxy.origin, ("user", "word")))
        with pytest.raises(Unavailable):
            await http.metadata("https://as.example/a", "document")
    assert talk.requests[0].startswith(b"CONNECT as.example:443 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic dxnlcjp3b3jk" in talk.requests[0].lower()
    assert known.asked == []


async def test_a_proxy_on_this_machine_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    known = names(monkeypatch)
    talk = Answers(response(b"", b"connection: close", status=b"403 Forbidden"))
    async with RawServer(talk) as proxy:
        http = public(proxy=(f"http://localhost:{proxy.port}", ("user", "word")))
        with pytest.raises(Unavailable):
            await http.metadata("https://as.example/a", "document")
    assert b"proxy-authorization: basic dxnlcjp3b3jk" in talk.requests[0].lower()
    assert known.asked == []


async def test_a_proxy_is_not_asked_for_what_is_private_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch)
    async with RawServer(Answers()) as proxy:
        http = public(proxy=(proxy.origin, None))
        with pytest.raises(MetadataError, match="Nothing was sent there"):
            await http.metadata("https://10.0.0.2/a", "document")
        assert proxy.peers == []
