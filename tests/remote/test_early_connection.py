"""A connection that is begun in a thread before there is an event loop, and who ends up with its socket."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bridge.remote import early_connection as begun_module
from bridge.remote.early_connection import EarlyConnection
from tests.support.waits import stretched

SECONDS = stretched(20)

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        yield server


def address(port: int) -> Address:
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: Address) -> None:
    def resolve(host: bytes, port: int, **_: object) -> list[Address]:
        return list(addresses)

    monkeypatch.setattr("bridge.remote.early_connection.socket.getaddrinfo", resolve)


class SilentPort:
    """A port that takes no connection and refuses none: its queue is full."""

    def __init__(self) -> None:
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", 0))
        self.server.listen(0)
        self.port: int = self.server.getsockname()[1]
        self.guests = []
        for _ in range(8):
            guest = socket.socket()
            guest.setblocking(False)
            guest.connect_ex(("127.0.0.1", self.port))
            self.guests.append(guest)
        time.sleep(0)

    def close(self) -> None:
        for sock in (*self.guests, self.server):
            sock.close()


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def taken(connection: EarlyConnection) -> socket.socket | None:
    return asyncio.run(asyncio.wait_for(connection.taken(), SECONDS))


def is_over(connection: EarlyConnection) -> bool:
    return connection._is_over


def is_closed_by_us(peer: socket.socket) -> bool:
    peer.settimeout(SECONDS)
    return peer.recv(1) == b""


def test_the_socket_is_connected_before_it_is_asked_for(listener: socket.socket) -> None:
    connection = EarlyConnection("127.0.0.1", listener.getsockname()[1], SECONDS)
    peer, _ = listener.accept()
    with peer:
        until(lambda: is_over(connection))
        sock = taken(connection)
        assert sock is not None
        with sock:
            assert sock.getpeername() == listener.getsockname()
            assert taken(connection) is None
            connection.close()
            sock.sendall(b"x")
            assert peer.recv(1) == b"x"


def test_who_asks_first_waits_for_it(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    may_resolve = threading.Event()

    def resolve(host: bytes, port: int, **_: object) -> list[Address]:
        may_resolve.wait(SECONDS)
        return [address(port)]

    monkeypatch.setattr("bridge.remote.early_connection.socket.getaddrinfo", resolve)
    connection = EarlyConnection("name.example", listener.getsockname()[1], SECONDS)

    async def scenario() -> socket.socket | None:
        waiting = asyncio.ensure_future(connection.taken())
        await asyncio.sleep(0)
        may_resolve.set()
        return await asyncio.wait_for(waiting, SECONDS)

    sock = asyncio.run(scenario())
    assert sock is not None
    sock.close()


@pytest.mark.parametrize("ends", ["given up", "loop closed"])
def test_a_socket_that_nobody_waits_for_any_more_is_closed(
    ends: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_resolve = threading.Event()

    def resolve(host: bytes, port: int, **_: object) -> list[Address]:
        may_resolve.wait(SECONDS)
        return [address(port)]

    monkeypatch.setattr("bridge.remote.early_connection.socket.getaddrinfo", resolve)
    connection = EarlyConnection("name.example", listener.getsockname()[1], SECONDS)

    async def scenario() -> None:
        waiting = asyncio.ensure_future(connection.taken())
        await asyncio.sleep(0)
        if ends == "given up":
            waiting.cancel()
            await asyncio.wait({waiting})

    asyncio.run(scenario())
    may_resolve.set()
    peer, _ = listener.accept()
    with peer:
        assert is_closed_by_us(peer)


@pytest.mark.parametrize("is_early", [True, False])
def test_a_connection_that_nobody_takes_is_closed(is_early: bool, listener: socket.socket) -> None:
    connection = EarlyConnection("127.0.0.1", listener.getsockname()[1], SECONDS)
    if not is_early:
        until(lambda: is_over(connection))
    connection.close()
    peer, _ = listener.accept()
    with peer:
        assert is_closed_by_us(peer)
    assert taken(connection) is None


def test_what_fails_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert taken(EarlyConnection("127.0.0.1", closed_port(), SECONDS)) is None
    assert taken(EarlyConnection("b\u00fccher.example", 80, SECONDS)) is None

    def resolve(host: bytes, port: int, **_: object) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr("bridge.remote.early_connection.socket.getaddrinfo", resolve)
    assert taken(EarlyConnection("name.example", 80, SECONDS)) is None


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "LOCALHOST."])
def test_this_machines_own_names_are_not_looked_up(
    host: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: bytes, port: int, **_: object) -> list[Address]:
        raise AssertionError("the system was asked")

    monkeypatch.setattr("bridge.remote.early_connection.socket.getaddrinfo", resolve)
    sock = taken(EarlyConnection(host, listener.getsockname()[1], SECONDS))
    assert sock is not None
    with sock:
        assert sock.getpeername() == listener.getsockname()


def test_an_address_that_refuses_is_followed_by_the_next(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(begun_module, "HEAD_START", SECONDS)
    resolving(monkeypatch, address(closed_port()), address(listener.getsockname()[1]))
    sock = taken(EarlyConnection("name.example", 1, SECONDS))
    assert sock is not None
    with sock:
        assert sock.getpeername() == listener.getsockname()


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue is made in another way there")
def test_an_address_that_says_nothing_gets_the_next_beside_it(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = SilentPort()
    try:
        resolving(monkeypatch, address(silent.port), address(listener.getsockname()[1]))
        sock = taken(EarlyConnection("name.example", 1, SECONDS))
    finally:
        silent.close()
    assert sock is not None
    with sock:
        assert sock.getpeername() == listener.getsockname()


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue is made in another way there")
def test_it_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SilentPort()
    try:
        resolving(monkeypatch, address(silent.port), address(silent.port))
        assert taken(EarlyConnection("name.example", 1, 0.05)) is None
    finally:
        silent.close()


def test_the_kinds_of_addresses_take_turns() -> None:
    six = [(socket.AF_INET6, number) for number in range(3)]
    four = [(socket.AF_INET, number) for number in range(1)]
    assert begun_module._alternating([*six, *four]) == [six[0], four[0], six[1], six[2]]
    assert begun_module._alternating([*four, *six]) == [four[0], six[0], six[1], six[2]]
    assert begun_module._alternating(four) == four
