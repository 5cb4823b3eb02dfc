"""Commands: what a machine wants done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from bridge.protocol.jsonrpc import Message, Octets, Request, RequestId
from bridge.session.events import TimerKey
from bridge.session.faults import Fault

if TYPE_CHECKING:
    from bridge.session.response_cache import CachedResult, CacheQuery

Headers = tuple[tuple[bytes, bytes], ...]


class SendToHost(msgspec.Struct, frozen=True, gc=False):
    """Write one line to the host. `is_own`: it is an error made by the bridge, which a server could imitate."""

    line: Octets
    is_own: bool = False


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """A message from a machine to its host. A translator may change it, and the router may hold it back.

    `message` is the parsed `line`, None for a batch and for an error made by the bridge, which has a `fault`. `about`
    is the id of the call on whose stream the message came; `request` is that call if this is its answer.
    """

    line: Octets
    message: Message | None = None
    about: RequestId | None = None
    fault: Fault | None = None
    request: Request | None = None


class SaveEras(msgspec.Struct, frozen=True, gc=False):
    """Store which eras the server speaks, for later runs. An empty set removes what was stored."""

    eras: frozenset[str]


class Post(msgspec.Struct, frozen=True, gc=False):
    """POST a message. `endpoint` is a URL that the server chose (2024-11-05), None for the configured one.

    An `urgent` message does not wait for a free connection. The user is not asked to sign in for a `quiet` one alone. A
    `tentative` one is given up if the server requires another token: the bridge does not get one for it.
    """

    exchange: int
    body: Octets
    headers: Headers
    endpoint: str | None = None
    urgent: bool = False
    quiet: bool = False
    tentative: bool = False


class OpenStream(msgspec.Struct, frozen=True, gc=False):
    """GET an event stream. The user is not asked to sign in for a `quiet` one alone."""

    exchange: int
    headers: Headers
    quiet: bool = False


class EndSession(msgspec.Struct, frozen=True, gc=False):
    """DELETE the session (MCP 2025-03-26, Session Management)."""

    exchange: int
    headers: Headers


class Abandon(msgspec.Struct, frozen=True, gc=False):
    """Stop an exchange. No event of it follows."""

    exchange: int


class DrainStream(msgspec.Struct, frozen=True, gc=False):
    """Nothing more is expected on a stream: give the server a moment to end it, so the connection can be used again."""

    exchange: int


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Fire once after `seconds`, less a random part of `spread` (0 to 1). Replaces a timer with the same key."""

    timer: TimerKey
    seconds: float
    spread: float = 0.0


class CancelTimer(msgspec.Struct, frozen=True, gc=False):
    """Stop a timer, if it is running."""

    timer: TimerKey


class DropConnections(msgspec.Struct, frozen=True, gc=False):
    """Close every idle connection."""


class Connect(msgspec.Struct, frozen=True, gc=False):
    """Open a connection for the next request. `Connected` or `ConnectFailed` follows."""


class OpenSignIn(msgspec.Struct, frozen=True, gc=False):
    """The user asked to sign in now: start the sign-in, and open a browser even if one was opened before."""


class FindResponse(msgspec.Struct, frozen=True, gc=False):
    """Look for a cached answer to `question`. `ResponseFound` follows."""

    exchange: int
    question: CacheQuery


class KeepResponse(msgspec.Struct, frozen=True, gc=False):
    """Cache an answer that was just received in place of the one before; None only removes that one.

    `asked_as` comes from `ResponseFound` and tells whose answer it is. `starts_anew`: the list has changed, so its
    other cached pages are no longer valid.
    """

    question: CacheQuery
    kept: CachedResult | None
    asked_as: int
    starts_anew: bool = False


class DropResponses(msgspec.Struct, frozen=True, gc=False):
    """Remove all cached answers of these kinds."""

    kinds: tuple[str, ...]


class SaveResult(msgspec.Struct, frozen=True, gc=False):
    """Save the `result` of a tool, as JSON, in a private file. `ResultSaved` with the same `number` follows."""

    number: int
    tool: str
    result: Raw


class Report(msgspec.Struct, frozen=True, gc=False):
    """Write to the log. `level` is the name of a level of the standard library's logging."""

    level: str
    text: str


Command = (
    SendToHost
    | Deliver
    | SaveEras
    | Post
    | OpenStream
    | EndSession
    | Abandon
    | DrainStream
    | SetTimer
    | CancelTimer
    | DropConnections
    | Connect
    | OpenSignIn
    | FindResponse
    | KeepResponse
    | DropResponses
    | SaveResult
    | Report
)
