"""What a request shows, what counts as a refusal of it, and that nothing is held while another is had."""

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable

import pytest

from bridge.errors import BridgeError
from bridge.oauth.errors import SignInError, TokenEndpointUnavailable
from bridge.remote import responses
from bridge.remote.credentials import ANONYMOUS, AuthRefusal, Credential
from bridge.remote.proxy import Proxy
from bridge.session.events import BodyReceived, Cause, ExchangeFailed, ResponseStarted, StreamClosed
from tests.support.in_process.remote_credentials import ONE, Guard, RemoteHarness
from tests.support.in_process.remote_events import only
from tests.support.servers.raw_server import Answers, Peer, RawServer, response

pytestmark = pytest.mark.anyio

JSON = b"content-type: application/json"
GOOD = response(b"{}", JSON)
CHALLENGE = b'www-authenticate: Bearer resource_metadata="https://x.example/y", scope="a b"'
REFUSED = response(b'{"error":"invalid_token","error_description":"It is too old."}', JSON, CHALLENGE, status=b"401 No")


def lacking(scope: bytes = b"three four", error: bytes = b"insufficient_scope") -> bytes:
    challenge = b'www-authenticate: Bearer error="%b", scope="%b"' % (error, scope)
    return response(b"", challenge, status=b"403 Forbidden")


def shown(talk: Answers) -> list[str]:
    """The Authorization header of each request."""
    found = []
    for request in talk.requests:
        lines = request.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        found.append(", ".join(line.partition(": ")[2] for line in lines if line.lower().startswith("authorization:")))
    return found


# -- what is shown


async def test_every_request_shows_the_credential() -> None:
    talk = Answers(GOOD, GOOD, GOOD)
    async with RawServer(talk) as server:
        at = RemoteHarness(server.origin, Guard())
        for method in (b"POST", b"GET", b"DELETE"):
            only(BodyReceived, await at.run(method))
        at.connections.drop_idle()
    assert shown(talk) == ["Bearer one"] * 3


@pytest.mark.parametrize("guard", [Guard(ANONYMOUS), None])
async def test_none_shows_nothing(guard: Guard | None) -> None:
    talk = Answers(GOOD)
    async with RawServer(talk) as server:
        at = RemoteHarness(server.origin, guard)
        await at.run()
        at.connections.drop_idle()
    assert shown(talk) == [""]


async def test_a_header_of_the_users_own_is_left_alone_where_nobody_signs_in() -> None:
    talk = Answers(REFUSED)
    async with RawServer(talk) as server:
        at = RemoteHarness(server.origin, None, (b"authorization", b"Bearer mine"))
        told = only(BodyReceived, await at.run())
        at.connections.drop_idle()
    assert (told.status, shown(talk)) == (401, ["Bearer mine"])


async def test_it_goes_along_on_the_origin_and_never_to_another() -> None:
    with_redirect = Answers(response(b"", b"location: /moved", status=b"307 Moved"), GOOD)
    async with RawServer(with_redirect) as server:
        at = RemoteHarness(server.origin, Guard())
        await at.run()
        at.connections.drop_idle()
    assert shown(with_redirect) == ["Bearer one"] * 2
    async with RawServer(Answers()) as other:
        to = b"location: " + other.origin.encode()
        async with RawServer(Answers(response(b"", to, status=b"307 Moved"))) as server:
            at = RemoteHarness(server.origin, Guard())
            assert only(ExchangeFailed, await at.run()).cause is Cause.REDIRECTED
            at.connections.drop_idle()
        assert other.peers == []


async def test_one_that_is_not_there_is_waited_for_before_a_connection_is_taken() -> None:
    talk = Answers(GOOD)
    guard = Guard(None)
    guard.goes_on.clear()
    async with RawServer(talk) as server:
        at = RemoteHarness(server.origin, guard)
        running = asyncio.create_task(at.run())
        await asyncio.wait([running], timeout=0.02)
        assert server.peers == []
        guard.goes_on.set()
        only(BodyReceived, await running)
        at.connections.drop_idle()
    assert shown(talk) == ["Bearer waited-for"]


@pytest.mark.parametrize(
    ("problem", "cause", "sent"),
    [
        (SignInError("Nobody came.", hint="Try again."), Cause.UNAUTHORIZED, True),
        (BridgeError("It is locked.", hint="Unlock it."), Cause.UNAUTHORIZED, True),
        (TokenEndpointUnavailable("It is down.", hint="Later."), Cause.UNREACHABLE, False),
    ],
)
@pytest.mark.parametrize("at_first", [True, False])
async def test_none_to_be_had_ends_the_exchange(problem: BridgeError, cause: Cause, sent: bool, at_first: bool) -> None:
    guard = Guard(None if at_first else ANONYMOUS)
    guard.problem = problem
    async with RawServer(Answers(REFUSED)) as server:
        at = RemoteHarness(server.origin, guard)
        assert await at.run() == [ExchangeFailed(1, cause, sent, problem.message, problem.hint)]
        at.connections.drop_idle()


