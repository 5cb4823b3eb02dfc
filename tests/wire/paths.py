"""What the tests ask for: the same paths at the origin, in the programs of `programs/` and in `node_doors.mjs`.

| path | answer |
|---|---|
| `/mcp` | a small MCP server of 2025-11-25 without sessions; its one tool says its arguments again |
| `/length` | how many bytes the request's body had, and their SHA-256 |
| `/sized/N` | a JSON string of N bytes with its length |
| `/chunked/N` | the same, chunked |
| `/events/N/MS` | N events, so many milliseconds apart |
| `/dies/now` | the connection closed, without an answer |
| `/dies/within` | a hundred of a thousand bytes, then the connection closed |
| `/dies/stream` | two events, then the connection closed |
| `/never` | none |

A query is a mark, by which the tests know what was run: each request whose body came whole is counted, before it is
answered. Only the standard library is needed here.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

PATTERN = b"0123456789abcdef"
TOOL = "say"
PIECE = 64 * 1024
"""Bytes of a chunk of `/chunked/N`."""


def sized(count: int) -> bytes:
    """A JSON string of so many bytes; what is not as it was sent does not look the same."""
    inner = count - 2
    return b'"' + (PATTERN * (inner // len(PATTERN) + 1))[:inner] + b'"'


def length(body: bytes) -> bytes:
    """What `/length` answers."""
    return json.dumps({"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}).encode()


def event(number: int) -> bytes:
    """One event of a stream."""
    return b'data: {"n": %d}\n\n' % number


def mcp(body: bytes) -> bytes | None:
    """What `/mcp` answers; None for a notification."""
    message: dict[str, Any] = json.loads(body)
    if "id" not in message:
        return None
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
    if message["method"] == "initialize":
        about = {"name": "wire", "version": "1"}
        version = message["params"]["protocolVersion"]
        answer["result"] = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    elif message["method"] == "tools/list":
        answer["result"] = {"tools": [{"name": TOOL, "inputSchema": {"type": "object"}}]}
    elif message["method"] == "tools/call":
        text = json.dumps(message["params"]["arguments"])
        answer["result"] = {"content": [{"type": "text", "text": text}]}
    else:
        answer["error"] = {"code": -32601, "message": "Method not found"}
    return json.dumps(answer).encode()
