"""Connections opened ahead: which waiting call gets which, how long one is kept ready, and that none leaks."""

import asyncio
from typing import cast

import h11
import pytest

from bridge.remote import connections as module
from bridge.remote import reuse
from bridge.remote.connecting import NotConnected, Origin, Route
from bridge.remote.connections import Connections
from bridge.remote.exchanges import RemoteRequest
from bridge.remote.http1 import HttpConnection
from bridge.session.events import BodyReceived
from tests.support.in_process.remote_events import Exchanging, only
from tests.support.in_process.scripted_wire import ScriptedWire
from tests.support.servers.raw_server import DEADLINE, Peer, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

OK = h11.Response(status_code=200, headers=[])
CLOSING = h11.Response(status_code=200, headers=[("Connection", "close")])


class SlowRoute:
    """Opens connections when it is told to; a problem comes instead of one."""

    def __init__(self) -> None:
        self.begun: list[asyncio.Future[HttpConnection]] = []
        self.wires: list[ScriptedWire] = []
        self.given_up = 0

    async def connect(self, _: float) -> HttpConnection:
        future: asyncio.Future[HttpConnection] = asyncio.get_running_loop().create_future()
        self.begun.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            self.given_up += 1
            raise

    def open(self, number: int) -> HttpConnection:
        """Let the attempt of that number succeed."""
        self.wires.append(ScriptedWire())
        connection = HttpConnection(self.wires[-1])
        self.begun[number].set_result(connection)
        return connection

    def fail(self, number: int) -> None:
        self.begun[number].set_exception(NotConnected(ConnectionRefusedError(), at_proxy=False))


