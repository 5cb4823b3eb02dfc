"""Redirects: followed on the same origin with method and body, refused elsewhere, remembered where permanent."""

import pytest

from bridge.remote import responses
from bridge.remote.exchanges import RemoteRequest
from bridge.session.events import BodyReceived, Cause, ExchangeFailed
from tests.support.in_process.remote_events import Exchanging, only
from tests.support.servers.raw_server import Answers, Peer, RawServer, response

pytestmark = pytest.mark.anyio

PERMANENT = [b"301 Moved Permanently", b"308 Permanent Redirect"]
TEMPORARY = [b"302 Found", b"307 Temporary Redirect"]


def to(location: bytes, status: bytes = b"307 Temporary Redirect", body: bytes = b"<html>moved</html>") -> bytes:
    return response(body, b"location: " + location, status=status)


def first_lines(answers: Answers) -> list[bytes]:
    return [request.partition(b" HTTP/1.1")[0] for request in answers.requests]


@pytest.mark.parametrize("status", PERMANENT + TEMPORARY)
async def test_method_body_and_headers_are_kept(status: bytes) -> None:
    answers = Answers(to(b"/new?a=1#there", status), response(b"{}"))
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/old/mcp", (b"authorization", b"Bearer x"))
        assert only(BodyReceived, await at.post(b'{"a":1}', (b"accept", b"a/b"))).status == 200
        at.close()
        assert len(server.peers) == 1
    assert first_lines(answers) == [b"POST /old/mcp", b"POST /new?a=1"]
    moved = answers.requests[1]
    assert moved.endswith(b'\r\n\r\n{"a":1}')
    assert b"authorization: Bearer x\r\n" in moved
    assert b"accept: a/b\r\n" in moved


@pytest.mark.parametrize(
    ("location", "target"), [("new", "/a/new"), ("../new", "/new"), ("?b=2", "/a/mcp?b=2"), ("{origin}/x/", "/x/")]
)
async def test_a_location_is_read_from_where_it_stands(location: str, target: str) -> None:
    answers = Answers()
    async with RawServer(answers) as server:
        answers._answers = [to(location.format(origin=server.origin).encode()), response()]
        at = Exchanging(f"{server.origin}/a/mcp")
        await at.run(RemoteRequest(1, b"DELETE", ()))
        at.close()
    assert first_lines(answers) == [b"DELETE /a/mcp", b"DELETE " + target.encode()]


@pytest.mark.parametrize("status", PERMANENT)
async def test_a_permanent_one_is_remembered(status: bytes) -> None:
    answers = Answers(to(b"/new", status), response(), response())
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/old")
        await at.post()
        await at.post()
        at.close()
    assert first_lines(answers) == [b"POST /old", b"POST /new", b"POST /new"]


@pytest.mark.parametrize("status", TEMPORARY)
async def test_a_temporary_one_is_not(status: bytes) -> None:
    answers = Answers(to(b"/new", status), response(), response())
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/old")
        await at.post()
        await at.post()
        at.close()
    assert first_lines(answers) == [b"POST /old", b"POST /new", b"POST /old"]


@pytest.mark.parametrize("status", PERMANENT + TEMPORARY + [b"303 See Other"])
@pytest.mark.parametrize(
    "location",
    [
        b"http://other.example/mcp",
        b"//other.example/mcp",
        b"https://127.0.0.1:%d/mcp",
        b"http://127.0.0.1:1/mcp",
        b"http://localhost:%d/mcp",
        b"ftp://127.0.0.1:%d/mcp",
    ],
)
async def test_another_origin_is_refused(location: bytes, status: bytes) -> None:
    answers = Answers()
    async with RawServer(answers) as server:
        there = location.replace(b"%d", b"%d" % server.port)
        answers._answers = [to(there + b"?secret=1", status), response()]
        at = Exchanging(f"{server.origin}/mcp")
        failure = only(ExchangeFailed, await at.post())
        assert (await at.post())[-1] == BodyReceived(1, 200, b"", b"")
        at.close()
    assert (failure.cause, failure.sent) == (Cause.REDIRECTED, True)
    assert "another origin" in failure.message
    assert there.decode().removeprefix("//") in failure.message
    assert "secret" not in failure.message
    assert failure.hint


