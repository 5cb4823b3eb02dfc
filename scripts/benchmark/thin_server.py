"""A Streamable HTTP server that does next to nothing, so that what is measured is whoever talks to it.

Run as a process of its own: ``python -m scripts.benchmark.thin_server`` prints its port and ends at the end
of its standard input. One thread, one selector, no framework. Each path below ``/mcp/`` is a stateful endpoint
of its own (`Mcp-Session-Id`), so columns cannot disturb one another, and each below ``/modern/`` one of MCP
2026-07-28; ``GET /state`` tells what each path has seen. Calls are answered with JSON; progress notifications
over SSE, every event a chunk and a write of its own, as real servers send them. Bodies that cost time to make
are made before anyone asks.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from scripts.benchmark import modern_answers
from scripts.benchmark.messages import BIG_RESULT_BYTES, PROTOCOL_VERSION, READ_BYTES, encode

# Text as tools return it: lines, quotes and some letters beyond ASCII, so that a column which decodes it and
# encodes it again pays for that.
_LINE = '2026-01-31 12:00:00 "GET /reports/42" 200 - résumé sent to \\\\archive\\2026\n'

_TOOLS = [
    {"name": name, "description": f"{name}s", "inputSchema": {"type": "object"}} for name in ("echo", "big", "progress")
]


def _big_tail() -> bytes:
    line = json.dumps(_LINE, ensure_ascii=False).encode()
    text = json.dumps(_LINE * (BIG_RESULT_BYTES // (len(line) - 2)), ensure_ascii=False).encode()
    return b',"result":{"content":[{"type":"text","text":' + text + b"}]}}"


def _events(count: int, token: object) -> list[bytes]:
    events = []
    for number in range(1, count + 1):
        params = {"progressToken": token, "progress": number, "total": count}
        message = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        events.append(_chunk(_event(encode(message))))
    return events


def _event(data: bytes) -> bytes:
    return b"event: message\ndata: " + data + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class Endpoint:
    """What one path has seen."""

    sessions: set[str] = field(default_factory=set)
    streams: int = 0
    requests: int = 0


@dataclass
class Request:
    """One parsed HTTP request."""

    verb: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """One keep-alive HTTP/1.1 connection: reads requests, queues answers, writes what the socket takes."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unread = bytearray()
        self.unsent: deque[memoryview] = deque()
        self.stream_of: Endpoint | None = None

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
            except BlockingIOError:
                return False
            if sent < len(part):
                self.unsent[0] = part[sent:]
            else:
                self.unsent.popleft()
        return True


