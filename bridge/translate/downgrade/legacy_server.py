"""The session with a legacy server: opened with the first request (MCP 2025-11-25, Lifecycle), then used for all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw

from bridge.errors import SERVER_ERROR, ErrorKind
from bridge.protocol import mcp, writing
from bridge.protocol.jsonrpc import Request, RequestId, Response
from bridge.protocol.sanitize import quoted
from bridge.protocol.surrogates import replaced
from bridge.protocol.writing import Json, Members, members
from bridge.translate import request_meta
from bridge.translate.downgrade import results
from bridge.translate.pending import PendingRequests
from bridge.translate.translator import TranslatorPort, TranslatorRefusal

OnAnswer = Callable[[Response], None]
OnRerouted = Callable[[], list[Request]]
"""Called when the server never accepted a request; returns the host's requests that depended on it."""

_SHUT_DOWN = TranslatorRefusal(
    SERVER_ERROR, ErrorKind.SHUTDOWN, "The bridge ended before the server's session was open."
)
_KEPT_CAPABILITIES = ("tools", "prompts", "resources", "completions", "logging", "experimental", "extensions")


class LegacyServer:
    """One session. `client` are the `capabilities` and `clientInfo` that open it."""

    def __init__(self, port: TranslatorPort, waiting: PendingRequests, server_name: str, client: Members) -> None:
        self._port = port
        self._waiting = waiting
        self._client = client
        self._asked: dict[RequestId, tuple[OnAnswer, OnRerouted]] = {}
        self._last_number = 0
        self._held: dict[RequestId, tuple[Request, Callable[[], None]]] = {}
        self._is_opening = False
        self._is_open = False
        self._capabilities: Members = {}
        self._instructions: Raw | None = None
        self.info = Raw(msgspec.json.encode({"name": server_name, "version": "unknown"}))

    @property
    def holds(self) -> bool:
        """Whether requests wait until the session is open."""
        return bool(self._held)

    # -- opening

    def when_open(self, request: Request, then: Callable[[], None]) -> None:
        """Call `then` once the session is open; if it cannot be opened, fail the request."""
        if self._is_open:
            then()
            return
        self._held[request.id] = request, then
        self._waiting.enter(request, partial(self._unheld, request))
        if not self._is_opening:
            self._open()

    def close(self) -> None:
        """Fail the requests that wait until the session is open."""
        for request, _ in self._take_held():
            self._waiting.refuse(request, _SHUT_DOWN)

    def _open(self) -> None:
        self._is_opening = True
        params = {"protocolVersion": mcp.LATEST_LEGACY, **self._client}
        self.ask(self.number(), mcp.INITIALIZE, msgspec.json.encode(params), self._opened, self._not_opened)

    def _opened(self, response: Response) -> None:
        self._is_opening = False
        if response.is_error:
            for request, _ in self._take_held():
                self._waiting.line(request, results.error_line(request.raw_id, response.error))
            return
        said = members(response.result)
        version = request_meta.text(said.get("protocolVersion"))
        if version not in mcp.LEGACY_VERSIONS:
            refusal = _wrong_version(version)
            for request, _ in self._take_held():
                self._waiting.refuse(request, refusal)
            return
        self._learn(said)
        self._is_open = True
        self._port.up(writing.notification(mcp.INITIALIZED))
        for _, then in self._take_held():
            then()

    def _not_opened(self) -> list[Request]:
        self._is_opening = False
        return [request for request, _ in self._take_held()]

    def _unheld(self, request: Request, _reason: Json) -> None:
        self._held.pop(request.id, None)
        if request.method == mcp.LISTEN:
            self._port.down(writing.listen_ended(request.raw_id).line)

    def _take_held(self) -> list[tuple[Request, Callable[[], None]]]:
        held, self._held = list(self._held.values()), {}
        return held

    def _learn(self, result: Members) -> None:
        self._capabilities = members(result.get("capabilities", Raw()))
        if request_meta.is_implementation(info := result.get("serverInfo", Raw())):
            self.info = info.copy()
        instructions = result.get("instructions")
        self._instructions = instructions if request_meta.is_string(instructions) else None

    # -- what the server declared

    def offers(self, *path: str) -> bool:
        """Whether the server declared this capability, as an object or true: `offers("resources", "subscribe")`."""
        value, found = Raw(), self._capabilities
        for name in path:
            value = found.get(name, Raw())
            found = members(value)
        return request_meta.is_object(value) or bytes(value) == b"true"

    def discover_result(self) -> bytes:
        """The result of `server/discover` (MCP 2026-07-28, Discovery)."""
        declared = self._capabilities
        kept = {name: declared[name] for name in _KEPT_CAPABILITIES if request_meta.is_object(declared.get(name))}
        request_meta.without_tasks_extension(kept)
        result: dict[str, object] = {
            "resultType": "complete",
            "supportedVersions": mcp.MODERN_VERSIONS,
            "capabilities": kept,
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {mcp.META_SERVER: self.info},
        }
        if self._instructions is not None:
            result["instructions"] = self._instructions
        return msgspec.json.encode(result)

    # -- asking and answering

    def number(self) -> int:
        """An id for `ask` that was never given before."""
        self._last_number += 1
        return self._last_number

    def ask(self, number: int, method: str, params: Json, then: OnAnswer, rerouted: OnRerouted = list) -> None:
        """Send a request; `then` is called with its answer, also with an error."""
        self._asked[number] = then, rerouted
        self._port.up(writing.request(b"%d" % number, method, params))

    def take(self, response: Response) -> None:
        """The server answered."""
        asked = self._asked.pop(response.id, None) if response.id is not None else None
        if asked is not None:
            asked[0](response)

    def reroute(self, id_: RequestId) -> list[Request]:
        """The server never accepted a request: forget it, and return the host's that depended on it."""
        asked = self._asked.pop(id_, None)
        return asked[1]() if asked is not None else []

    def cancel(self, number: int, reason: Json) -> None:
        """Cancel a request; its answer is ignored (MCP 2025-11-25, Cancellation)."""
        if self._asked.pop(number, None) is None:
            return
        self._port.up(writing.cancellation(b"%d" % number, reason))

    def answer(self, request: Request, result: Json) -> None:
        """Answer a request of the server."""
        self._port.up(writing.result(request.raw_id, result))

    def refuse(self, request: Request, code: int, message: str) -> None:
        """Answer a request of the server with an error."""
        error = {"code": code, "message": replaced(message)}
        self._port.up(writing.error(request.raw_id, msgspec.json.encode(error)))


def _wrong_version(version: str | None) -> TranslatorRefusal:
    said = "without a protocol version" if version is None else f"with the protocol version {quoted(version, 40)}"
    known = ", ".join(mcp.LEGACY_VERSIONS)
    return TranslatorRefusal(
        SERVER_ERROR, ErrorKind.VERSION, f"The server answered initialize {said}, but the bridge supports only {known}."
    )
