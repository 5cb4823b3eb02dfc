"""One connection of the thin server: HTTP/1.1 requests in, answers out, with TLS or without."""

from __future__ import annotations

import socket
import ssl
from collections import deque
from dataclasses import dataclass, field

from scripts.benchmark.messages import READ_BYTES

# What a socket that does not block says when it has to wait, bare or in TLS.
_WAITS = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass
class Endpoint:
    """What one path has seen: open sessions, open streams, requests, and tools that were run."""

    sessions: set[str] = field(default_factory=set)
    streams: int = 0
    requests: int = 0
    calls: int = 0


@dataclass
class Request:
    """One parsed HTTP request."""

    verb: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """One keep-alive HTTP/1.1 connection: reads requests, queues answers, writes what the socket takes."""

    def __init__(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The handshake is done by the first reads.
        self.sock = (
            tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True)
            if tls
            else sock
        )
        self.closed = False
        self.unread = bytearray()
        self.unsent: deque[memoryview] = deque()
        self.stream_of: Endpoint | None = None
        self.answers = 0
        """How many were queued, so that a later one is told from the one before."""

    def read(self) -> bool:
        """Take in what has come; return False at the end. Raises `OSError` when the connection broke."""
        try:
            data = self.sock.recv(READ_BYTES)
            self.unread += data
            # TLS may hold back more than was asked for, and the selector does not know of it.
            while data and isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
                self.unread += self.sock.recv(READ_BYTES)
        except _WAITS:
            return True
        return bool(data)

    def next_request(self) -> Request | None:
        """Take the next whole request out of what was read, if there is one."""
        end = self.unread.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self.unread[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        # Columns send small requests of known length; chunked ones would have to be read differently.
        length = int(headers.get("content-length", "0"))
        if len(self.unread) < end + 4 + length:
            return None
        body = bytes(self.unread[end + 4 : end + 4 + length])
        del self.unread[: end + 4 + length]
        verb, path, _ = first.split(" ", 2)
        return Request(verb, path, headers, body)

    def send(self, *parts: bytes) -> None:
        """Queue bytes, each part a write of its own."""
        self.answers += 1
        self.unsent.extend(memoryview(part) for part in parts)

    def answer(self, status: str, body: bytes = b"", extra: bytes = b"") -> None:
        """Queue a whole answer."""
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n"
        self.send(head % (status.encode(), len(body), extra) + body)

    def flush(self) -> bool:
        """Write what the socket takes; return whether everything went."""
        while self.unsent:
            part = self.unsent[0]
            try:
                sent = self.sock.send(part)
            except _WAITS:
                return False
            if sent < len(part):
                self.unsent[0] = part[sent:]
            else:
                self.unsent.popleft()
        return True
