"""The link with a delay: what a round trip costs, counted, and that nothing else of a connection is changed by it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import trustme

from scripts.benchmark.far_link import ONE_WAY, far_link
from scripts.environment import ROOT
from tests.support.waits import stretched

_ROUND_TRIP = 2 * ONE_WAY
# Of a round trip, for what the two ends and the relay do themselves.
_SLACK = 0.4
_TRYING = 20.0


@contextlib.contextmanager
def _serving(serve: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, int]]:
    """A server whose every connection is `serve`d in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.settimeout(stretched(20))
            # Without this a second small write waits for the acknowledgement of the first.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve(tls.wrap_socket(sock, server_side=True) if tls else sock)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()
    finally:
        # Closing alone does not wake the thread that accepts.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _echo(sock: socket.socket) -> None:
    with sock:
        while data := sock.recv(65536):
            sock.sendall(data)


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=stretched(20))


def _asked(sock: socket.socket) -> None:
    sock.sendall(b"?")
    assert sock.recv(1) == b"?"


def _clocked(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def _takes(round_trips: float, measure: Callable[[], float]) -> None:
    """Never less than that; and, in the best of all tries, for the machine may be busy, not much more."""
    end = time.monotonic() + stretched(_TRYING)
    while (took := measure() / _ROUND_TRIP) >= round_trips + _SLACK:
        assert time.monotonic() < end, f"{took:.2f} round trips instead of {round_trips}"
    assert took >= round_trips


def test_connecting_and_a_request_take_two_round_trips_and_the_next_request_one() -> None:
    with _serving(_echo) as server, far_link(server) as port:

        def first() -> float:
            began = time.monotonic()
            with _connected(port) as sock:
                _asked(sock)
                return time.monotonic() - began

        _takes(2, first)
        with _connected(port) as sock:
            _asked(sock)
            _takes(1, lambda: _clocked(lambda: _asked(sock)))


def test_tls_1_3_takes_one_round_trip_more() -> None:
    authority = trustme.CA()
    server_tls, client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    authority.configure_trust(client_tls)
    with _serving(_echo, server_tls) as server, far_link(server) as port:

        def first() -> float:
            began = time.monotonic()
            with client_tls.wrap_socket(_connected(port), server_hostname="127.0.0.1") as sock:
                _asked(sock)
                assert sock.version() == "TLSv1.3"
                return time.monotonic() - began

        _takes(3, first)


def test_connections_that_are_opened_at_once_do_not_wait_for_each_other() -> None:
    with _serving(_echo) as server, far_link(server) as port:

        def crowd() -> float:
            began = time.monotonic()
            with contextlib.ExitStack() as opened:
                socks = [opened.enter_context(_connected(port)) for _ in range(20)]
                for sock in socks:
                    sock.sendall(b"?")
                for sock in socks:
                    assert sock.recv(1) == b"?"
                return time.monotonic() - began

        _takes(2, crowd)


def test_a_server_that_speaks_first_is_heard_after_the_round_trip_of_connecting() -> None:
    with _serving(lambda sock: sock.sendall(b"hello")) as server, far_link(server) as port:

        def greeted() -> float:
            began = time.monotonic()
            with _connected(port) as sock:
                assert sock.recv(5) == b"hello"
                return time.monotonic() - began

        _takes(1, greeted)


def test_the_delay_does_not_limit_the_throughput() -> None:
    """A relay with one chunk of a quarter of a megabyte on its way would need 80 round trips each way."""
    sent = bytes(range(256)) * 80 * 1024
    received = bytearray()
    with _serving(_echo) as server, far_link(server) as port, _connected(port) as sock:

        def there_and_back() -> None:
            writer = threading.Thread(target=sock.sendall, args=(sent,))
            writer.start()
            while len(received) < len(sent):
                received.extend(sock.recv(1 << 20))
            writer.join()

        assert _clocked(there_and_back) < stretched(3)
    assert received == sent


def test_a_receiver_that_does_not_read_stops_the_sender() -> None:
    def wait(_: socket.socket) -> None:
        stop.wait(stretched(20))

    stop, sent = threading.Event(), 0
    with _serving(wait) as server, far_link(server, 0.001) as port, _connected(port) as sock:
        sock.settimeout(stretched(1))
        with contextlib.suppress(TimeoutError):
            while sent < 200_000_000:
                sent += sock.send(bytes(1 << 20))
        stop.set()
    assert 16_000_000 < sent < 100_000_000


def test_the_end_of_a_stream_comes_a_way_later_behind_its_bytes_and_leaves_the_other_way_open() -> None:
    def last_words(sock: socket.socket) -> None:
        assert sock.recv(1) == b"?"
        sock.sendall(b"bye")
        sock.shutdown(socket.SHUT_WR)
        heard.append(sock.recv(1))
        heard.append(sock.recv(1))

    heard: list[bytes] = []
    with _serving(last_words) as server, far_link(server) as port, _connected(port) as sock:
        sock.sendall(b"?")
        assert _clocked(lambda: sock.recv(16)) >= _ROUND_TRIP
        assert sock.recv(16) == b""
        sock.sendall(b"!")
        sock.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + stretched(10)
        while len(heard) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
    assert heard == [b"!", b""]


def test_a_reset_comes_as_a_reset_behind_the_bytes_before_it() -> None:
    def slam(sock: socket.socket) -> None:
        sock.recv(1)
        sock.sendall(b"bye")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    with _serving(slam) as server, far_link(server) as port, _connected(port) as sock:
        sock.sendall(b"?")
        assert _clocked(lambda: sock.recv(3)) >= _ROUND_TRIP
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_a_clients_reset_reaches_the_server() -> None:
    def wait(sock: socket.socket) -> None:
        sock.recv(1)
        try:
            sock.recv(1)
        except ConnectionResetError:
            reset.set()

    reset = threading.Event()
    with _serving(wait) as server, far_link(server) as port:
        with _connected(port) as sock:
            sock.sendall(b"?")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert reset.wait(stretched(10))


def test_a_server_that_is_not_there_refuses_after_a_round_trip() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = listener.getsockname()
    with far_link(nobody) as port, _connected(port) as sock:
        began = time.monotonic()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert time.monotonic() - began >= _ROUND_TRIP


def test_a_request_that_crosses_the_servers_end_of_the_connection_is_reset_and_never_read() -> None:
    """What happens to a connection kept a moment too long: the client cannot know, and the server never ran it."""

    def close_after_one(sock: socket.socket) -> None:
        _asked_of(sock)
        sock.close()
        closed.set()

    def _asked_of(sock: socket.socket) -> None:
        read.append(sock.recv(16))
        sock.sendall(b"answer")

    closed, read = threading.Event(), list[bytes]()
    with _serving(close_after_one) as server, far_link(server, 0.2) as port, _connected(port) as sock:
        sock.sendall(b"first")
        assert closed.wait(stretched(10))
        sent = time.monotonic()
        # The answer and the end behind it have a way to go.
        sock.sendall(b"second")
        assert sock.recv(16) == b"answer"
        assert sock.recv(16) == b""
        deadline = sent + stretched(10)
        while not (error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert error
        assert time.monotonic() - sent >= 0.4
    assert read == [b"first"]


def test_as_a_process_it_says_where_it_listens_and_ends_with_its_standard_input() -> None:
    with _serving(_echo) as server:
        command = [sys.executable, "-m", "scripts.benchmark.far_link", server[0], str(server[1]), "--one-way", "0.05"]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            with _connected(int(process.stdout.readline())) as sock:
                assert _clocked(lambda: _asked(sock)) >= 0.2
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(stretched(10)) == 0
