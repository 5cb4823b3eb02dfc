"""The least there can be: the same exchange over bare keep-alive sockets in the bench itself, no HTTP client at all."""

from __future__ import annotations

import select
import socket
import time
from urllib.parse import urlsplit

from scripts.benchmark import messages, processes
from scripts.benchmark.messages import ColumnError

_HEAD_END = b"\r\n\r\n"


class Exchange:
    """One keep-alive connection; what it reads is put together as a bridge's host does it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._read = bytearray()

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def send(self, request: bytes) -> None:
        """Send a request; it fits the socket's buffer."""
        self._socket.sendall(request)

    def receive(self, deadline: float) -> bytes:
        """Return what came next; raises `ColumnError` at the deadline or at the connection's end."""
        left = deadline - time.monotonic()
        if left <= 0 or not self._poll.poll(left * 1000):
            raise ColumnError("no answer in time")
        chunk = self._socket.recv(messages.READ_BYTES)
        if not chunk:
            raise ColumnError("the connection ended")
        return chunk

    def small_answer(self, deadline: float) -> tuple[bytes, bytes] | None:
        """Read once; return head and body if the answer is whole. Call again if it is not."""
        self._read += self.receive(deadline)
        end = self._read.find(_HEAD_END)
        if end < 0:
            return None
        head = bytes(self._read[:end])
        size = end + len(_HEAD_END) + content_length(head)
        if len(self._read) < size:
            return None
        body = bytes(self._read[end + len(_HEAD_END) : size])
        del self._read[:size]
        return head, body

    def head(self, deadline: float) -> tuple[bytes, bytes]:
        """Return an answer's head, and what came along of its body."""
        read = b""
        while (end := read.find(_HEAD_END)) < 0:
            read += self.receive(deadline)
        return read[:end], read[end + len(_HEAD_END) :]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def header(head: bytes, name: bytes) -> bytes:
    """Return a header's value, empty if it is not there."""
    for line in head.split(b"\r\n")[1:]:
        found, _, value = line.partition(b":")
        if found.strip().lower() == name:
            return value.strip()
    return b""


def content_length(head: bytes) -> int:
    """Return how long the body is."""
    return int(header(head, b"content-length") or b"0")


class Chunks:
    """Takes the chunked framing off a body, piece by piece."""

    def __init__(self) -> None:
        self._rest = b""
        self.ended = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the chunks that are whole now."""
        data = self._rest + data if self._rest else data
        chunks, position = [], 0
        while (line_end := data.find(b"\r\n", position)) >= 0:
            begin = line_end + 2
            size = int(data[position:line_end], 16)
            if len(data) < begin + size + 2:
                break
            position = begin + size + 2
            if size == 0:
                self.ended = True
                break
            chunks.append(data[begin : begin + size])
        self._rest = data[position:]
        return chunks


class SocketsDriver:
    """Bare sockets as a column of their own."""

    def __init__(self, url: str, patience: float = 60.0) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n".encode()
        self._session = b""
        self._patience = patience
        self._next_id = 0
        self._exchanges: list[Exchange] = []

    def start(self) -> int:
        """Connect and open a session; return the time until `initialize` was answered."""
        self.close()
        begun = time.perf_counter_ns()
        exchange = self._exchange()
        head, body = self._small(exchange, messages.initialize(self._new_id()))
        took = time.perf_counter_ns() - begun
        messages.check_answer(body, self._next_id)
        self._session = b"Mcp-Session-Id: " + header(head, b"mcp-session-id") + b"\r\n"
        self._small(exchange, messages.INITIALIZED)
        return took

    def call(self) -> int:
        """Return the time of one small call."""
        request_id = self._new_id()
        begun = time.perf_counter_ns()
        _, body = self._small(self._exchange(), messages.echo(request_id))
        took = time.perf_counter_ns() - begun
        messages.check_echo(body, request_id)
        return took

    def big(self) -> int:
        """Return the time from the request to the big answer's last byte, put together."""
        exchange, request_id, deadline = self._exchange(), self._new_id(), self._deadline()
        begun = time.perf_counter_ns()
        exchange.send(self._request(messages.big(request_id)))
        head, first = exchange.head(deadline)
        parts, size = [first], content_length(head)
        read = len(first)
        while read < size:
            parts.append(exchange.receive(deadline))
            read += len(parts[-1])
        body = b"".join(parts)
        took = time.perf_counter_ns() - begun
        messages.check_big(body, request_id)
        return took

    def parallel(self, total: int, in_flight: int) -> int:
        """Return the time of `total` calls on `in_flight` connections, opened before the clock starts."""
        while len(self._exchanges) < in_flight:
            self._exchanges.append(Exchange(self._address))
        exchanges = {exchange.fileno(): exchange for exchange in self._exchanges[:in_flight]}
        poll = select.poll()
        for descriptor in exchanges:
            poll.register(descriptor, select.POLLIN)
        deadline = self._deadline()
        sent = answered = 0
        begun = time.perf_counter_ns()
        for exchange in exchanges.values():
            exchange.send(self._request(messages.echo(self._new_id())))
            sent += 1
        while answered < total:
            for descriptor, _ in poll.poll(self._patience * 1000):
                exchange = exchanges[descriptor]
                answer = exchange.small_answer(deadline)
                if answer is None:
                    continue
                messages.echoed(answer[1])
                answered += 1
                if sent < total:
                    exchange.send(self._request(messages.echo(self._new_id())))
                    sent += 1
        return time.perf_counter_ns() - begun

    def progress(self, count: int) -> int:
        """Return the time until all events were read and the last one's answer was there."""
        exchange, request_id, deadline = self._exchange(), self._new_id(), self._deadline()
        events: list[bytes] = []
        chunks = Chunks()
        begun = time.perf_counter_ns()
        exchange.send(self._request(messages.progress(request_id, count)))
        _, data = exchange.head(deadline)
        events += chunks.feed(data)
        while not chunks.ended:
            events += chunks.feed(exchange.receive(deadline))
        took = time.perf_counter_ns() - begun
        data_lines = [event.split(b"data: ", 1)[1].rstrip() for event in events]
        if len(data_lines) != count + 1 or not messages.check_answer(data_lines[-1], request_id):
            raise ColumnError("notifications were lost")
        return took

    def usage(self) -> processes.Usage:
        """Raise: the sockets have no process of their own."""
        raise ColumnError("has no process of its own")

    def settled(self) -> processes.Usage:
        """Raise: the sockets have no process of their own."""
        return self.usage()

    def alive(self) -> bool:
        """Return whether a session is open."""
        return bool(self._session and self._exchanges)

    def close(self) -> None:
        """Close every connection."""
        for exchange in self._exchanges:
            exchange.close()
        self._exchanges.clear()
        self._session = b""

    def _exchange(self) -> Exchange:
        if not self._exchanges:
            self._exchanges.append(Exchange(self._address))
        return self._exchanges[0]

    def _small(self, exchange: Exchange, message: bytes) -> tuple[bytes, bytes]:
        deadline = self._deadline()
        exchange.send(self._request(message))
        while (answer := exchange.small_answer(deadline)) is None:
            pass
        return answer

    def _request(self, body: bytes) -> bytes:
        head = (
            b"Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        return self._head + self._session + head + body

    def _deadline(self) -> float:
        return time.monotonic() + self._patience

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id
