"""Requests of a sign-in whose TLS the system judges: beside the event loop, within the time given."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable

import pytest
import trustme

from bridge.login import auth_http as web_module
from bridge.login.auth_http import AuthHttpClient
from bridge.login.separate_loop import may_block, on_separate_loop
from bridge.oauth.errors import Silent, Unavailable
from tests.support.in_process.auth_http import web_at
from tests.support.servers.raw_server import DEADLINE, Answers, Peer, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

HOST = "127.0.0.1"


class JudgingInTheHandshake(ssl.SSLContext):
    """As truststore's context: a handshake ends only when `judge`, which may take its time, has accepted the peer."""

    def __new__(cls, judge: Callable[[], None]) -> "JudgingInTheHandshake":
        made: JudgingInTheHandshake = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

        class Judged(ssl.SSLObject):
            def do_handshake(self) -> None:
                super().do_handshake()
                judge()

        made.sslobject_class = Judged
        return made

    def __init__(self, judge: Callable[[], None]) -> None:
        pass


class Judge:
    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.was_let = True

    def __call__(self) -> None:
        self.begun.set()
        self.was_let = self.may_end.wait(stretched(DEADLINE))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def served(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


def asking(server: RawServer, authority: trustme.CA, judge: Callable[[], None]) -> AuthHttpClient:
    context = JudgingInTheHandshake(judge)
    authority.configure_trust(context)
    return web_at(server.origin, tls=lambda own: context)


async def test_the_loop_goes_on_while_a_certificate_is_judged(authority: trustme.CA, served: ssl.SSLContext) -> None:
    judge = Judge()
    async with RawServer(Answers(response(b"{}")), served) as server:
        http = asking(server, authority, judge)
        fetching = asyncio.create_task(http.metadata(f"{server.origin}/m", "metadata"))
        await asyncio.to_thread(judge.begun.wait, stretched(DEADLINE))
        assert not fetching.done()
        judge.may_end.set()
        assert (await fetching).body == b"{}"
    assert judge.was_let, "the loop stood still until the judge gave up"


async def test_the_time_for_an_answer_holds(
    authority: trustme.CA, served: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Judge()
    monkeypatch.setattr(web_module, "_TOTAL_SECONDS", stretched(0.5))
    async with RawServer(Peer.gone, served) as server:
        http = asking(server, authority, judge)
        with pytest.raises(Silent, match="did not answer within"):
            await http.metadata(f"{server.origin}/m", "metadata")
        judge.may_end.set()
    assert judge.was_let


async def test_where_the_system_refuses_nothing_is_sent(authority: trustme.CA, served: ssl.SSLContext) -> None:
    heard: list[bytes] = []

    async def talk(peer: Peer) -> None:
        with contextlib.suppress(OSError):
            heard.append(await peer.reader.read(1 << 16))

    def refuse() -> None:
        problem = ssl.SSLCertVerificationError("not trusted here")
        problem.verify_message = "not trusted here"
        raise problem

    async with RawServer(talk, served) as server:
        http = asking(server, authority, refuse)
        with pytest.raises(Unavailable, match=r"rejected \(not trusted here\)"):
            await http.post(f"{server.origin}/t", "token endpoint", b"secret", {})
    assert not b"".join(heard)


def test_openssls_own_judgement_needs_no_other_loop() -> None:
    assert not may_block(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert may_block(JudgingInTheHandshake(Judge()))


async def test_what_is_done_aside_returns_and_raises() -> None:
    async def returns() -> int:
        return threading.get_ident()

    async def fails() -> int:
        raise LookupError("so")

    assert await on_separate_loop(returns) != threading.get_ident()
    with pytest.raises(LookupError, match="so"):
        await on_separate_loop(fails)


async def test_who_stops_waiting_stops_what_is_done_aside() -> None:
    begun, stopped = threading.Event(), threading.Event()

    async def waits() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    waiting = asyncio.create_task(on_separate_loop(waits))
    await asyncio.to_thread(begun.wait, stretched(DEADLINE))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(stopped.wait, stretched(DEADLINE))
