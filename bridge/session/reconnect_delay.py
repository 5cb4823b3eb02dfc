"""How long the bridge waits before it sends a request again, and before it reopens a stream that ended.

| what is tried again | first pause | doubled each time, up to |
|---|---|---|
| a request that did not reach the server, or whose connection was lost | 0.1 s | 5 s |
| a request after a `Retry-After` that is shorter than this pause | 0.1 s | 30 s |

A server may name a time (`retry`, MCP 2025-03-26, Resumability; `Retry-After`). The bridge obeys it within two bounds.
Without a lower bound, `retry: 0` would cause a flood of requests; without an upper bound, a typing error would stop the
stream for a day. A stream is hasty if it ended within `AT_ONCE` seconds without an event.

| stream | shortest pause | doubled each time in a row | longest pause if the server names a time |
|---|---|---|---|
| with the answer to a call | 0.5 s; 0.1 s if a time is named | up to 30 s; up to 5 s if hasty | 30 s |
| standing; `subscriptions/listen` | 0.5 s | up to 30 s; if a time is named, only if hasty | 60 s; `Retry-After` 300 s |
| of HTTP+SSE (2024-11-05) | none the first time, then 0.5 s | up to 30 s if hasty | 30 s |

If the server names no time, the pause is shortened at random: many bridges may lose the same server at once.
"""

from __future__ import annotations

from typing import NamedTuple

from bridge.protocol.backoff import Backoff

UNANSWERED = Backoff(0.1, 5.0)
THROTTLED = Backoff(0.1, 30.0)

_STREAM = Backoff(0.5, 30.0)
_NAMED_TIME = Backoff(0.1, 5.0)

AT_ONCE = 1.0
"""A stream that ends within this many seconds without an event is hasty."""

LONGEST_FOR_CALL = 30.0
"""Seconds that a call waits at most because the server asked for it."""

LONGEST_FOR_STREAM = 60.0
"""Seconds for which a standing stream stays closed at most because the server asked for it."""


class ReconnectDelay(NamedTuple):
    """`seconds`, shortened by a random part of `spread` (0 to 1); `wished`: what the server asked for, or None."""

    seconds: float
    spread: float
    wished: float | None

    def __str__(self) -> str:
        """The pause, for a sentence."""
        if self.wished is None or self.wished == self.seconds:
            return f"in {self.seconds:g} s"
        return f"in {self.seconds:g} s (the server asked for {self.wished:g} s)"


def before_resuming(tries: int, wished: float | None) -> ReconnectDelay:
    """Before the stream of a call is resumed; `tries` counts the failed tries in a row, including this one."""
    if wished is None:
        return ReconnectDelay(_STREAM.before(tries), 0.5, None)
    least = _NAMED_TIME.before(tries)
    return ReconnectDelay(min(max(wished, least), LONGEST_FOR_CALL), 0.0, wished)


def before_listening(
    tries: int, hasty: int, wished: float | None, longest: float = LONGEST_FOR_STREAM
) -> ReconnectDelay:
    """Before a standing stream is reopened; of the failed `tries` in a row, the last `hasty` were hasty."""
    if wished is None:
        return ReconnectDelay(_STREAM.before(tries), 0.5, None)
    return ReconnectDelay(min(max(wished, _STREAM.before(max(hasty, 1))), longest), 0.0, wished)


def before_reconnecting(hasty: int, wished: float | None) -> ReconnectDelay:
    """Before the stream of HTTP+SSE is reopened, without which nothing can be sent either."""
    least = _STREAM.before(hasty - 1) if hasty > 1 else 0.0
    if wished is None:
        return ReconnectDelay(least, 0.5, None)
    return ReconnectDelay(min(max(wished, least), LONGEST_FOR_CALL), 0.0, wished)
