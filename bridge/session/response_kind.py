"""What a complete response means for its request.

| status | body | kind |
|---|---|---|
| 404 with a session id sent | any | `SESSION_GONE` (MCP, Session Management, 4) |
| 400 with a session id sent | an error that mentions the session | `SESSION_GONE`: many servers report it this way |
| any | contains the answer to the request | `READ` |
| 2xx | JSON | `READ` |
| 202 | anything but JSON | `ACCEPTED` |
| any other 2xx | nothing, or anything but JSON | `FAULT` |
| 429, 503 with a short `Retry-After` | any | `LATER` |
| any other | any | `FAULT` |

Only 202 says that an answer may follow elsewhere (RFC 9110, 15.3.3): some servers send it on the standing stream. A
request that gets a 200 or a 204 with an empty body will get nothing more: MCP requires the answer in the response
(2025-11-25, Streamable HTTP, Sending Messages to the Server, 5), and a 204 says that there is no content to send (RFC
9110, 15.3.5). In HTTP+SSE (2024-11-05) the answer always comes on the stream and the POST may have any 2xx: SDKs send
202 or 200. There the callers accept any 2xx without asking here.
"""

from __future__ import annotations

import enum

import msgspec

from bridge.errors import ErrorKind
from bridge.protocol import jsonrpc, mcp
from bridge.protocol.jsonrpc import Octets, Request, RequestId, Response
from bridge.session import faults
from bridge.session.events import BodyReceived
from bridge.session.faults import Fault

LONGEST_RETRY_AFTER = 30.0
"""Seconds of a `Retry-After` that the bridge obeys; hosts do not wait longer."""

_ACCEPTED = 202


class ResponseKind(enum.Enum):
    """See the table above."""

    READ = enum.auto()
    ACCEPTED = enum.auto()
    SESSION_GONE = enum.auto()
    LATER = enum.auto()
    FAULT = enum.auto()


class JudgedResponse(msgspec.Struct, frozen=True):
    """`fault` is what the host gets if nothing else helps; `seconds` is for `LATER`."""

    kind: ResponseKind
    fault: Fault
    seconds: float = 0.0


_READ = JudgedResponse(ResponseKind.READ, Fault(ErrorKind.NO_ANSWER, ""))


def judge(event: BodyReceived, url: str, ids: tuple[RequestId, ...], *, in_session: bool) -> JudgedResponse:
    """Judge the response to a request with one of `ids`; none: a one-way message. `in_session`: with a session id."""
    status, body = event.status, event.body
    if 200 <= status < 300:
        first = bytes(body[:1] if body[:1].strip() else body.lstrip()[:1])
        if first in {b"{", b"["} or body[:3] == b"\xef\xbb\xbf":
            return _READ
        if status == _ACCEPTED:
            return JudgedResponse(ResponseKind.ACCEPTED, faults.empty(url, status))
        if not first:
            return JudgedResponse(ResponseKind.FAULT, faults.empty(url, status))
        return JudgedResponse(ResponseKind.FAULT, faults.not_json(url, status, event.content_type, body))
    fault = faults.refused(url, status, body)
    if in_session and (status == 404 or (status == 400 and "session" in faults.server_words(body).lower())):
        return JudgedResponse(ResponseKind.SESSION_GONE, fault)
    if ids and _is_answer(body, ids):
        return _READ
    if event.retry_after is not None and status in {429, 503}:
        if event.retry_after <= LONGEST_RETRY_AFTER:
            return JudgedResponse(ResponseKind.LATER, fault, event.retry_after)
        return JudgedResponse(ResponseKind.FAULT, faults.throttled(url, status, event.retry_after))
    return JudgedResponse(ResponseKind.FAULT, fault)


def may_be_legacy(request: Request, status: int | None, code: int | None = None) -> bool:
    """Whether the standard's rule for finding a 2024-11-05 server applies (Streamable HTTP, Backward Compatibility).

    `code` is the code of the JSON-RPC error that came: with the code of a modern server the rule does not apply.
    """
    return request.method == mcp.INITIALIZE and status in {400, 404, 405} and code not in mcp.MODERN_ERRORS


def _is_answer(body: Octets, ids: tuple[RequestId, ...]) -> bool:
    try:
        message = jsonrpc.parse(jsonrpc.single_line(body))
    except ValueError:
        return False
    return isinstance(message, Response) and message.id in ids
