"""What is otherwise on the Proactor loop, which Windows has: the transports are asyncio's own, their kernel is played.

`scripts/test.py --proactor` runs all of `tests/remote` so; these run everywhere on Linux.
"""

import asyncio
import socket
import ssl
import sys
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from bridge.remote import wire as wire_module
from bridge.remote.connecting import Route
from bridge.remote.connections import Connections
from bridge.remote.http1 import HttpConnection
from bridge.remote.proxy import Proxy
from bridge.remote.wire import Wire
from bridge.session.events import BodyReceived
from tests.support.in_process.connecting import PLAIN, ask
from tests.support.in_process.http1_connection import LARGE, body_of, get
from tests.support.in_process.remote_events import Exchanging
from tests.support.servers.fake_proxies import SocksProxy
from tests.support.servers.raw_server import DEADLINE, Answers, Peer, RawServer, response
from tests.support.waits import stretched

if sys.platform != "linux":
    pytest.skip("Windows' kernel is played on Linux only", allow_module_level=True)

from tests.support.systems.proactor import ProactorLoop

T = TypeVar("T")


def on_a_proactor(play: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=ProactorLoop) as runner:
        return runner.run(asyncio.wait_for(play, stretched(DEADLINE)))


def test_every_way_of_reading_yields_bytes() -> None:
    async def play() -> list[bytes]:
        ours, theirs = socket.socketpair()
        _, wire = await asyncio.get_running_loop().create_connection(Wire, sock=ours)
        told = []
        with theirs:
            theirs.send(b"read")
            told.append(await wire.read())
            theirs.send(b"received")
            await wire.change()
            told.append(wire.received())
            theirs.send(b"one")
            await wire.change()
            theirs.send(b"two")
            await wire.change()
            told.append(await wire.read())
            wire.abort()
        return told

    told = on_a_proactor(play())
    assert told == [b"read", b"received", b"onetwo"]
    assert {type(data) for data in told} == {bytes}


def test_what_a_transport_hands_on_as_bytearray_becomes_bytes() -> None:
    """As on Python 3.11; newer ones hand bytes on."""

    async def play() -> bytes:
        wire = Wire()
        wire.data_received(bytearray(b"so"))  # type: ignore[arg-type]
        return await wire.read()

    assert type(asyncio.run(play())) is bytes


def test_a_socks_proxy_is_understood() -> None:
    async def play() -> bytes:
        async with RawServer(Answers(response(b"hi"))) as server, RawServer(SocksProxy(server.port)) as front:
            route = Route(PLAIN, Proxy(f"socks5://127.0.0.1:{front.port}", None), None)
            return await ask(await route.connect(stretched(DEADLINE)))

    assert on_a_proactor(play()) == b"hi"


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_what_comes_later_than_its_answer_is_seen_when_the_connection_is_taken(
    secure: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def play() -> tuple[object, int]:
        say, said = asyncio.Event(), asyncio.Event()

        async def talk(peer: Peer) -> None:
            while True:
                body = (await peer.request()).partition(b"\r\n\r\n")[2]
                await peer.send(response(body))
                if body == b"first":
                    await say.wait()
                    await peer.send(response(b"twice"))
                    said.set()

        async with RawServer(talk, server_tls if secure else None) as server:
            at = Exchanging(server.origin, tls=client_tls if secure else None)
            await at.post(b"first")
            say.set()
            await said.wait()
            answer = (await at.post(b"second"))[-1]
            at.close()
            return answer, len(server.peers)

    answer, connections = on_a_proactor(play())
    assert isinstance(answer, BodyReceived)
    assert answer.body == b"second"
    assert connections == 2


def test_surplus_after_a_large_body_is_seen_though_the_system_has_taken_it_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The read that is under way has it, so no look at the socket shows it, and the loop was not told of it yet."""
    monkeypatch.setattr(wire_module, "_is_readable", lambda descriptor: False)

    async def play() -> tuple[bool, bool]:
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(Wire, sock=ours)
        http = HttpConnection(wire)

        ready = [http]

        async def connect(seconds: float) -> HttpConnection:
            return ready.pop() if ready else HttpConnection(Wire())

        connections = Connections(cast("Route", SimpleNamespace(connect=connect)), 1.0)
        assert await connections.take(urgent=False) is http
        theirs.setblocking(False)
        answering = asyncio.create_task(loop.sock_sendall(theirs, response(b"x" * LARGE)))
        answer = await get(http)
        assert len(await body_of(http)) == LARGE
        await answering
        theirs.send(b"surplus")
        may_serve = http.recycle() and http.may_serve(0.0)
        connections.give_back(http, answer, urgent=False)
        taken = await connections.take(urgent=False)
        theirs.close()
        wire.abort()
        return may_serve, taken is http

    may_serve, is_lent_again = on_a_proactor(play())
    assert may_serve, "this test is about data that is not visible yet"
    assert not is_lent_again


def test_a_connection_without_surplus_is_lent_again() -> None:
    async def play() -> int:
        async with RawServer(Answers(*[response(b"x" * 300_000)] * 3)) as server:
            at = Exchanging(server.origin)
            for _ in range(3):
                await at.post()
            at.close()
            return len(server.peers)

    assert on_a_proactor(play()) == 1


def test_a_call_that_is_given_up_while_its_connection_is_looked_at_leaves_the_connection() -> None:
    async def play() -> bool:
        async with RawServer(Answers(*[response()] * 3)) as server:
            at = Exchanging(server.origin)
            await at.post()
            (kept,) = at.connections._idle
            taking = asyncio.create_task(at.connections.take(urgent=False))
            await asyncio.sleep(0)
            taking.cancel()
            await asyncio.wait({taking})
            is_kept = at.connections._idle == [kept]
            at.close()
            return is_kept

    assert on_a_proactor(play())


def test_a_refused_connection_is_told_as_one() -> None:
    async def play() -> str:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            at = Exchanging(f"http://127.0.0.1:{bound.getsockname()[1]}/mcp")
            (failed,) = await at.post()
            return str(getattr(failed, "message", failed))

    assert on_a_proactor(play()).endswith(": the connection was refused.")


def test_an_answer_of_any_length_is_whole() -> None:
    async def play() -> list[bytes]:
        async with RawServer(Answers(response(b"a"), response(b"b" * 100_000), response(b"c" * 2_000_000))) as server:
            at = Exchanging(server.origin)
            told = [(await at.post(b"{}" * 100_000))[-1] for _ in range(3)]
            at.close()
            return [bytes(answer.body) for answer in told if isinstance(answer, BodyReceived)]

    assert on_a_proactor(play()) == [b"a", b"b" * 100_000, b"c" * 2_000_000]
