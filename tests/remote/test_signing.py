"""Every request that goes out is signed anew, by its method, URL, headers and the digest of its body."""

import hashlib

import pytest

from bridge.errors import BridgeError
from bridge.remote.connecting import Route, origin_of
from bridge.remote.connections import Connections
from bridge.remote.exchanges import Remote, RemoteRequest
from bridge.remote.http1 import Header
from bridge.remote.signing import UnsignedRequest
from bridge.session.events import Cause, Event, ExchangeFailed
from tests.support.in_process.remote_events import only
from tests.support.servers.raw_server import DEADLINE, Answers, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

JSON = b"content-type: application/json"
GOOD = response(b"{}", JSON)


class Signer:
    """Numbers the requests, or fails."""

    def __init__(self) -> None:
        self.seen: list[UnsignedRequest] = []
        self.problem: BridgeError | None = None

    async def sign(self, request: UnsignedRequest) -> tuple[Header, ...]:
        self.seen.append(request)
        if self.problem is not None:
            raise self.problem
        return ((b"Authorization", b"Signature %d" % len(self.seen)), (b"X-Digest", request.digest.encode()))


async def nothing() -> None:
    """The host is never slow."""


async def run(url: str, signer: Signer, *requests: RemoteRequest) -> list[Event]:
    connections = Connections(Route(origin_of(url), None, None), stretched(DEADLINE))
    events: list[Event] = []
    remote = Remote(url, ((b"x-team", b"blue"),), connections, signer=signer, emit=events.append, clear=nothing)
    for one in requests:
        await remote.run(one)
    connections.drop_idle()
    return events


async def test_each_method_and_each_try_has_a_signature_of_its_own() -> None:
    talk = Answers(response(b"", b"location: /moved?a=b", status=b"307 Moved"), GOOD, GOOD, GOOD)
    signer = Signer()
    own = ((b"content-type", b"application/json"),)
    async with RawServer(talk) as server:
        await run(
            server.origin,
            signer,
            RemoteRequest(1, b"POST", own, b"{}"),
            RemoteRequest(2, b"GET", ()),
            RemoteRequest(3, b"DELETE", ()),
        )
    asked = [(one.method, one.url.removeprefix(server.origin.rstrip("/"))) for one in signer.seen]
    assert [method for method, _ in asked] == ["POST", "POST", "GET", "DELETE"]
    assert asked[1][1] == "/moved?a=b"
    full, empty = hashlib.sha256(b"{}").hexdigest(), hashlib.sha256(b"").hexdigest()
    assert [one.digest for one in signer.seen] == [full, full, empty, empty]
    assert dict(signer.seen[0].headers).keys() == {b"host", b"content-type", b"x-team"}
    for number, sent in enumerate(talk.requests, start=1):
        assert b"Signature %d\r\n" % number in sent
        assert sent.lower().count(b"\nauthorization:") == 1


async def test_a_401_is_the_servers_answer_and_no_reason_to_sign_in() -> None:
    talk = Answers(response(b"{}", JSON, status=b"401 No"))
    async with RawServer(talk) as server:
        await run(server.origin, Signer(), RemoteRequest(1, b"POST", (), b"{}"))
    assert len(talk.requests) == 1


async def test_a_signer_that_fails_is_told_and_nothing_is_sent() -> None:
    signer = Signer()
    signer.problem = BridgeError("There are no keys.", hint="Get some.")
    talk = Answers(GOOD)
    async with RawServer(talk) as server:
        events = await run(server.origin, signer, RemoteRequest(1, b"POST", (), b"{}"))
    failed = only(ExchangeFailed, events)
    assert (failed.cause, failed.message, failed.hint) == (Cause.UNAUTHORIZED, "There are no keys.", "Get some.")
    assert talk.requests == []
