"""The two kinds of host: one that opens with `initialize`, and one that says it all in each request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from tests.conformance.wire import Message, Pipe

MODERN_REVISION = "2026-07-28"
LAST_LEGACY_REVISION = "2025-11-25"
METHOD_NOT_FOUND = -32601
UNSUPPORTED_VERSION = -32022
MAX_ROUNDS = 5

CLIENT_INFO = {"name": "conformance-host", "version": "1.0.0"}
CAPABILITIES: Message = {"roots": {}, "sampling": {}, "elicitation": {}}

Meanwhile = Callable[[], object]


class RefusedError(Exception):
    """A request got a JSON-RPC error; `error` is that object."""

    def __init__(self, method: str, error: Message) -> None:
        """Keep the error of `method`."""
        super().__init__(f"{method} got error {error.get('code')}: {error.get('message')}")
        self.error = error


class Host(Protocol):
    """What a scenario does with a host, whichever era it is of."""

    def start(self) -> None:
        """Do what comes before the first real request."""

    def request(self, method: str, params: Message | None = None) -> Message:
        """Return the result. Raises RefusedError for an error answer and PipeError when none comes."""

    def call(self, tool: str, arguments: Message, meanwhile: Meanwhile | None = None) -> Message:
        """Call a tool; `meanwhile` runs once, between a question the server asks and the answer to it."""


def fulfil(method: str, params: Message) -> Message | None:
    """Return what a willing person answers to a server's question; None for a method no host knows."""
    if method == "elicitation/create":
        fields = params.get("requestedSchema", {}).get("properties", {})
        # Accepted as the form stands: every default applied (SEP-1034), a box that has none is ticked.
        content = {name: field["default"] for name, field in fields.items() if "default" in field}
        ticked = {name: True for name, field in fields.items() if field.get("type") == "boolean"}
        return {"action": "accept", "content": ticked | content}
    if method == "sampling/createMessage":
        return {"role": "assistant", "content": {"type": "text", "text": "A fine day."}, "model": "none"}
    if method == "roots/list":
        return {"roots": [{"uri": "file:///work", "name": "work"}]}
    return None


class _Exchange:
    """Requests out and answers in, by id; a server's own requests are answered on the way."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._next_id = 0
        self._early: dict[int, Message] = {}
        self.meanwhile: Meanwhile | None = None

    def request(self, method: str, params: Message | None) -> Message:
        number = self._next_id  # the first is 0, an id careless code takes for none
        self._next_id += 1
        message: Message = {"jsonrpc": "2.0", "id": number, "method": method}
        if params is not None:
            message["params"] = params
        self._pipe.send(message)
        answer = self._answer_to(number)
        if "error" in answer:
            raise RefusedError(method, answer["error"])
        result: Message = answer["result"]
        return result

    def notify(self, method: str) -> None:
        self._pipe.send({"jsonrpc": "2.0", "method": method})

    def pause(self) -> None:
        """Run what is to happen meanwhile, once."""
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()

    def _answer_to(self, number: int) -> Message:
        # A request made while another waits reads for both: what belongs to the outer one is kept.
        while number not in self._early:
            message = self._pipe.receive()
            if "method" not in message:
                self._early[message["id"]] = message
            elif "id" in message:
                self._answer(message)
        return self._early.pop(number)

    def _answer(self, question: Message) -> None:
        method: str = question["method"]
        answer: Message = {"jsonrpc": "2.0", "id": question["id"]}
        if method == "ping":
            answer["result"] = {}
        else:
            self.pause()
            result = fulfil(method, question.get("params", {}))
            if result is None:
                answer["error"] = {"code": METHOD_NOT_FOUND, "message": f"Method not found: {method}"}
            else:
                answer["result"] = result
        self._pipe.send(answer)


class LegacyHost:
    """Opens with `initialize`; the server asks by requests of its own."""

    def __init__(self, pipe: Pipe, revision: str) -> None:
        """Speak `revision`, or the last one that had `initialize` where that is older."""
        self._exchange = _Exchange(pipe)
        self._revision = min(revision, LAST_LEGACY_REVISION)

    def start(self) -> None:
        """Shake hands, then go once more to the server and back, by which time a standing stream is up."""
        self._exchange.request(
            "initialize",
            {"protocolVersion": self._revision, "capabilities": CAPABILITIES, "clientInfo": CLIENT_INFO},
        )
        self._exchange.notify("notifications/initialized")
        self._exchange.request("ping", None)

    def request(self, method: str, params: Message | None = None) -> Message:
        """See Host."""
        return self._exchange.request(method, params)

    def call(self, tool: str, arguments: Message, meanwhile: Meanwhile | None = None) -> Message:
        """See Host."""
        self._exchange.meanwhile = meanwhile
        return self._exchange.request("tools/call", {"name": tool, "arguments": arguments})


class ModernHost:
    """Says who it is and what it can do in each request's `_meta`; the server asks by `input_required`."""

    def __init__(self, pipe: Pipe) -> None:
        """Speak 2026-07-28."""
        self._exchange = _Exchange(pipe)

    def start(self) -> None:
        """Ask what the server is (optional, and what a host that serves both eras does)."""
        self.request("server/discover")

    def request(self, method: str, params: Message | None = None) -> Message:
        """See Host; a version refused is offered once more where the server names it as one it knows."""
        try:
            return self._exchange.request(method, self._stamped(params))
        except RefusedError as refused:
            if not _offers_ours(refused.error):
                raise
        return self._exchange.request(method, self._stamped(params))

    def call(self, tool: str, arguments: Message, meanwhile: Meanwhile | None = None) -> Message:
        """See Host."""
        params: Message = {"name": tool, "arguments": arguments}
        self._exchange.meanwhile = meanwhile
        result = self.request("tools/call", params)
        for _ in range(MAX_ROUNDS):
            if result.get("resultType") != "input_required":
                return result
            self._exchange.pause()
            again = params | {"inputResponses": _responses(result.get("inputRequests", {}))}
            # Echoed where one came and left out where none did: null is not the same as absent.
            if "requestState" in result:
                again["requestState"] = result["requestState"]
            result = self.request("tools/call", again)
        raise RefusedError("tools/call", {"message": f"still input_required after {MAX_ROUNDS} rounds"})

    def _stamped(self, params: Message | None) -> Message:
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN_REVISION,
            "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
            "io.modelcontextprotocol/clientCapabilities": CAPABILITIES,
        }
        return {**(params or {}), "_meta": meta}


def _offers_ours(error: Message) -> bool:
    data: Any = error.get("data")
    supported = data.get("supported", []) if isinstance(data, dict) else []
    return error.get("code") == UNSUPPORTED_VERSION and MODERN_REVISION in supported


def _responses(questions: dict[str, Message]) -> dict[str, Message]:
    answers = {key: fulfil(asked["method"], asked.get("params", {})) for key, asked in questions.items()}
    return {key: answer for key, answer in answers.items() if answer is not None}
