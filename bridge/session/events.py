"""What happens to a session. `exchange` numbers one HTTP request with its response, as its command did."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import msgspec

from bridge.errors import ErrorKind
from bridge.protocol.jsonrpc import Message, Octets
from bridge.protocol.sse import ServerSentEvent

if TYPE_CHECKING:
    from bridge.session.response_cache import CachedResult

TimerKey = tuple[str, int]
"""Which timer: what it is for, and the number of the call or exchange it belongs to (0 for the session's own)."""


class HostMessage(msgspec.Struct, frozen=True, gc=False):
    """The host sent a message. `version`: the revision that a modern request names, where it was read already."""

    message: Message
    version: str = ""


class HostBatch(msgspec.Struct, frozen=True, gc=False):
    """The host sent a batch (MCP 2025-03-26, Batching). `errors` are answers to members that were no messages."""

    messages: list[Message]
    errors: list[bytes]


class HostClosed(msgspec.Struct, frozen=True, gc=False):
    """The host wants no more: end of input, a signal, a closed output."""


class ResponseStarted(msgspec.Struct, frozen=True, gc=False):
    """A response's head came. `streams` tells whether events or one body follow; `url` is where it came from."""

    exchange: int
    status: int
    session_id: bytes | None
    streams: bool


class EventReceived(msgspec.Struct, frozen=True, gc=False):
    """An event came on a response that streams."""

    exchange: int
    event: ServerSentEvent


class BodyReceived(msgspec.Struct, frozen=True, gc=False):
    """A response that does not stream is whole. `retry_after` in seconds, where the server named a time."""

    exchange: int
    status: int
    content_type: bytes
    body: Octets
    retry_after: float | None = None


class StreamClosed(msgspec.Struct, frozen=True, gc=False):
    """A response that streams ended, for whatever reason."""

    exchange: int
    reason: str


class Cause(enum.Enum):
    """Why an exchange failed, as far as what follows differs. The value is what the host is told, where it differs."""

    UNREACHABLE = ErrorKind.UNREACHABLE
    """No connection: refused, no such name, no route, a proxy that is down. May pass."""
    UNTRUSTED = "untrusted"
    """The certificate or the handshake is wrong, or whatever else will not pass by itself."""
    LOST = "lost"
    """The connection broke before the response was whole."""
    REDIRECTED = ErrorKind.REDIRECT
    """A redirect that must not be followed."""
    TRUNCATED = ErrorKind.NO_ANSWER
    """The response began, and its body broke off or cannot be decoded."""
    PROTOCOL = ErrorKind.WRONG_ANSWER
    """The response breaks a rule of MCP's transport."""
    TOO_LARGE = ErrorKind.TOO_LARGE
    """The response is larger than allowed."""
    UNAUTHORIZED = ErrorKind.UNAUTHORIZED
    """The server requires a token, and the bridge could not get one that it accepts."""

    @property
    def kind(self) -> ErrorKind:
        """What the host is told."""
        return self.value if isinstance(self.value, ErrorKind) else ErrorKind.UNREACHABLE


class ExchangeFailed(msgspec.Struct, frozen=True, gc=False):
    """An exchange came to nothing. `sent` tells whether the server may have seen the whole request.

    `definite`: the network has answered (no such name, connection refused), so the next seconds change little.
    """

    exchange: int
    cause: Cause
    sent: bool
    message: str
    hint: str = ""
    definite: bool = False


class Connected(msgspec.Struct, frozen=True, gc=False):
    """A connection to the server came about, the first of this run."""


class ConnectFailed(msgspec.Struct, frozen=True, gc=False):
    """A `Connect` came to nothing; see `ExchangeFailed`."""

    message: str
    hint: str = ""
    definite: bool = False


class ConnectDelayed(msgspec.Struct, frozen=True, gc=False):
    """A connection takes long, and none came about before; the message says what is waited for. It may still come."""

    message: str
    hint: str = ""


class NeverConnected(msgspec.Struct, frozen=True, gc=False):
    """No connection came about in the time that a host gives its first requests: they are answered with this."""

    message: str
    hint: str = ""


class TimerFired(msgspec.Struct, frozen=True, gc=False):
    """The time of a `SetTimer` is over."""

    timer: TimerKey


class SignInStarted(msgspec.Struct, frozen=True, gc=False):
    """A person was asked to sign in. What waits for the server may take minutes now, through no fault of its own.

    `widens`: there is a token that is good for other requests, and more scopes are asked for.
    """

    widens: bool = False


class SignInShown(msgspec.Struct, frozen=True, gc=False):
    """What a person has to do to sign in became known, or changed.

    `url` is what he opens; `user_code` what he types in there, empty where nothing (RFC 8628 3.3); `is_open` tells that
    a browser was opened with it, or is being opened; `ends_in` is how many seconds he has; `warnings` are sentences
    that he has to read before.
    """

    url: str
    user_code: str = ""
    is_open: bool = False
    ends_in: float = 0.0
    warnings: tuple[str, ...] = ()


class SignInEnded(msgspec.Struct, frozen=True, gc=False):
    """Nobody is asked any more. `problem` says why there is no token, in words for people; empty: there is one.

    Comes without a `SignInStarted` too: where nobody was asked, as nobody is to be asked without having wished it.
    `widened`: it was for more scopes, and the token in use is as good as it was.
    """

    problem: str = ""
    widened: bool = False


class ResponseFound(msgspec.Struct, frozen=True, gc=False):
    """The kept answer that a `FindResponse` asked for, or None, at `time` (Unix seconds).

    `asked_as` numbers the sign-in that is in use; it changes with whoever is signed in.
    """

    exchange: int
    kept: CachedResult | None
    time: float
    asked_as: int = 0


class SystemResumed(msgspec.Struct, frozen=True, gc=False):
    """The machine slept for about `seconds`: no connection from before can be trusted."""

    seconds: float


ExchangeEvent = ResponseStarted | EventReceived | BodyReceived | StreamClosed | ExchangeFailed | ResponseFound
"""What happens to an exchange; the last four end it."""

Event = (
    HostMessage
    | HostBatch
    | HostClosed
    | ExchangeEvent
    | Connected
    | ConnectFailed
    | ConnectDelayed
    | NeverConnected
    | TimerFired
    | SignInStarted
    | SignInShown
    | SignInEnded
    | SystemResumed
)
