"""What the thin server's modern paths answer: MCP 2026-07-28, where a request says it all and there are no sessions."""

from __future__ import annotations

from typing import Any

from scripts.benchmark.messages import MODERN_VERSION

_KEPT = {"ttlMs": 3_600_000, "cacheScope": "public"}

_TOOLS = [{"name": "echo", "description": "echos", "inputSchema": {"type": "object"}}]

_DISCOVERED = {
    "supportedVersions": [MODERN_VERSION],
    "capabilities": {"tools": {"listChanged": True}},
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "thin", "version": "1"}},
    **_KEPT,
}


def result(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return a request's result, None where the server does not know the method."""
    params = message.get("params") or {}
    if message["method"] == "server/discover":
        return {"resultType": "complete", **_DISCOVERED}
    if message["method"] == "tools/list":
        return {"resultType": "complete", "tools": _TOOLS, **_KEPT}
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
