"""Which addresses are asked: where the MCP server is public, what it leads to must be public too."""

import ssl

import httpx
import pytest
import trustme

from bridge.login.web import Reply, Web
from bridge.oauth.errors import MetadataError, Unavailable
from tests.login.test_web import Names, asking, serving, silent
from tests.support.raw_server import Answers, RawServer, response

pytestmark = pytest.mark.anyio

SERVER = "https://mcp.example/mcp"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    return serving(authority, "as.example", "localhost")


def names(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> Names:
    """`mcp` and `home` name servers, `authority` what they lead to; 10.0.0.1, 10.0.0.2 and ::1 are private."""
    known = {"mcp.example": ["127.0.0.1"], "home.example": ["10.0.0.1"], "localhost": ["127.0.0.1"]}
    known["as.example"] = addresses.get("authority", ["127.0.0.1"])
    return Names(monkeypatch, known, {"10.0.0.1", "10.0.0.2", "::1", "127.0.0.9"})


async def test_a_public_name_is_resolved_once_judged_and_connected_to_by_its_address(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    known = names(monkeypatch)
    talk = Answers(response(b"{}"))
    async with RawServer(talk, server_tls) as server:
        reply = await asking(SERVER, authority=authority).metadata(f"https://as.example:{server.port}/a", "document")
    assert reply.body == b"{}"
    assert known.asked.count("as.example") == 1
    assert f"\r\nHost: as.example:{server.port}\r\n".encode() in talk.requests[0]


async def test_the_certificate_must_be_the_name_s_and_not_the_address_s(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    names(monkeypatch)
    async with RawServer(silent, serving(authority, "127.0.0.1", "other.example")) as server:
        with pytest.raises(Unavailable, match="its certificate was not accepted"):
            await asking(SERVER, authority=authority).metadata(f"https://as.example:{server.port}/a", "document")


@pytest.mark.parametrize("found", [["10.0.0.2"], ["127.0.0.1", "10.0.0.2"], ["::1"]])
async def test_a_name_that_leads_inside_is_refused_and_not_asked(
    found: list[str], monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    names(monkeypatch, authority=found)
    talk = Answers()
    async with RawServer(talk, server_tls) as server:
        web = asking(SERVER, authority=authority)
        url = f"https://as.example:{server.port}/secret"
        for refused in (web.metadata(url, "x"), web.probe(url, "x"), web.post(url, "x", b"", {}), web.vet(url, "x")):
            with pytest.raises(MetadataError, match="not a public address") as caught:
                await refused
            assert "--allow-private" in caught.value.hint
        assert server.peers == []


@pytest.mark.parametrize("host", ["10.0.0.2", "localhost", "printer", "nas.local", "[::1]", "app.localhost"])
async def test_an_address_or_a_local_name_is_refused_too(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = names(monkeypatch)
    with pytest.raises(MetadataError, match="not a public address"):
        await asking(SERVER).vet(f"https://{host}/authorize", "authorization endpoint")
    assert known.asked in ([], ["mcp.example"])


async def test_a_redirect_leads_inside_no_more_than_a_name(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    names(monkeypatch)
    inside = Answers(response(b"{}"))
    async with RawServer(inside, server_tls) as private:
        to = f"location: https://localhost:{private.port}/admin".encode()
        async with RawServer(Answers(response(b"", to, status=b"302 Found")), server_tls) as server:
            web = asking(SERVER, authority=authority)
            with pytest.raises(MetadataError, match="not a public address"):
                await web.metadata(f"https://as.example:{server.port}/a", "document")
        assert private.peers == []


async def test_it_is_asked_where_the_user_allows_it(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    names(monkeypatch)
    async with RawServer(Answers(response(b"{}")), server_tls) as server:
        web = asking(SERVER, authority=authority, allow_private=True)
        url = f"https://localhost:{server.port}/a"
        await web.vet(url, "document")
        assert (await web.metadata(url, "document")).status == 200


@pytest.mark.parametrize("server", ["https://home.example/mcp", "https://localhost/mcp", "https://10.0.0.1/mcp"])
async def test_a_private_server_may_lead_to_private_addresses(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, authority=["10.0.0.2"])
    await asking(server).vet("https://as.example/authorize", "authorization endpoint")


async def test_the_servers_own_origin_needs_no_judging(monkeypatch: pytest.MonkeyPatch) -> None:
    known = names(monkeypatch)
    for url in ("https://mcp.example/authorize", "https://MCP.example:443/authorize"):
        await asking(SERVER).vet(url, "authorization endpoint")
    assert known.asked == []


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, authority=[])
    with pytest.raises(Unavailable, match=r"name as\.example is not known"):
        await asking(SERVER).vet("https://as.example/authorize", "authorization endpoint")


async def test_what_may_not_be_asked_is_not_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    known = names(monkeypatch)
    for url in ("http://as.example/", "file:///etc/passwd", "https://a@as.example/", "https://as.example/#x", "as"):
        with pytest.raises(MetadataError):
            await asking(SERVER).vet(url, "authorization endpoint")
        with pytest.raises(MetadataError):
            await asking(SERVER).metadata(url, "document")
    assert known.asked == []


async def test_of_several_addresses_one_that_answers_is_enough(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    names(monkeypatch, authority=["::2", "127.0.0.1"])
    async with RawServer(Answers(response(b"{}")), server_tls) as server:
        web = asking(SERVER, authority=authority)
        assert (await web.metadata(f"https://as.example:{server.port}/a", "document")).body == b"{}"


async def test_an_address_that_swallows_everything_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, authority=["8.8.8.8", "9.9.9.9"])
    tried: list[str] = []

    async def read(self: Web, client: httpx.AsyncClient, request: httpx.Request, *_: str) -> tuple[Reply, float]:
        tried.append(request.url.host)
        if len(tried) == 1:
            raise httpx.ConnectTimeout("")
        return Reply("", 200, "", b""), 0.0

    monkeypatch.setattr(Web, "_read", read)
    await asking(SERVER).metadata("https://as.example/a", "document")
    assert tried == ["8.8.8.8", "9.9.9.9"]


# -- a proxy


async def test_a_proxy_is_told_the_name_and_nothing_is_resolved_here(monkeypatch: pytest.MonkeyPatch) -> None:
    known = names(monkeypatch)
    talk = Answers(response(b"", b"connection: close", status=b"403 Forbidden"))
    async with RawServer(talk) as proxy:
        web = asking(SERVER, proxy=(proxy.origin, ("user", "word")))
        with pytest.raises(Unavailable):
            await web.metadata("https://as.example/a", "document")
    assert talk.requests[0].startswith(b"CONNECT as.example:443 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic dxnlcjp3b3jk" in talk.requests[0].lower()
    assert known.asked == []


async def test_a_proxy_is_not_asked_for_what_is_private_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch)
    async with RawServer(Answers()) as proxy:
        web = asking(SERVER, proxy=(proxy.origin, None))
        with pytest.raises(MetadataError, match="not a public address"):
            await web.metadata("https://10.0.0.2/a", "document")
        assert proxy.peers == []