# -- what is a refusal


async def test_a_refused_request_is_sent_again_with_another_and_only_that_answer_is_told() -> None:
    talk = Answers(REFUSED, GOOD)
    guard = Guard()
    async with RawServer(talk) as server:
        at = RemoteHarness(server.origin + "/mcp", guard)
        events = await at.run()
        assert len(server.peers) == 1  # The connection serves on.
        at.connections.drop_idle()
        url = server.origin + "/mcp"
    assert events == [ResponseStarted(1, 200, None, False), BodyReceived(1, 200, b"application/json", b"{}")]
    assert shown(talk) == ["Bearer one", "Bearer next"]
    (refusal,) = guard.refusals
    assert refusal == AuthRefusal(
        url,
        401,
        (CHALLENGE.partition(b": ")[2].decode(),),
        "It is too old.",
        Credential(1, b"Bearer one"),
        None,
        0,
        False,
        "127.0.0.1",
    )
    assert guard.taken == [Credential(2, b"Bearer next")]


async def test_through_a_proxy_it_is_not_known_where_a_refusal_came_from() -> None:
    guard = Guard()
    async with RawServer(Answers(REFUSED, GOOD)) as proxy:
        at = RemoteHarness("http://mcp.example/mcp", guard, proxy=Proxy(proxy.origin))
        await at.run()
        at.connections.drop_idle()
    assert [refusal.peer for refusal in guard.refusals] == [""]


async def test_all_challenges_are_told() -> None:
    answer = response(b"", b"www-authenticate: Negotiate", CHALLENGE, b"www-authenticate: X \xe9", status=b"401 No")
    guard = Guard()
    async with RawServer(Answers(answer, GOOD)) as server:
        at = RemoteHarness(server.origin, guard)
        await at.run(quiet=True)
        at.connections.drop_idle()
    (refusal,) = guard.refusals
    assert refusal.challenges == ("Negotiate", CHALLENGE.partition(b": ")[2].decode(), "X \xe9")
    assert refusal.is_quiet


@pytest.mark.parametrize(("answer", "status"), [(REFUSED, 401), (lacking(), 403)])
async def test_nothing_is_done_about_the_refusal_of_a_tentative_request(answer: bytes, status: int) -> None:
    guard = Guard()
    async with RawServer(Answers(answer)) as server:
        at = RemoteHarness(server.origin, guard)
        assert only(BodyReceived, await at.run(tentative=True)).status == status
        at.connections.drop_idle()
    assert not guard.refusals
    assert not guard.taken


@pytest.mark.parametrize("kind", [b"text/event-stream", b"application/json", b"text/html"])
async def test_a_refusal_is_one_whatever_its_content(kind: bytes) -> None:
    answer = response(b"data: {}\n\n", b"content-type: " + kind, status=b"401 No")
    guard = Guard()
    async with RawServer(Answers(answer, GOOD)) as server:
        at = RemoteHarness(server.origin, guard)
        assert only(BodyReceived, await at.run()).status == 200
        at.connections.drop_idle()


def cut(body: bytes, *headers: bytes) -> Callable[[Peer], Awaitable[None]]:
    """A 401 whose body never ends well, then a good answer on the next connection."""
    asked = iter([response(body, *headers, status=b"401 No", length=100_000), GOOD])

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(next(asked))
        if b"x-hang: 1" in headers:
            await peer.gone()

    return talk


@pytest.mark.parametrize(
    ("body", "header"),
    [(b"{", b"x-cut: 1"), (b"{", b"x-hang: 1"), (b"no gzip", b"content-encoding: gzip"), (b"x" * 90_000, b"x-big: 1")],
)
async def test_its_head_is_enough(body: bytes, header: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "_REFUSAL_SECONDS", 0.1)
    guard = Guard()
    async with RawServer(cut(body, header)) as server:
        at = RemoteHarness(server.origin, guard)
        assert only(BodyReceived, await at.run()).status == 200
        at.connections.drop_idle()
    assert [refusal.status for refusal in guard.refusals] == [401]


async def test_what_it_says_is_read_though_it_is_compressed() -> None:
    body = gzip.compress(b'{"error_description":"It is too old."}')
    answer = response(body, JSON, b"content-encoding: gzip", status=b"401 No")
    guard = Guard()
    async with RawServer(Answers(answer, GOOD)) as server:
        at = RemoteHarness(server.origin, guard)
        await at.run()
        at.connections.drop_idle()
    assert guard.refusals[0].said == "It is too old."


