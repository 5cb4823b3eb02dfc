"""What the thin server's modern paths answer: MCP 2026-07-28, where a request says it all and there are no sessions."""

from __future__ import annotations

from typing import Any

from scripts.benchmark.messages import MODERN_VERSION

# The standard demands both fields: as servers send them that say nothing of it, and as one whose lists are stable.
_STALE = {"ttlMs": 0, "cacheScope": "private"}
_KEPT = {"ttlMs": 3_600_000, "cacheScope": "public"}

_TOOLS = [{"name": "echo", "description": "echos", "inputSchema": {"type": "object"}}]

_DISCOVERED = {
    "supportedVersions": [MODERN_VERSION],
    "capabilities": {"tools": {"listChanged": True}},
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "thin", "version": "1"}},
}


def result(message: dict[str, Any], *, kept: bool = False) -> dict[str, Any] | None:
    """Return a request's result, None where the server does not know the method.

    With `kept` it may be kept for an hour (MCP 2026-07-28, Caching).
    """
    params = message.get("params") or {}
    caching = _KEPT if kept else _STALE
    if message["method"] == "server/discover":
        return {"resultType": "complete", **_DISCOVERED, **caching}
    if message["method"] == "tools/list":
        return {"resultType": "complete", "tools": _TOOLS, **caching}
    if message["method"] == "tools/call":
        return {"resultType": "complete", "content": [{"type": "text", "text": params["arguments"]["text"]}]}
    return None


def acknowledgement(message: dict[str, Any]) -> dict[str, Any]:
    """Return what opens the stream of a `subscriptions/listen`."""
    params = message.get("params") or {}
    return {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {
            "_meta": {"io.modelcontextprotocol/subscriptionId": message["id"]},
            "notifications": params.get("notifications", {}),
        },
    }
