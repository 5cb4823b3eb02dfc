"""The messages every column exchanges with the thin server, and the sizes they come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

PROTOCOL_VERSION = "2025-06-18"
MODERN_VERSION = "2026-07-28"
PROGRESS_TOKEN = "bench"  # noqa: S105 - the name MCP gives to a correlation value, not a secret
BIG_RESULT_BYTES = 10_000_000
MANY_TOOLS = 500

# Read sizes decide how many system calls a big answer costs, so every column uses the same one: what a pipe
# holds on Linux.
READ_BYTES = 64 * 1024

INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'

# What each request of a modern host carries.
_MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def encode(message: dict[str, Any]) -> bytes:
    """Return a message as one line of JSON without its line end."""
    return json.dumps(message, separators=(",", ":")).encode()


_LISTEN = encode(
    {
        "jsonrpc": "2.0",
        "id": "listen-1",
        "method": "subscriptions/listen",
        "params": {"_meta": _MODERN_META, "notifications": {"toolsListChanged": True}},
    }
)


class ColumnError(Exception):
    """A column could not do what a row asked for; the text says why, for the table's notes."""


def initialize(request_id: int) -> bytes:
    """Return the request that opens a session."""
    return encode(
        {
            "jsonrpc": "2.0",
            "id": request_id,
            "method": "initialize",
            "params": {
                "protocolVersion": PROTOCOL_VERSION,
                "capabilities": {},
                "clientInfo": {"name": "bench", "version": "1"},
            },
        }
    )


def discover(request_id: int) -> bytes:
    """Return the request a modern host begins with, where a legacy one opens a session."""
    return encode({"jsonrpc": "2.0", "id": request_id, "method": "server/discover", "params": {"_meta": _MODERN_META}})


def echo(request_id: int) -> bytes:
    """Return a small tool call with a small answer."""
    return _call(request_id, "echo", {"text": f"hello {request_id}"})


def modern_echo(request_id: int) -> bytes:
    """Return the same call as a modern host sends it."""
    return _call(request_id, "echo", {"text": f"hello {request_id}"}, _MODERN_META)


def list_tools(request_id: int) -> bytes:
    """Return the request for the tools, the first thing a host wants to know."""
    return encode({"jsonrpc": "2.0", "id": request_id, "method": "tools/list"})


def modern_list_tools(request_id: int) -> bytes:
    """Return the same request as a modern host sends it."""
    return encode({"jsonrpc": "2.0", "id": request_id, "method": "tools/list", "params": {"_meta": _MODERN_META}})


def big(request_id: int) -> bytes:
    """Return a small tool call with an answer of `BIG_RESULT_BYTES`."""
    return _call(request_id, "big", {})


def progress(request_id: int, count: int) -> bytes:
    """Return a tool call that sends `count` progress notifications before its answer."""
    return _call(request_id, "progress", {"count": count}, {"progressToken": PROGRESS_TOKEN})


def _call(request_id: int, name: str, arguments: dict[str, Any], meta: dict[str, Any] | None = None) -> bytes:
    params: dict[str, Any] = {"name": name, "arguments": arguments}
    if meta is not None:
        params["_meta"] = meta
    return encode({"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params})


def check_answer(line: bytes, request_id: int) -> dict[str, Any] | None:
    """Return the result if this line answers the request, None if it is some other message.

    Raises `ColumnError` when the line is no JSON, or answers the request with an error.
    """
    try:
        message = json.loads(line)
    except ValueError:
        raise ColumnError(f"not JSON: {line[:80]!r}") from None
    if not isinstance(message, dict) or message.get("id") != request_id or "method" in message:
        return None
    result = message.get("result")
    if not isinstance(result, dict) or result.get("isError"):
        raise ColumnError(f"answered with an error: {line[:200].decode(errors='replace')}")
    return result


def check_many_tools(line: bytes, request_id: int) -> bool:
    """Return whether this line is the whole long list of tools; raises `ColumnError` for a short one."""
    result = check_answer(line, request_id)
    if result is None:
        return False
    if len(result["tools"]) != MANY_TOOLS:
        raise ColumnError(f"{len(result['tools'])} tools came of {MANY_TOOLS}")
    return True


def check_echo(line: bytes, request_id: int) -> bool:
    """Return whether this line is the answer of that `echo`; raises `ColumnError` for a wrong one."""
    return echoed(line) == request_id


def echoed(line: bytes) -> int | None:
    """Return which `echo` this line answers, None if it is some other message.

    Raises `ColumnError` for a wrong answer.
    """
    try:
        message = json.loads(line)
    except ValueError:
        raise ColumnError(f"not JSON: {line[:80]!r}") from None
    if not isinstance(message, dict) or "id" not in message or "method" in message:
        return None
    try:
        text = message["result"]["content"][0]["text"]
    except (KeyError, IndexError, TypeError):
        raise ColumnError(f"answered with an error: {line[:200].decode(errors='replace')}") from None
    if text != f"hello {message['id']}":
        raise ColumnError("an answer came under another request's id")
    return int(message["id"])


def check_big(line: bytes, request_id: int) -> bool:
    """Return whether this line is the whole big answer; raises `ColumnError` for a short one."""
    result = check_answer(line, request_id)
    if result is None:
        return False
    if len(result["content"][0]["text"].encode()) < BIG_RESULT_BYTES * 0.9:
        raise ColumnError("the big answer came short")
    return True


@dataclass(frozen=True)
class Tongue:
    """What a host of one era says: how it opens, what it adds once that is answered, the tools, and a small call."""

    name: str
    opening: Callable[[int], bytes]
    opened: bytes
    list_tools: Callable[[int], bytes]
    echo: Callable[[int], bytes]


LEGACY = Tongue("legacy", initialize, INITIALIZED, list_tools, echo)
MODERN = Tongue("modern", discover, b"", modern_list_tools, modern_echo)
MODERN_LISTENING = replace(MODERN, opened=_LISTEN)
"""As hosts do that show their tools: it wants to hear of changes before it lists them."""