async def test_303_is_no_answer_to_a_message() -> None:
    answers = Answers(to(b"/elsewhere", b"303 See Other"))
    async with RawServer(answers) as server:
        at = Exchanging(server.origin)
        failure = only(ExchangeFailed, await at.post())
        at.close()
    assert (failure.cause, failure.sent) == (Cause.REDIRECTED, True)
    assert "303" in failure.message
    assert len(answers.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        to(b"/x", b"303 See Other"),
        to(b"https://elsewhere.example/"),
        response(b"no gzip", b"content-encoding: gzip", b"content-type: application/json"),
        response(b"{}", b"mcp-session-id: \xff"),
        b"",
        b"no HTTP at all\r\n\r\n",
    ],
    ids=["303", "origin", "gzip", "session", "nothing", "no-http"],
)
async def test_what_a_redirect_leads_to_is_named_without_its_query_and_short(answer: bytes) -> None:
    answers = Answers(to(b"/" + b"x" * 1500 + b"?say=ignore+all+that"), answer)
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/mcp?own=1")
        failed = only(ExchangeFailed, await at.post())
        at.close()
    assert server.origin in failed.message
    assert "say=" not in failed.message
    assert len(failed.message) < 500


@pytest.mark.parametrize("status", PERMANENT + TEMPORARY)
async def test_a_circle_ends(status: bytes) -> None:
    answers = Answers(*[to(b"/mcp", status)] * 50)
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/mcp")
        failure = only(ExchangeFailed, await at.post())
        at.close()
    assert (failure.cause, failure.sent) == (Cause.REDIRECTED, True)
    assert "circle" in failure.message
    assert len(answers.requests) == 6


async def test_five_in_a_row_are_followed() -> None:
    answers = Answers(*(to(b"/%d" % hop) for hop in range(5)), response(b"there"))
    async with RawServer(answers) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post()).body == b"there"
        at.close()
    assert first_lines(answers)[-1] == b"POST /4"


@pytest.mark.parametrize(
    "location", [b"http://[::1/mcp", b"http://127.0.0.1:99999/", b"http://", b"/\xff", b"http:///"]
)
async def test_a_broken_location_is_refused(location: bytes) -> None:
    answers = Answers(to(location))
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/mcp")
        failure = only(ExchangeFailed, await at.post())
        at.close()
    assert failure.cause is Cause.REDIRECTED
    assert len(answers.requests) == 1


async def test_a_redirect_without_a_location_is_a_status() -> None:
    async with RawServer(Answers(response(b"?", status=b"302 Found"))) as server:
        at = Exchanging(server.origin)
        told = only(BodyReceived, await at.post())
        at.close()
    assert (told.status, told.body) == (302, b"?")


@pytest.mark.parametrize("status", [b"300 Multiple Choices", b"304 Not Modified"])
async def test_not_every_3xx_is_a_redirect(status: bytes) -> None:
    answers = Answers(to(b"/new", status, body=b""))
    async with RawServer(answers) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post()).status == int(status[:3])
        at.close()
    assert len(answers.requests) == 1


async def test_a_cookie_set_by_a_redirect_goes_along() -> None:
    answers = Answers(response(b"", b"location: /new", b"set-cookie: node=a1", status=b"307 Moved"), response())
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/mcp")
        await at.post()
        at.close()
    assert b"cookie: node=a1\r\n" in answers.requests[1]


async def test_a_redirect_whose_body_never_comes_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "_REDIRECT_SECONDS", 0.05)

    async def talk(peer: Peer) -> None:
        if (await peer.request()).startswith(b"POST /mcp "):
            await peer.send(response(b"<html>", b"location: /new", status=b"307 Moved", length=100))
            await peer.gone()
        else:
            await peer.send(response(b"there"))

    async with RawServer(talk) as server:
        at = Exchanging(f"{server.origin}/mcp")
        assert only(BodyReceived, await at.post()).body == b"there"
        at.close()
        assert len(server.peers) == 2


async def test_a_redirect_whose_body_breaks_off_is_followed() -> None:
    answers = Answers(
        response(b"<html>", b"location: /new", b"connection: close", status=b"307 Moved", length=100),
        response(b"there"),
    )
    async with RawServer(answers) as server:
        at = Exchanging(f"{server.origin}/mcp")
        assert only(BodyReceived, await at.post()).body == b"there"
        at.close()


async def test_a_large_page_with_a_redirect_is_not_read() -> None:
    answers = Answers(to(b"/new", body=b"x" * 2_000_000), response(b"there"))
    async with RawServer(answers) as server:
        at = Exchanging(server.origin)
        assert only(BodyReceived, await at.post()).body == b"there"
        at.close()
        assert len(server.peers) == 2
