"""When a connection serves one more request: one rule.

It serves again where all of this holds:

| what | why |
|---|---|
| the request went out whole | the server would take what is missing from the next one |
| both sides of h11 are done with it (RFC 9112, 9.3) | neither asked to close, and the answer was read to its end |
| nothing is left in h11, with the wire, with TLS, with the system | it would be read as the next answer |
| reading is not paused | the next answer would never come |
| it is younger than the server keeps it | the server may close it under the request, and nobody knows what was run |

A leftover may come later than its answer. So the rule is asked when the connection is about to be lent, of all that
has come by then; where the system reads ahead of the loop (Proactor), once more when that has come in. What comes later
still cannot be told from the next answer: therefore an answer that has no body by its status, and announces one all the
same (a 204 with `Content-Length: 4`), ends its connection.

| how long an idle connection is kept | seconds |
|---|---|
| the server says `Keep-Alive: timeout=N` | N - 1, at most 50 |
| it says nothing, or no request was sent on it yet | 4: servers that announce nothing close after 5 or more |
"""

from __future__ import annotations

import re

import h11

from bridge.remote.wire import Wire

KEPT_UNANNOUNCED = 4.0
"""Seconds that a connection is kept where the server does not say for how long."""

NEVER_WITH_A_BODY = frozenset((204, 304))
"""Statuses whose responses have no body, whatever their headers say (RFC 9112, 6.3)."""

_LONGEST = 50.0
_TIMEOUT = rb"\btimeout\s*=\s*(\d{1,6})"
_BETWEEN_REQUESTS = (h11.DONE, h11.IDLE)


def may_serve(http: h11.Connection, wire: Wire, *, went_out: bool, expires: float, now: float) -> bool:
    """The rule. `went_out`: the request was sent to its end. `expires` and `now` are in seconds, monotonic."""
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
    """How long the connection that carried this answer may stay idle."""
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
