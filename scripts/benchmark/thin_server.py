"""A Streamable HTTP server that does next to nothing, so that what is measured is whoever talks to it.

Run as a process of its own: ``python -m scripts.benchmark.thin_server`` prints its port and ends at the end
of its standard input. One thread, one selector, no framework. Each path below ``/mcp/`` is a stateful endpoint
of its own (`Mcp-Session-Id`), so columns cannot disturb one another, and each below ``/modern/`` one of MCP
2026-07-28; ``GET /state`` tells what each path has seen. Calls are answered with JSON; progress notifications
over SSE, every event a chunk and a write of its own, as real servers send them. Bodies that cost time to make
are made before anyone asks. Paths below ``/kept/`` are modern ones whose results may be kept for an hour. Those below
``/many/`` and ``/odd/`` are stateful ones with a long list of tools; below ``/odd/`` each has a schema that some hosts
refuse.

With ``--certificate FILE`` it speaks TLS. With ``--idle-seconds N`` it closes a connection that many seconds after
its last answer and does not announce it, as uvicorn does after 5.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import selectors
import socket
import ssl
import sys
import time
from collections import deque
from dataclasses import asdict
from typing import Any

from scripts.benchmark import modern_answers
from scripts.benchmark.messages import BIG_RESULT_BYTES, MANY_TOOLS, PROTOCOL_VERSION, encode
from scripts.benchmark.thin_connection import Connection, Endpoint, Request

# Text as tools return it: lines, quotes and some letters beyond ASCII, so that a column which decodes it and
# encodes it again pays for that.
_LINE = '2026-01-31 12:00:00 "GET /reports/42" 200 - résumé sent to \\\\archive\\2026\n'

_TOOLS = [
    {"name": name, "description": f"{name}s", "inputSchema": {"type": "object"}} for name in ("echo", "big", "progress")
]


_STATEFUL = ("/mcp/", "/many/", "/odd/")


def _many_tools(*, is_odd: bool) -> bytes:
    tools = []
    for number in range(MANY_TOOLS):
        properties = {
            name: {"type": "string", "description": f"The {name} of the report, as the service's own pages show it."}
            for name in ("account", "period", "format", "language")
        }
        schema: dict[str, Any] = {"properties": properties, "required": ["account"]}
        if not is_odd:
            schema = {"type": "object", **schema}
        description = "Makes a report of one account for a period, and returns it in the wished format."
        tools.append({"name": f"report_{number}", "description": description, "inputSchema": schema})
    return b',"result":' + encode({"tools": tools}) + b"}"


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


class ThinServer:
    """Answers what the bench asks for, from one thread."""

    def __init__(self, tls: ssl.SSLContext | None = None, idle_seconds: float | None = None) -> None:
        self.tls = tls
        self.idle_seconds = idle_seconds
        # When to look whether a connection is idle still: the same time after each answer, so in order.
        self.idle: deque[tuple[float, Connection, int]] = deque()
        self.selector = selectors.DefaultSelector()
        self.endpoints: dict[str, Endpoint] = {}
        self.big_tail = _big_tail()
        self.lists = {"/many/": _many_tools(is_odd=False), "/odd/": _many_tools(is_odd=True)}
        # Made once for every count and token; a warm-up call has them made before a measured one.
        self.events: dict[tuple[int, bytes], list[bytes]] = {}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)

    def serve(self, until: int) -> None:
        """Serve until the file descriptor `until` says end of file."""
        self.selector.register(until, selectors.EVENT_READ)
        while True:
            for key, mask in self.selector.select(self._until_idle()):
                if key.fileobj == until:
                    if not os.read(until, 1024):
                        return
                elif key.fileobj is self.listener:
                    self._accept()
                else:
                    self._serve_connection(key.data, mask)

    def _until_idle(self) -> float | None:
        """Close what was idle for too long; return the seconds until the next may be."""
        while self.idle:
            when, connection, answers = self.idle[0]
            if (left := when - time.monotonic()) > 0:
                return left
            self.idle.popleft()
            busy = connection.stream_of or connection.unsent or connection.unread
            if not connection.closed and connection.answers == answers and not busy:
                self._drop(connection)
        return None

    def _accept(self) -> None:
        # A client may be gone again by now.
        with contextlib.suppress(OSError):
            connection = Connection(self.listener.accept()[0], self.tls)
            self.selector.register(connection.sock, selectors.EVENT_READ, connection)

    def _serve_connection(self, connection: Connection, mask: int) -> None:
        answers = connection.answers
        try:
            if mask & selectors.EVENT_READ:
                if not connection.read():
                    self._drop(connection)
                    return
                while (request := connection.next_request()) is not None:
                    self._handle(connection, request)
            wanted = selectors.EVENT_READ
            if not connection.flush():
                wanted |= selectors.EVENT_WRITE
            if wanted != self.selector.get_key(connection.sock).events:
                self.selector.modify(connection.sock, wanted, connection)
        except OSError:
            self._drop(connection)
            return
        if self.idle_seconds is not None and connection.answers > answers:
            self.idle.append((time.monotonic() + self.idle_seconds, connection, connection.answers))

    def _drop(self, connection: Connection) -> None:
        if connection.stream_of is not None:
            connection.stream_of.streams -= 1
        connection.closed = True
        self.selector.unregister(connection.sock)
        connection.sock.close()

    def _handle(self, connection: Connection, request: Request) -> None:
        if request.path == "/state":
            state = {path: asdict(endpoint) for path, endpoint in self.endpoints.items()}
            for entry in state.values():
                entry["sessions"] = len(entry["sessions"])
            connection.answer("200 OK", encode(state))
            return
        if not request.path.startswith((*_STATEFUL, "/modern/", "/kept/")):
            connection.answer("404 Not Found")
            return
        endpoint = self.endpoints.setdefault(request.path, Endpoint())
        endpoint.requests += 1
        if not request.path.startswith(_STATEFUL):
            self._modern(connection, endpoint, request)
            return
        session = request.headers.get("mcp-session-id")
        if request.verb == "POST":
            message = json.loads(request.body)
            if message.get("method") == "initialize":
                self._initialize(connection, endpoint, message)
                return
            if session in endpoint.sessions:
                many = self.lists.get(request.path[: request.path.find("/", 1) + 1])
                if many is not None and message.get("method") == "tools/list":
                    front = b'{"jsonrpc":"2.0","id":' + json.dumps(message["id"]).encode()
                    connection.answer("200 OK", front + many)
                    return
                self._message(connection, endpoint, message)
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
        elif (result := modern_answers.result(message, kept=request.path.startswith("/kept/"))) is None:
            error = {"code": -32601, "message": "Method not found"}
            connection.answer("404 Not Found", encode({"jsonrpc": "2.0", "id": message["id"], "error": error}))
        else:
            endpoint.calls += message["method"] == "tools/call"
            connection.answer("200 OK", encode({"jsonrpc": "2.0", "id": message["id"], "result": result}))

    def _message(self, connection: Connection, endpoint: Endpoint, message: dict[str, Any]) -> None:
        if "id" not in message or "method" not in message:
            connection.answer("202 Accepted")
            return
        request_id = message["id"]
        params = message.get("params") or {}
        result: dict[str, Any] | None = {"ping": {}, "tools/list": {"tools": _TOOLS}}.get(message["method"])
        if message["method"] == "tools/call":
            endpoint.calls += 1
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


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="thin_server")
    parser.add_argument("--certificate", metavar="FILE", help="speak TLS with this certificate and key (PEM)")
    parser.add_argument("--idle-seconds", type=float, help="close a connection this long after its last answer")
    options = parser.parse_args()
    tls = None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate)
    server = ThinServer(tls, options.idle_seconds)
    print(server.listener.getsockname()[1], flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve(sys.stdin.fileno())


if __name__ == "__main__":
    main()
