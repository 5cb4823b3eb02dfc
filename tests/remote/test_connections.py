"""Connections kept for the next request: which is lent, for how long, how many, and which are let go."""

import asyncio
import contextlib
import socket
from types import SimpleNamespace
from typing import cast

import h11
import pytest

from bridge.remote import connections as module
from bridge.remote.connecting import NotConnected, Origin, Route
from bridge.remote.connections import Connections
from bridge.remote.http1 import HttpConnection
from bridge.remote.wire import Wire
from tests.support.in_process.scripted_wire import ScriptedWire
from tests.support.servers.raw_server import DEADLINE, Answers, RawServer, response
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio

OK = h11.Response(status_code=200, headers=[])


class FakeWay:
    """Makes connections without a network; what it fails with comes first."""

    def __init__(self, *problems: Exception) -> None:
        self.wires: list[ScriptedWire] = []
        self.seconds: list[float] = []
        self._problems = list(problems)

    async def connect(self, seconds: float) -> HttpConnection:
        self.seconds.append(seconds)
        if self._problems:
            raise self._problems.pop(0)
        self.wires.append(ScriptedWire(response(b"unread")))
        return HttpConnection(self.wires[-1])


def lending(route: object) -> Connections:
    return Connections(cast("Route", route), 7.5)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def keep_alive(value: bytes) -> h11.Response:
    return h11.Response(status_code=200, headers=[(b"Keep-Alive", value)])


async def wait_a_moment(task: asyncio.Task[HttpConnection]) -> bool:
    """Whether the task is done once it has come as far as it can."""
    await asyncio.wait({task}, timeout=0)
    await asyncio.wait({task}, timeout=0)
    return task.done()


async def test_a_connection_is_lent_again() -> None:
    route = FakeWay()
    connections = lending(route)
    first = await connections.take(urgent=False)
    connections.give_back(first, OK, urgent=False)
    assert await connections.take(urgent=False) is first
    assert route.seconds == [7.5]


async def test_the_one_used_last_is_lent_first() -> None:
    connections = lending(FakeWay())
    one, two, three = [await connections.take(urgent=False) for _ in range(3)]
    for connection in (two, three, one):
        connections.give_back(connection, OK, urgent=False)
    assert [await connections.take(urgent=False) for _ in range(3)] == [one, three, two]


async def test_a_lent_connection_is_not_lent_twice() -> None:
    connections = lending(FakeWay())
    assert await connections.take(urgent=False) is not await connections.take(urgent=True)


async def test_a_connection_without_a_response_is_closed() -> None:
    route = FakeWay()
    connections = lending(route)
    connections.give_back(await connections.take(urgent=False), None, urgent=False)
    assert route.wires[0].aborted
    await connections.take(urgent=False)
    assert len(route.wires) == 2


async def test_a_connection_that_was_not_read_to_the_end_is_closed() -> None:
    route = FakeWay()
    connections = lending(route)
    connection = await connections.take(urgent=False)
    unread = await connection.request(b"GET", b"/", [(b"host", b"x")], None, None)
    connections.give_back(connection, unread, urgent=False)
    assert route.wires[0].aborted


async def test_an_idle_connection_with_news_is_closed_and_the_next_one_lent() -> None:
    route = FakeWay()
    connections = lending(route)
    older, newer = await connections.take(urgent=False), await connections.take(urgent=False)
    connections.give_back(older, OK, urgent=False)
    connections.give_back(newer, OK, urgent=False)
    route.wires[1].login_status = True
    assert await connections.take(urgent=False) is older
    assert [wire.aborted for wire in route.wires] == [False, True]


@pytest.mark.parametrize("heard", [True, False], ids=["through the loop", "only by the system"])
async def test_a_server_that_closes_an_idle_connection_is_noticed(heard: bool) -> None:
    ends: list[socket.socket] = []

    async def connect(_: float) -> HttpConnection:
        ours, theirs = socket.socketpair()
        ends.append(theirs)
        transport, wire = await asyncio.get_running_loop().create_connection(Wire, sock=ours)
        assert transport is wire.transport
        return HttpConnection(wire)

    async with asyncio.timeout(stretched(DEADLINE)):
        connections = lending(SimpleNamespace(connect=connect))
        first = await connections.take(urgent=False)
        connections.give_back(first, OK, urgent=False)
        assert await connections.take(urgent=False) is first
        connections.give_back(first, OK, urgent=False)
        ends[0].close()
        if heard:
            while first._wire.transport and not first._wire.transport.is_closing():
                await asyncio.wait({asyncio.ensure_future(first._wire.read())})
        second = await connections.take(urgent=False)
        assert second is not first
        connections.give_back(second, None, urgent=False)
        ends[1].close()