async def test_a_403_for_want_of_scope_is_one_and_is_counted() -> None:
    guard = Guard()
    async with RawServer(Answers(lacking(), REFUSED, lacking(b""), GOOD)) as server:
        at = RemoteHarness(server.origin, guard)
        assert only(BodyReceived, await at.run()).status == 200
        at.connections.drop_idle()
    assert [(refusal.lacks, refusal.step_ups) for refusal in guard.refusals] == [
        (("three", "four"), 0),
        (None, 1),
        ((), 1),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        response(b"", status=b"403 Forbidden"),
        lacking(error=b"invalid_token"),
        response(b"", b"www-authenticate: Basic", status=b"403 Forbidden"),
        response(b"", CHALLENGE, status=b"404 Not Found"),
        response(b"", CHALLENGE, status=b"400 Bad Request"),
    ],
)
async def test_any_other_answer_is_the_servers_own(answer: bytes) -> None:
    guard = Guard()
    async with RawServer(Answers(answer)) as server:
        at = RemoteHarness(server.origin, guard)
        assert only(BodyReceived, await at.run()).status in {400, 403, 404}
        at.connections.drop_idle()
    assert guard.refusals == []


async def test_nobody_signs_in_to_end_a_session() -> None:
    guard = Guard()
    async with RawServer(Answers(REFUSED)) as server:
        at = RemoteHarness(server.origin, guard)
        assert only(BodyReceived, await at.run(b"DELETE")).status == 401
        at.connections.drop_idle()
    assert guard.refusals == []


@pytest.mark.parametrize(
    ("status", "taken"), [(b"200 OK", True), (b"202 Accepted", True), (b"404 No", True), (b"502 Bad", False)]
)
async def test_what_says_that_the_server_took_it(status: bytes, taken: bool) -> None:
    guard = Guard()
    async with RawServer(Answers(response(b"", status=status))) as server:
        at = RemoteHarness(server.origin, guard)
        await at.run()
        at.connections.drop_idle()
    assert guard.taken == ([ONE] if taken else [])


async def test_a_server_that_refuses_one_after_the_other_is_left_in_the_end() -> None:
    talk = Answers(*[REFUSED] * 100)
    guard = Guard()
    async with RawServer(talk) as server:
        at = RemoteHarness(server.origin, guard)
        failure = only(ExchangeFailed, await at.run())
        at.connections.drop_idle()
    assert failure.cause is Cause.UNAUTHORIZED
    assert 3 < len(guard.refusals) < 20


# -- meanwhile


async def test_nothing_is_held_while_another_is_had() -> None:
    talk = Answers(REFUSED, GOOD, GOOD)
    guard = Guard()
    guard.goes_on.clear()
    async with RawServer(talk) as server:
        at = RemoteHarness(server.origin, guard)
        waiting = asyncio.create_task(at.run())
        while not guard.refusals:
            await asyncio.wait([waiting], timeout=0.001)
        other = RemoteHarness(server.origin, Guard(Credential(5, b"Bearer other")))
        other.remote._connections = at.connections
        only(BodyReceived, await other.run())  # On the connection that the refused one gave back.
        assert len(server.peers) == 1
        guard.goes_on.set()
        only(BodyReceived, await waiting)
        at.connections.drop_idle()


async def test_a_request_that_is_cancelled_tells_nothing_more() -> None:
    guard = Guard()
    guard.goes_on.clear()
    async with RawServer(Answers(REFUSED)) as server:
        at = RemoteHarness(server.origin, guard)
        waiting = asyncio.create_task(at.run())
        while not guard.refusals:
            await asyncio.wait([waiting], timeout=0.001)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert at.events == []
        at.connections.drop_idle()


async def test_a_stream_that_is_refused_is_opened_with_another() -> None:
    stream = response(b"data: 1\n\n", b"content-type: text/event-stream", b"connection: close", length=-1)
    guard = Guard()
    async with RawServer(Answers(REFUSED, stream)) as server:
        events = await RemoteHarness(server.origin, guard).run(b"GET", quiet=True)
    assert events[0] == ResponseStarted(1, 200, None, True)
    only(StreamClosed, events)
    assert guard.refusals[0].is_quiet


async def test_nothing_of_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with RawServer(Answers(REFUSED, GOOD)) as server:
        at = RemoteHarness(server.origin, Guard(Credential(1, b"Bearer planted")))
        await at.run()
        at.connections.drop_idle()
    assert caplog.text
    assert "planted" not in caplog.text
    assert "planted" not in repr(Credential(1, b"Bearer planted"))


async def test_headers_of_the_credential_replace_the_users_and_cookies_are_joined() -> None:
    talk = Answers(response(b"{}", JSON, b"set-cookie: node=1"), GOOD)
    async with RawServer(talk) as server:
        guard = Guard(Credential(1, None, ((b"X-Key", b"new"), (b"Cookie", b"login=me"))))
        at = RemoteHarness(server.origin, guard, (b"x-key", b"old"), (b"x-team", b"blue"))
        await at.run()
        await at.run()
        at.connections.drop_idle()
    first, second = (request.decode("latin-1").lower() for request in talk.requests)
    for request in (first, second):
        assert "x-key: new" in request
        assert "x-key: old" not in request
        assert "x-team: blue" in request
    assert "cookie: login=me\r\n" in first
    assert "cookie: login=me; node=1\r\n" in second
