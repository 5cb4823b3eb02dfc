"""What a session wants done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bridge.protocol.jsonrpc import Message, Octets, Request, RequestId
from bridge.session.events import TimerKey
from bridge.session.faults import Fault

if TYPE_CHECKING:
    from bridge.session.response_cache import CachedResult, CacheQuery

Headers = tuple[tuple[bytes, bytes], ...]


class SendToHost(msgspec.Struct, frozen=True, gc=False):
    """Write one line to the host. `is_own`: it is an error of the bridge's own; a server could feign one."""

    line: Octets
    is_own: bool = False


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """A machine has something for its host; whoever stands between may have to translate it, or to act on it.

    `message` is what `line` says, None for a batch and for an error of the bridge's own, which has a `fault`. `about`
    is the id of the call on whose stream the message came, `request` that call where this is its answer.
    """

    line: Octets
    message: Message | None = None
    about: RequestId | None = None
    fault: Fault | None = None
    request: Request | None = None


class SaveEras(msgspec.Struct, frozen=True, gc=False):
    """Keep, across restarts, which eras the server speaks; none: forget it."""

    eras: frozenset[str]


class Post(msgspec.Struct, frozen=True, gc=False):
    """POST a message. `endpoint` is a URL of the server's own choosing (2024-11-05), None for the configured one.

    `urgent` messages do not wait for a free connection. For a `quiet` one's sake alone no person is asked to sign in.
    A `tentative` one is given up where the server wants another token: nothing is done to get one.
    """

    exchange: int
    body: Octets
    headers: Headers
    endpoint: str | None = None
    urgent: bool = False
    quiet: bool = False
    tentative: bool = False


class OpenStream(msgspec.Struct, frozen=True, gc=False):
    """GET an event stream. Nobody waits for a `quiet` one: for its sake alone no person is asked to sign in."""

    exchange: int
    headers: Headers
    quiet: bool = False


class EndSession(msgspec.Struct, frozen=True, gc=False):
    """DELETE the session (MCP 2025-03-26, Session Management)."""

    exchange: int
    headers: Headers


class Abandon(msgspec.Struct, frozen=True, gc=False):
    """Stop an exchange and tell nothing more of it."""

    exchange: int


class DrainStream(msgspec.Struct, frozen=True, gc=False):
    """Nothing more is expected of a stream: let the server end it, for a moment, so its connection can serve again."""

    exchange: int


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Fire once after `seconds`, or earlier by a random part of `spread` (0 to 1) of it. Replaces one of that key."""

    timer: TimerKey
    seconds: float
    spread: float = 0.0


class CancelTimer(msgspec.Struct, frozen=True, gc=False):
    """Forget a timer, if it is there."""

    timer: TimerKey


class DropConnections(msgspec.Struct, frozen=True, gc=False):
    """Close every idle connection."""


class Connect(msgspec.Struct, frozen=True, gc=False):
    """Open a connection and keep it for the next request; `Connected` or `ConnectFailed` tells what came of it."""


class OpenSignIn(msgspec.Struct, frozen=True, gc=False):
    """The person at the host wants to sign in now: ask him, and open a browser even if one was opened before."""


class FindResponse(msgspec.Struct, frozen=True, gc=False):
    """Look for a kept answer to `question`; `ResponseFound` tells what there is."""

    exchange: int
    question: CacheQuery


class KeepResponse(msgspec.Struct, frozen=True, gc=False):
    """Keep an answer, received just now, in place of any before; None: keep none any more.

    `asked_as` is what `ResponseFound` said: whose answer it is. `starts_anew`: further pages of the list are of
    another list.
    """

    question: CacheQuery
    kept: CachedResult | None
    asked_as: int
    starts_anew: bool = False


class DropResponses(msgspec.Struct, frozen=True, gc=False):
    """Forget every kept answer of these kinds."""

    kinds: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, gc=False):
    """Tell the log. `level` is a name of the standard library's logging levels."""

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
    | Report
)