# -- how long


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (OK, 4),
        (keep_alive(b"timeout=5"), 4),
        (keep_alive(b"timeout=5, max=100"), 4),
        (keep_alive(b"max=100, timeout = 20"), 19),
        (keep_alive(b"timeout=600"), 50),
        (keep_alive(b"max=100"), 4),
        (keep_alive(b"timeout=soon"), 4),
        (keep_alive(b"mytimeout=5"), 4),
    ],
)
async def test_an_idle_connection_is_kept(answer: h11.Response, seconds: float, clock: SimpleNamespace) -> None:
    route = FakeWay()
    connections = lending(route)
    first = await connections.take(urgent=False)
    connections.give_back(first, answer, urgent=False)
    clock.now += seconds - 0.01
    assert await connections.take(urgent=False) is first
    connections.give_back(first, answer, urgent=False)
    clock.now += seconds
    assert await connections.take(urgent=False) is not first
    assert route.wires[0].aborted


@pytest.mark.parametrize("value", [b"timeout=0", b"timeout=1"])
async def test_a_server_that_keeps_connections_for_a_moment_only_gets_a_new_one(
    value: bytes, clock: SimpleNamespace
) -> None:
    connections = lending(FakeWay())
    first = await connections.take(urgent=False)
    connections.give_back(first, keep_alive(value), urgent=False)
    assert await connections.take(urgent=False) is not first


# -- how many


async def test_one_too_many_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    async with asyncio.timeout(stretched(DEADLINE)):
        connections = lending(FakeWay())
        first = await connections.take(urgent=False)
        await connections.take(urgent=False)
        third = asyncio.create_task(connections.take(urgent=False))
        assert not await wait_a_moment(third)
        connections.give_back(first, OK, urgent=False)
        assert await third is first


async def test_an_urgent_one_never_waits_and_makes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 1)
    async with asyncio.timeout(stretched(DEADLINE)):
        connections = lending(FakeWay())
        await connections.take(urgent=False)
        urgent = await connections.take(urgent=True)
        connections.give_back(urgent, OK, urgent=True)
        waiting = asyncio.create_task(connections.take(urgent=False))
        assert not await wait_a_moment(waiting)
        assert await connections.take(urgent=True) is urgent
        waiting.cancel()


async def test_a_connection_that_does_not_come_about_makes_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 1)
    problem = NotConnected(ConnectionRefusedError(), at_proxy=False)
    async with asyncio.timeout(stretched(DEADLINE)):
        connections = lending(FakeWay(problem, problem))
        with pytest.raises(NotConnected):
            await connections.take(urgent=True)
        with pytest.raises(NotConnected):
            await connections.take(urgent=False)
        await connections.take(urgent=False)
        waiting = asyncio.create_task(connections.take(urgent=False))
        assert not await wait_a_moment(waiting), "room was made for more than before"
        waiting.cancel()


async def test_giving_up_while_connecting_makes_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 1)
    stuck = asyncio.Event()

    async def connect(_: float) -> HttpConnection:
        await stuck.wait()
        return HttpConnection(ScriptedWire())

    async with asyncio.timeout(stretched(DEADLINE)):
        connections = lending(SimpleNamespace(connect=connect))
        for _ in range(2):
            taking = asyncio.create_task(connections.take(urgent=False))
            assert not await wait_a_moment(taking)
            taking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await taking
        stuck.set()
        await connections.take(urgent=False)


# -- dropping them


async def test_idle_connections_are_dropped() -> None:
    route = FakeWay()
    connections = lending(route)
    first = await connections.take(urgent=False)
    connections.give_back(first, OK, urgent=False)
    connections.drop_idle()
    assert route.wires[0].aborted
    assert await connections.take(urgent=False) is not first


async def test_lent_connections_are_dropped_when_they_come_back() -> None:
    route = FakeWay()
    connections = lending(route)
    before = await connections.take(urgent=False)
    connections.drop_idle()
    assert not route.wires[0].aborted
    after = await connections.take(urgent=False)
    connections.give_back(before, OK, urgent=False)
    connections.give_back(after, OK, urgent=False)
    assert [wire.aborted for wire in route.wires] == [True, False]
    assert await connections.take(urgent=False) is after


async def test_over_real_sockets() -> None:
    answers = Answers(response(b"1"), response(b"2"), response(b"3", b"connection: close"), response(b"4"))
    async with RawServer(answers) as server:
        connections = Connections(Route(Origin("http", "127.0.0.1", server.port), None, None), stretched(DEADLINE))
        used = []
        for _ in range(4):
            connection = await connections.take(urgent=False)
            head = await connection.request(b"GET", b"/", [(b"host", b"x")], None, None)
            assert [piece async for piece in connection.body()]
            used.append(connection)
            connections.give_back(connection, head, urgent=False)
        assert used[0] is used[1] is used[2]
        assert used[3] is not used[2]
        assert len(server.peers) == 2
        connections.drop_idle()