class ThinServer:
    """Answers what the bench asks for, from one thread."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.endpoints: dict[str, Endpoint] = {}
        self.big_tail = _big_tail()
        # Made once for every count and token; a warm-up call has them made before a measured one.
        self.events: dict[tuple[int, bytes], list[bytes]] = {}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)

    def serve(self, until: int) -> None:
        """Serve until the file descriptor `until` says end of file."""
        self.selector.register(until, selectors.EVENT_READ)
        while True:
            for key, mask in self.selector.select():
                if key.fileobj == until:
                    if not os.read(until, 1024):
                        return
                elif key.fileobj is self.listener:
                    self._accept()
                else:
                    self._serve_connection(key.data, mask)

    def _accept(self) -> None:
        sock, _ = self.listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(sock, selectors.EVENT_READ, Connection(sock))

    def _serve_connection(self, connection: Connection, mask: int) -> None:
        try:
            if mask & selectors.EVENT_READ:
                data = connection.sock.recv(READ_BYTES)
                if not data:
                    self._drop(connection)
                    return
                connection.unread += data
                while (request := connection.next_request()) is not None:
                    self._handle(connection, request)
            wanted = selectors.EVENT_READ
            if not connection.flush():
                wanted |= selectors.EVENT_WRITE
            if wanted != self.selector.get_key(connection.sock).events:
                self.selector.modify(connection.sock, wanted, connection)
        except (ConnectionError, TimeoutError):
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if connection.stream_of is not None:
            connection.stream_of.streams -= 1
        self.selector.unregister(connection.sock)
        connection.sock.close()

    def _handle(self, connection: Connection, request: Request) -> None:
        if request.path == "/state":
            state = {path: asdict(endpoint) for path, endpoint in self.endpoints.items()}
            for entry in state.values():
                entry["sessions"] = len(entry["sessions"])
            connection.answer("200 OK", encode(state))
            return
        if not request.path.startswith(("/mcp/", "/modern/")):
            connection.answer("404 Not Found")
            return
        endpoint = self.endpoints.setdefault(request.path, Endpoint())
        endpoint.requests += 1
        if request.path.startswith("/modern/"):
            self._modern(connection, endpoint, request)
            return
        session = request.headers.get("mcp-session-id")
        if request.verb == "POST":
            message = json.loads(request.body)
            if message.get("method") == "initialize":
                self._initialize(connection, endpoint, message)
                return
            if session in endpoint.sessions:
                self._message(connection, message)
                return
        elif session in endpoint.sessions and request.verb == "DELETE":
            endpoint.sessions.discard(session or "")
            connection.answer("200 OK")
            return
        elif session in endpoint.sessions and request.verb == "GET":
            endpoint.streams += 1
            connection.stream_of = endpoint
            connection.send(_stream_head())
            return
        connection.answer("404 Not Found" if session else "400 Bad Request")

    def _initialize(self, connection: Connection, endpoint: Endpoint, message: dict[str, Any]) -> None:
        session = os.urandom(16).hex()
        endpoint.sessions.add(session)
        result = {
            "protocolVersion": PROTOCOL_VERSION,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "thin", "version": "1"},
        }
        answer = encode({"jsonrpc": "2.0", "id": message["id"], "result": result})
        connection.answer("200 OK", answer, f"Mcp-Session-Id: {session}\r\n".encode())

    def _modern(self, connection: Connection, endpoint: Endpoint, request: Request) -> None:
        if request.verb != "POST":
            connection.answer("405 Method Not Allowed")
            return
        message = json.loads(request.body)
        if "id" not in message or "method" not in message:
            connection.answer("202 Accepted")
        elif message["method"] == "subscriptions/listen":
            endpoint.streams += 1
            connection.stream_of = endpoint
            connection.send(_stream_head(), _chunk(_event(encode(modern_answers.acknowledgement(message)))))
        elif (result := modern_answers.result(message)) is None:
            error = {"code": -32601, "message": "Method not found"}
            connection.answer("404 Not Found", encode({"jsonrpc": "2.0", "id": message["id"], "error": error}))
        else:
            connection.answer("200 OK", encode({"jsonrpc": "2.0", "id": message["id"], "result": result}))

    def _message(self, connection: Connection, message: dict[str, Any]) -> None:
        if "id" not in message or "method" not in message:
            connection.answer("202 Accepted")
            return
        request_id = message["id"]
        params = message.get("params") or {}
        result: dict[str, Any] | None = {"ping": {}, "tools/list": {"tools": _TOOLS}}.get(message["method"])
        if message["method"] == "tools/call":
            name, arguments = params["name"], params.get("arguments") or {}
            if name == "big":
                self._big(connection, request_id)
                return
            if name == "progress":
                self._progress(connection, request_id, arguments["count"], params["_meta"]["progressToken"])
                return
            result = {"content": [{"type": "text", "text": arguments["text"]}]}
        if result is None:
            error = {"code": -32601, "message": "Method not found"}
            connection.answer("200 OK", encode({"jsonrpc": "2.0", "id": request_id, "error": error}))
            return
        connection.answer("200 OK", encode({"jsonrpc": "2.0", "id": request_id, "result": result}))

    def _big(self, connection: Connection, request_id: object) -> None:
        front = b'{"jsonrpc":"2.0","id":' + json.dumps(request_id).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        connection.send(head % (len(front) + len(self.big_tail)) + front, self.big_tail)

    def _progress(self, connection: Connection, request_id: object, count: int, token: object) -> None:
        key = (count, encode({"token": token}))
        if key not in self.events:
            self.events[key] = _events(count, token)
        result = {"content": [{"type": "text", "text": "done"}]}
        answer = encode({"jsonrpc": "2.0", "id": request_id, "result": result})
        connection.send(_stream_head(), *self.events[key], _chunk(_event(answer)), b"0\r\n\r\n")


def _stream_head() -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )


if __name__ == "__main__":
    server = ThinServer()
    print(server.listener.getsockname()[1], flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve(sys.stdin.fileno())
