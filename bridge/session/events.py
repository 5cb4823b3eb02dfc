"""Events: what happens to a machine. `exchange` is the number in the command that began the HTTP request."""

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
"""A timer's purpose, and the number of the call or other object that it belongs to (0: the machine itself)."""


class HostMessage(msgspec.Struct, frozen=True, gc=False):
    """The host sent a message. `version`: the revision that a modern request names, if it was read already."""

    message: Message
    version: str = ""


class HostBatch(msgspec.Struct, frozen=True, gc=False):
    """The host sent a batch (MCP 2025-03-26, Batching). `errors` are the answers to members that are not messages."""

    messages: list[Message]
    errors: list[bytes]


class HostClosed(msgspec.Struct, frozen=True, gc=False):
    """The run ends: end of input, a signal, or a closed output."""


class ResponseStarted(msgspec.Struct, frozen=True, gc=False):
    """The head of a response came. `streams`: events follow; otherwise one body."""

    exchange: int
    status: int
    session_id: bytes | None
    streams: bool


class EventReceived(msgspec.Struct, frozen=True, gc=False):
    """An event came on a stream."""

    exchange: int
    event: ServerSentEvent


class BodyReceived(msgspec.Struct, frozen=True, gc=False):
    """A response that is not a stream is complete. `retry_after` in seconds, if the server named a time."""

    exchange: int
    status: int
    content_type: bytes
    body: Octets
    retry_after: float | None = None


class StreamClosed(msgspec.Struct, frozen=True, gc=False):
    """A stream ended."""

    exchange: int
    reason: str


class Cause(enum.Enum):
    """Why an exchange failed, as far as the bridge reacts differently. Most values are the kind of the host's error."""

    UNREACHABLE = ErrorKind.UNREACHABLE
    """No connection: refused, unknown host name, no route, a proxy that is down. It may pass."""
    UNTRUSTED = "untrusted"
    """A bad certificate or handshake, or another failure that will not pass by itself."""
    LOST = "lost"
    """The connection was lost before the response was complete."""
    REDIRECTED = ErrorKind.REDIRECT
    """A redirect that must not be followed."""
    TRUNCATED = ErrorKind.NO_ANSWER
    """The body of the response was cut off or cannot be decoded."""
    PROTOCOL = ErrorKind.WRONG_ANSWER
    """The response breaks a rule of MCP's transport."""
    TOO_LARGE = ErrorKind.TOO_LARGE
    """The response is larger than allowed."""
    UNAUTHORIZED = ErrorKind.UNAUTHORIZED
    """The server requires a token, and the bridge could not get one that it accepts."""

    @property
    def kind(self) -> ErrorKind:
        """The kind of the error that the host gets."""
        return self.value if isinstance(self.value, ErrorKind) else ErrorKind.UNREACHABLE


class ExchangeFailed(msgspec.Struct, frozen=True, gc=False):
    """An exchange failed. `sent`: the server may have received the whole request.

    `definite`: the network has answered (unknown host name, connection refused), so trying again soon does not help.
    """

    exchange: int
    cause: Cause
    sent: bool
    message: str
    hint: str = ""
    definite: bool = False


class Connected(msgspec.Struct, frozen=True, gc=False):
    """The first connection to the server in this run is open."""


class ConnectFailed(msgspec.Struct, frozen=True, gc=False):
    """A `Connect` failed; see `ExchangeFailed`."""

    message: str
    hint: str = ""
    definite: bool = False


class ConnectDelayed(msgspec.Struct, frozen=True, gc=False):
    """The first connection takes long; the message says what the bridge is waiting for. It may still succeed."""

    message: str
    hint: str = ""


class NeverConnected(msgspec.Struct, frozen=True, gc=False):
    """There was no connection in the time that a host gives its first requests: they fail with this message."""

    message: str
    hint: str = ""


class TimerFired(msgspec.Struct, frozen=True, gc=False):
    """The time of a `SetTimer` is over."""

    timer: TimerKey


class SignInStarted(msgspec.Struct, frozen=True, gc=False):
    """The user was asked to sign in. What waits for the server may now take minutes.

    `widens`: the current token stays valid for other requests; the sign-in asks for more scopes.
    """

    widens: bool = False


class SignInShown(msgspec.Struct, frozen=True, gc=False):
    """What the user has to do to sign in became known, or changed.

    `url` is the page to open; `user_code` the code to type in there, empty if there is none (RFC 8628 3.3). `is_open`:
    a browser was opened with it, or is being opened. `ends_in`: the seconds that are left. `warnings` are sentences
    that the user must read first.
    """

    url: str
    user_code: str = ""
    is_open: bool = False
    ends_in: float = 0.0
    warnings: tuple[str, ...] = ()


class SignInEnded(msgspec.Struct, frozen=True, gc=False):
    """The sign-in is over. `problem` is a sentence that says why there is no token; empty: there is one.

    It may come without a `SignInStarted`: when the bridge must not ask the user without being told to. `widened`: the
    sign-in was for more scopes, and the current token is as valid as before. `needs_change`: another sign-in fails in
    the same way until something was changed.
    """

    problem: str = ""
    widened: bool = False
    needs_change: bool = False


class ResponseFound(msgspec.Struct, frozen=True, gc=False):
    """The cached answer that a `FindResponse` asked for, or None, at `time` (Unix seconds).

    `asked_as` numbers the current sign-in; it changes with the account that is signed in.
    """

    exchange: int
    kept: CachedResult | None
    time: float
    asked_as: int = 0


class ResultSaved(msgspec.Struct, frozen=True, gc=False):
    """A `SaveResult` is over: the paths of the result and of its text, which is empty where it has none.

    `problem` says why the result could not be saved; empty where it was.
    """

    number: int
    path: str = ""
    text_path: str = ""
    problem: str = ""


class SystemResumed(msgspec.Struct, frozen=True, gc=False):
    """The computer slept for about `seconds`, so every open connection may be dead."""

    seconds: float


ExchangeEvent = ResponseStarted | EventReceived | BodyReceived | StreamClosed | ExchangeFailed | ResponseFound
"""The events of an exchange; the last four end it."""

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
    | ResultSaved
)
