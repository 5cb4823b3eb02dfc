"""When a connection may be used for another request.

All of this must hold:

| condition | reason |
|---|---|
| the whole request was sent | the server would take the missing bytes from the next one |
| both sides of h11 are done (RFC 9112, 9.3) | neither asked to close, and the answer was read to its end |
| no bytes are left in h11, the wire, TLS or the system | they would be read as the next answer |
| reading is not paused | the next answer would never come |
| the server still keeps it | it might close it during the request, and what ran would not be known |

Leftover bytes may arrive later than their answer. So the rule is applied when the connection is about to be lent, to
everything that has arrived by then; where the system reads ahead of the loop (Proactor), once more after that data has
come in. Bytes that arrive even later look like the next answer. Therefore an answer that has no body by its status, but
announces one (a 204 with `Content-Length: 4`), ends its connection.

| how long an idle connection is kept | seconds |
|---|---|
| the server says `Keep-Alive: timeout=N` | N - 1, at most 50 |
| it does not, or no request was sent yet | 4: servers that announce no time close after 5 or more |
"""

from __future__ import annotations

import re

import h11

from bridge.remote.wire import Wire

KEPT_UNANNOUNCED = 4.0
"""How many seconds a connection is kept if the server names no time."""

NEVER_WITH_A_BODY = frozenset((204, 304))
"""Statuses whose responses have no body, whatever their headers are (RFC 9112, 6.3)."""

_LONGEST = 50.0
_TIMEOUT = rb"\btimeout\s*=\s*(\d{1,6})"
_BETWEEN_REQUESTS = (h11.DONE, h11.IDLE)


def may_serve(http: h11.Connection, wire: Wire, *, went_out: bool, expires: float, now: float) -> bool:
    """Apply the rule. `went_out`: the whole request was sent. `expires` and `now` are in seconds, monotonic."""
    return (
        went_out
        and now < expires
        and http.our_state is http.their_state
        and http.our_state in _BETWEEN_REQUESTS
        and not http.trailing_data[0]
        and not wire.has_news
        and not wire.unsent
    )


def kept_seconds(response: h11.Response) -> float:
    """How many seconds a connection may stay idle after this answer."""
    if response.status_code in NEVER_WITH_A_BODY and _announces_a_body(response):
        return 0.0
    for name, value in response.headers:
        if name == b"keep-alive" and (found := re.search(_TIMEOUT, value)):
            return min(_LONGEST, max(0.0, float(found[1]) - 1.0))
    return KEPT_UNANNOUNCED


def _announces_a_body(response: h11.Response) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and int(value)) for name, value in response.headers
    )
