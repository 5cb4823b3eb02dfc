"""The least a bridge can be: copies one request at a time up, and the bytes of its answer down, unread.

Not a bridge anybody could use: it knows one session, no errors, no streams, and sends up one request at a
time however many the host has in flight. It shows how much of a column's time is the second process and its
pipes, which no bridge can avoid. Notifications it cannot do; that row stays empty. Runs without the project.
"""

from __future__ import annotations

import os
import socket
import sys
from urllib.parse import urlsplit

_READ_BYTES = 64 * 1024


def main(url: str) -> None:
    """Relay standard input to `url` until it ends."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    fixed = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"
    ).encode()
    session = b""
    for line in sys.stdin.buffer:
        body = line.rstrip(b"\n")
        connection.sendall(b"%b%bContent-Length: %d\r\n\r\n%b" % (fixed, session, len(body), body))
        read = b""
        while (end := read.find(b"\r\n\r\n")) < 0:
            read += connection.recv(_READ_BYTES)
        headers = _headers(read[:end])
        if b"mcp-session-id" in headers:
            session = b"Mcp-Session-Id: %b\r\n" % headers[b"mcp-session-id"]
        _copy(connection, read[end + 4 :], int(headers[b"content-length"]))


def _headers(head: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _copy(connection: socket.socket, first: bytes, size: int) -> None:
    """Copy a body of `size` bytes to standard output as one line; nothing for an empty one."""
    if not size:
        return
    left, piece = size, first
    while True:
        left -= len(piece)
        _write(piece + b"\n" if left == 0 else piece)
        if left == 0:
            return
        piece = connection.recv(_READ_BYTES)


def _write(piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    main(sys.argv[1])