class Time:
    """A clock that a test sets, and the timers that wait for it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def route() -> SlowRoute:
    return SlowRoute()


def lending(route: SlowRoute) -> Connections:
    return Connections(cast("Route", route), 7.5)


def taking(connections: Connections, *, urgent: bool = False) -> asyncio.Task[HttpConnection]:
    return asyncio.create_task(connections.take(urgent=urgent))


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


# -- who gets what


async def test_a_waiter_takes_one_that_comes_back_and_the_one_being_opened_stays_for_later(
    route: SlowRoute,
) -> None:
    connections = lending(route)
    first = taking(connections)
    await settle()
    used = route.open(0)
    assert await first is used
    second = taking(connections)
    await settle()
    connections.give_back(used, OK, urgent=False)
    assert await second is used
    third = taking(connections)
    await settle()
    assert len(route.begun) == 2, "the one that is being opened already is for the third"
    new = route.open(1)
    assert await third is new


async def test_one_that_nobody_waits_for_any_more_stays_idle(route: SlowRoute) -> None:
    connections = lending(route)
    first = taking(connections)
    await settle()
    first.cancel()
    await settle()
    new = route.open(0)
    await settle()
    assert await connections.take(urgent=False) is new
    assert len(route.begun) == 1


async def test_twenty_at_once_use_what_was_opened_in_time(route: SlowRoute) -> None:
    connections = lending(route)
    warming = asyncio.create_task(connections.warm(3))
    await settle()
    assert len(route.begun) == 3
    ready = route.open(0)
    await warming
    calls = [taking(connections) for _ in range(20)]
    await settle()
    assert len(route.begun) == 20, "as many as there are calls, those that were being opened among them"
    opened = [route.open(number) for number in range(1, 20)]
    assert {id(await call) for call in calls} == {id(one) for one in [ready, *opened]}


async def test_a_failure_is_told_to_who_waits_longest(route: SlowRoute) -> None:
    connections = lending(route)
    first, second = taking(connections), taking(connections)
    await settle()
    route.fail(1)
    await settle()
    assert (first.done(), second.done()) == (True, False)
    with pytest.raises(NotConnected):
        await first
    new = route.open(0)
    assert await second is new


async def test_a_failure_that_no_call_waits_for_is_not_reported(
    route: SlowRoute, caplog: pytest.LogCaptureFixture
) -> None:
    connections = lending(route)
    first = taking(connections)
    await settle()
    first.cancel()
    await settle()
    route.fail(0)
    await settle()
    second = taking(connections)
    await settle()
    new = route.open(1)
    assert await second is new
    assert not caplog.records


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_call_that_is_cancelled_as_its_connection_comes_leaves_it_to_another(
    route: SlowRoute, when: str
) -> None:
    connections = lending(route)
    first = taking(connections)
    await settle()
    if when == "before":
        first.cancel()
        new = route.open(0)
    else:
        new = route.open(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
    await asyncio.wait({first})
    await settle()
    if first.cancelled():
        assert await connections.take(urgent=False) is new
        assert len(route.begun) == 1
    else:
        assert first.result() is new


async def test_one_that_is_being_opened_when_the_machine_wakes_is_opened_anew(route: SlowRoute) -> None:
    connections = lending(route)
    first = taking(connections)
    await settle()
    connections.drop_idle()
    await settle()
    assert (len(route.begun), route.given_up) == (2, 1)
    new = route.open(1)
    assert await first is new


async def test_one_that_is_being_opened_ahead_when_the_machine_wakes_is_given_up(route: SlowRoute) -> None:
    connections = lending(route)
    warming = asyncio.create_task(connections.warm(2))
    await settle()
    route.open(0)
    await warming
    connections.drop_idle()
    await settle()
    assert (len(route.begun), route.given_up) == (2, 1)
    assert route.wires[0].aborted
    assert connections._timer is None, "nothing is opened ahead before the next call"


async def test_one_that_another_opens_is_lent_as_if_it_had_been_opened_here(route: SlowRoute) -> None:
    connections = lending(route)
    connections.expect(route.connect(1.0))
    first = taking(connections)
    await settle()
    assert len(route.begun) == 1
    new = route.open(0)
    assert await first is new


# -- warming


async def test_warming_comes_back_with_the_first_and_keeps_the_others(route: SlowRoute) -> None:
    connections = lending(route)
    warming = asyncio.create_task(connections.warm(2))
    await settle()
    route.open(1)
    await warming
    route.open(0)
    await settle()
    await connections.warm(2)
    assert len(route.begun) == 2
    await connections.take(urgent=True)
    await connections.take(urgent=False)
    assert len(route.begun) == 2


async def test_warming_tells_why_it_failed_and_keeps_silent_of_the_others(
    route: SlowRoute, caplog: pytest.LogCaptureFixture
) -> None:
    connections = lending(route)
    warming = asyncio.create_task(connections.warm(2))
    await settle()
    route.fail(0)
    await settle()
    route.fail(1)
    with pytest.raises(NotConnected):
        await warming
    assert not caplog.records


async def calls(connections: Connections, route: SlowRoute, clock: Time, *gaps: float) -> None:
    """Calls with so many seconds between them, each on a connection of its own."""
    for gap in (0.0, *gaps):
        clock.now += gap
        call = taking(connections)
        await settle()
        for future in route.begun:
            if not future.done():
                route.wires.append(ScriptedWire())
                future.set_result(HttpConnection(route.wires[-1]))
        connections.give_back(await call, OK, urgent=False)


@pytest.mark.parametrize(
    ("gaps", "seconds"),
    [
        ((), 10),
        ((0.5,), 10),
        ((2.0,), 10),
        ((7.0,), 14),
        ((20.0,), 40),
        ((20.0, 0.2), 40),
        ((20.0, 3.0), 10),
        ((45.0,), 60),
        ((60.0,), 60),
        ((3600.0,), 10),
    ],
)
async def test_how_long_a_connection_is_kept_ready_after_a_call(
    gaps: tuple[float, ...], seconds: float, route: SlowRoute, clock: Time
) -> None:
    connections = lending(route)
    await calls(connections, route, clock, *gaps)
    last = clock.now
    # Each expires after 4 s, and is replaced half a second before, so that there is always one.
    while clock.now < last + seconds - 3.5:
        clock.now += 3.5
        begun = len(route.begun)
        connections._on_time()
        await settle()
        assert len(route.begun) == begun + 1
        route.open(-1)
        await settle()
        assert any(connection.may_serve(clock.now) for connection in connections._idle)
    while clock.now < last + seconds + 8:
        clock.now += 3.5
        begun = len(route.begun)
        connections._on_time()
        await settle()
        if clock.now >= last + seconds:
            assert len(route.begun) == begun
        elif len(route.begun) > begun:
            route.open(-1)
            await settle()
    clock.now += 4
    connections._on_time()
    assert connections._idle == []
    assert all(wire.aborted for wire in route.wires)


async def test_a_connection_that_the_server_ends_is_replaced_while_calls_are_frequent(
    route: SlowRoute, clock: Time
) -> None:
    connections = lending(route)
    await calls(connections, route, clock)
    route.wires[0].login_status = True
    clock.now += 3.5
    connections._on_time()
    await settle()
    assert route.wires[0].aborted
    assert len(route.begun) == 2


async def test_a_server_that_ends_every_connection_is_connected_to_ahead(route: SlowRoute, clock: Time) -> None:
    connections = lending(route)
    first = taking(connections)
    await settle()
    connection = route.open(0)
    await first
    connection._http.receive_data(b"")  # Neither side is done, as after `Connection: close`.
    connection._went_out = False
    connections.give_back(connection, CLOSING, urgent=False)
    await settle()
    assert len(route.begun) == 2
    new = route.open(1)
    assert await connections.take(urgent=False) is new


async def test_nothing_is_opened_ahead_at_the_end_of_a_run(route: SlowRoute, clock: Time) -> None:
    connections = lending(route)
    await calls(connections, route, clock)
    connections.rest()
    clock.now += 3.6
    connections._on_time()
    await settle()
    assert len(route.begun) == 1


async def test_streams_keep_nothing_warm(route: SlowRoute, clock: Time) -> None:
    connections = lending(route)
    stream = taking(connections, urgent=True)
    await settle()
    connections.give_back(route.open(0) and await stream, OK, urgent=True)
    clock.now += 3.6
    connections._on_time()
    await settle()
    assert len(route.begun) == 1


async def test_a_following_call_finds_a_connection_that_a_server_would_have_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A server that closes idle connections after a while and does not say so; all times are a twentieth of real ones.
    kept = stretched(0.25)
    monkeypatch.setattr(reuse, "KEPT_UNANNOUNCED", kept * 0.8)
    monkeypatch.setattr(module, "KEPT_UNANNOUNCED", kept * 0.8)
    monkeypatch.setattr(module, "_AHEAD", kept * 0.2)

    async def talk(peer: Peer) -> None:
        while True:
            async with asyncio.timeout(kept):
                request = await peer.request()
            await peer.send(response(request.partition(b"\r\n\r\n")[2]))

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        for number in range(6):
            body = b"%d" % number
            assert only(BodyReceived, await at.post(body)).body == body
            await asyncio.sleep(kept * (0.9 + number * 0.05))
        at.connections.rest()
        at.close()
    assert len(server.peers) > 2


# -- places


async def test_two_hundred_calls_without_an_answer_hold_up_neither_the_next_nor_its_cancellation() -> None:
    async def talk(peer: Peer) -> None:
        if b"silent" in await peer.request():
            await peer.gone()
        else:
            await peer.send(response(b"here"))

    async with RawServer(talk) as server:
        at = Exchanging(server.origin)
        silent = [
            asyncio.create_task(at.remote.run(RemoteRequest(number, b"POST", (), b"silent")))
            for number in range(2, 202)
        ]
        while len(server.peers) < 200:
            await asyncio.wait(silent, timeout=0.01)
        assert only(BodyReceived, await at.post(b"next")).body == b"here"
        assert only(BodyReceived, await at.run(RemoteRequest(1, b"POST", (), b"cancel", urgent=True))).body == b"here"
        for task in silent:
            task.cancel()
        await asyncio.wait(silent)
        at.close()


async def test_a_place_has_an_end(monkeypatch: pytest.MonkeyPatch, route: SlowRoute) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    monkeypatch.setattr(module, "_PLACE_SECONDS", 0.02)
    connections = lending(route)
    lent = [taking(connections) for _ in range(2)]
    await settle()
    for number in range(2):
        route.open(number)
    await asyncio.gather(*lent)
    with pytest.raises(module.NoFreeConnection, match="2 requests have no response yet"):
        await connections.take(urgent=False)
    urgent = taking(connections, urgent=True)
    await settle()
    route.open(2)
    await urgent
    connections.give_back(await lent[0], OK, urgent=False)
    await connections.take(urgent=False)
    assert connections._lent == 2


async def test_a_place_is_left_to_the_next_when_its_call_is_cancelled(
    monkeypatch: pytest.MonkeyPatch, route: SlowRoute
) -> None:
    monkeypatch.setattr(module, "_MOST", 1)
    async with asyncio.timeout(stretched(DEADLINE)):
        connections = lending(route)
        lent = taking(connections)
        await settle()
        route.open(0)
        connection = await lent
        waiting = [taking(connections) for _ in range(3)]
        await settle()
        waiting[0].cancel()
        connections.give_back(connection, OK, urgent=False)
        waiting[1].cancel()
        assert await waiting[2] is connection
        connections.give_back(connection, OK, urgent=False)
        assert connections._lent == 0


async def test_over_real_sockets_what_is_opened_ahead_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_UNANNOUNCED", 0.05)
    monkeypatch.setattr(module, "_AHEAD", 0.01)
    monkeypatch.setattr(module, "_SHORTEST_WARMTH", 0.3)
    closed: list[Peer] = []
    quiet = asyncio.Event()

    async def talk(peer: Peer) -> None:
        await peer.gone()
        closed.append(peer)
        if not connections._idle and not connections._opening and len(closed) == len(server.peers):
            quiet.set()

    async with RawServer(talk) as server:
        route = Route(Origin("http", "127.0.0.1", server.port), None, None)
        connections = Connections(route, stretched(DEADLINE))
        await connections.warm(2)
        await quiet.wait()
        assert len(server.peers) > 4


def test_the_figures_are_those_of_the_heads() -> None:
    assert (module._SHORTEST_WARMTH, module._LONGEST_WARMTH, reuse.KEPT_UNANNOUNCED) == (10.0, 60.0, 4.0)
