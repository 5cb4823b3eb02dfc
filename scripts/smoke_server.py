"""The smoke test's remote end, on this machine and of the standard library only: an MCP server, and one behind OAuth.

`/mcp` is open. `/private/mcp` wants a token, which the authorization server beside it gives to whoever asks: it
registers any client, consents at once, and remembers nothing.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import secrets
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

TOKEN = "smoke-" + secrets.token_hex(8)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # An answer in one piece: in two, the second would wait for the first one's acknowledgement.

    @property
    def _origin(self) -> str:
        assert isinstance(self.server, http.server.HTTPServer)  # noqa: S101 - it serves nothing else
        return f"http://127.0.0.1:{self.server.server_port}"

    def do_GET(self) -> None:
        """Answer for metadata and consent; there is no stream to listen to."""
        parts = urlsplit(self.path)
        if parts.path.startswith("/.well-known/oauth-protected-resource"):
            resource = f"{self._origin}/private/mcp"
            self._json({"resource": resource, "authorization_servers": [self._origin]})
        elif parts.path.startswith("/.well-known/oauth-authorization-server"):
            self._json(self._metadata())
        elif parts.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            answer = urlencode({"code": "smoke", "state": asked["state"], "iss": self._origin})
            self._send(302, {"Location": f"{asked['redirect_uri']}?{answer}"})
        else:
            self._send(405)

    def do_DELETE(self) -> None:
        """There are no sessions to end."""
        self._send(405)

    def do_POST(self) -> None:
        """Answer a message, a registration or a request for a token."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/register":
            asked = json.loads(body)
            self._json({"client_id": "smoke", "redirect_uris": asked["redirect_uris"]}, 201)
        elif self.path == "/token":
            self._json({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})
        elif self.path == "/private/mcp" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            where = f"{self._origin}/.well-known/oauth-protected-resource/private/mcp"
            self._send(401, {"WWW-Authenticate": f'Bearer resource_metadata="{where}"'})
        else:
            self._message(json.loads(body))

    def _message(self, message: dict[str, Any]) -> None:
        if "id" not in message or "method" not in message:
            self._send(202)
            return
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        result = self._result(message["method"], message.get("params") or {})
        self._json(answer | ({"error": {"code": -32601, "message": "no"}} if result is None else {"result": result}))

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        match method:
            case "initialize":
                info = {"name": "smoke", "version": "1"}
                return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
            case "tools/list":
                return {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}
            case "tools/call":
                return {"content": [{"type": "text", "text": json.dumps(params.get("arguments"))}]}
            case "ping":
                return {}
        return None

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self._origin,
            "authorization_endpoint": f"{self._origin}/authorize",
            "token_endpoint": f"{self._origin}/token",
            "registration_endpoint": f"{self._origin}/register",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _send(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """A server that says nothing of connections that a killed program left behind."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: what a row wants is asked of the program."""


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Serve; yields the origin."""
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
