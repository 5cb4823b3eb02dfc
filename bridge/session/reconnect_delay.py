"""How long before a request is sent again, and before a stream that ended is asked for again.

| what is tried again | first pause | doubled each time, up to |
|---|---|---|
| a request that did not reach the server, or whose connection was lost | 0.1 s | 5 s |
| a request after `Retry-After`, where that is shorter | 0.1 s | 30 s |

A server may name a time (`retry`, MCP 2025-03-26, Resumability; `Retry-After`). It is obeyed between two bounds: with
none below, `retry: 0` is a storm of requests; with none above, a slip of the pen is silence for a day. A stream counts
as hasty that ended within `AT_ONCE` seconds and told nothing.

| stream | least | doubled with each in a row | most, where a time is named |
|---|---|---|---|
| that answers a call | 0.5 s; 0.1 s where a time is named | up to 30 s; up to 5 s if hasty | 30 s |
| standing; `subscriptions/listen` | 0.5 s | up to 30 s; if hasty, where a time is named | 60 s; `Retry-After` 300 s |
| of HTTP+SSE (2024-11-05) | none once, then 0.5 s | up to 30 s if hasty | 30 s |

Where no time is named, the pause may be shorter by chance: many bridges lose one server together.
"""

from __future__ import annotations

from typing import NamedTuple

from bridge.protocol.backoff import Backoff

UNANSWERED = Backoff(0.1, 5.0)
THROTTLED = Backoff(0.1, 30.0)

_STREAM = Backoff(0.5, 30.0)
_NAMED_TIME = Backoff(0.1, 5.0)

AT_ONCE = 1.0
"""Seconds."""

LONGEST_FOR_CALL = 30.0
"""Seconds that a call waits because the server wishes it."""

LONGEST_FOR_STREAM = 60.0
"""Seconds for which the server's own messages are not listened to because it wishes it."""


class ReconnectDelay(NamedTuple):
    """`seconds`, of which `spread` (0 to 1) may be taken off by chance; `wished` is the server's own time, or None."""

    seconds: float
    spread: float
    wished: float | None

    def __str__(self) -> str:
        """The pause in words."""
        if self.wished is None or self.wished == self.seconds:
            return f"in {self.seconds:g} s"
        return f"in {self.seconds:g} s (the server asked for {self.wished:g} s)"


def before_resuming(tries: int, wished: float | None) -> ReconnectDelay:
    """Before a call's stream is resumed; `tries` counts the vain ones in a row, this one included."""
    if wished is None:
        return ReconnectDelay(_STREAM.before(tries), 0.5, None)
    least = _NAMED_TIME.before(tries)
    return ReconnectDelay(min(max(wished, least), LONGEST_FOR_CALL), 0.0, wished)


def before_listening(
    tries: int, hasty: int, wished: float | None, longest: float = LONGEST_FOR_STREAM
) -> ReconnectDelay:
    """Before a standing stream is opened again; of the vain `tries` in a row, the last `hasty` were hasty."""
    if wished is None:
        return ReconnectDelay(_STREAM.before(tries), 0.5, None)
    return ReconnectDelay(min(max(wished, _STREAM.before(max(hasty, 1))), longest), 0.0, wished)


def before_reconnecting(hasty: int, wished: float | None) -> ReconnectDelay:
    """Before the stream of HTTP+SSE is opened again, without which there is no way up either."""
    least = _STREAM.before(hasty - 1) if hasty > 1 else 0.0
    if wished is None:
        return ReconnectDelay(least, 0.5, None)
    return ReconnectDelay(min(max(wished, least), LONGEST_FOR_CALL), 0.0, wished)
