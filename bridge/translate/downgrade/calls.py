"""The calls a legacy server is at work on, and what of its notifications about them a modern host hears.

A call outlives the host's request that began it: where the server asks something back, the host's request ends with the
question, and another, the retry, waits for the rest (MCP 2026-07-28, Multi Round-Trip Requests).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec
from msgspec import Raw

from bridge.protocol import jsonrpc, mcp, writing
from bridge.protocol.jsonrpc import Notification, Octets, Request, RequestId, Response
from bridge.protocol.writing import members
from bridge.translate.request_meta import ModernRequest

_UNHEARD = 32


class ForwardedCall:
    """One call. `server_id` is its id towards the server, 0 before it was sent.

    `waiting` is the host's request that waits for the answer; without one, `answer` keeps what came meanwhile. `level`
    and `token` are the log level and progress token (as JSON) of the host's last request for it; `server_token` is the
    token the server knows. `unheard` is the progress told while nobody waited. `is_task`: it was sent as one; `task_id`
    (as JSON) once the server has made it one.
    """

    __slots__ = (
        "answer",
        "is_over",
        "is_task",
        "level",
        "method",
        "server_id",
        "server_token",
        "target",
        "task_id",
        "token",
        "unheard",
        "waiting",
    )

    def __init__(self, asked: ModernRequest) -> None:
        self.method = asked.method
        self.target = asked.target
        self.server_id = 0
        self.waiting: Request | None = asked.request
        self.answer: Response | None = None
        self.is_over = False
        self.level = asked.level
        self.token = bytes(asked.token)
        self.server_token: RequestId | None = None
        self.unheard: deque[Notification] = deque(maxlen=_UNHEARD)
        self.is_task = False
        self.task_id = b""


class ForwardedCalls:
    """The table of those that were sent and are not answered."""

    def __init__(self) -> None:
        self._by_id: dict[RequestId, ForwardedCall] = {}
        self._by_token: dict[RequestId, ForwardedCall] = {}

    def __iter__(self) -> Iterator[ForwardedCall]:
        """The newest first."""
        return reversed(self._by_id.values())

    def get(self, about: RequestId) -> ForwardedCall | None:
        """The call with this id towards the server."""
        return self._by_id.get(about)

    def enter(self, call: ForwardedCall, server_id: int) -> bytes:
        """Take a call that is sent now; return the progress token to send it with, as JSON, empty for none.

        It is the host's own, unless a call whose host waits no more still has that.
        """
        call.server_id = server_id
        self._by_id[server_id] = call
        key, token = _token_key(call.token), call.token
        if key is None:
            return b""
        if key in self._by_token:
            key = f"mcp-remote-bridge-{server_id}"
            token = msgspec.json.encode(key)
        call.server_token = key
        self._by_token[key] = call
        return token

    def move(self, call: ForwardedCall, server_id: int) -> None:
        """The server goes on with a call under another id."""
        self._by_id.pop(call.server_id, None)
        call.server_id = server_id
        self._by_id[server_id] = call

    def remove(self, call: ForwardedCall) -> None:
        """The server has answered it, or nobody wants the answer any more."""
        self._by_id.pop(call.server_id, None)
        if call.server_token is not None:
            self._by_token.pop(call.server_token, None)

    def progress(self, message: Notification) -> Octets | None:
        """What the host is told now of a `notifications/progress`: None where no request of its own is meant."""
        said = members(message.params)
        key = _token_key(bytes(said.get("progressToken", Raw())))
        call = self._by_token.get(key) if key is not None else None
        if call is None:
            return None
        if call.waiting is None:
            call.unheard.append(message)
            return None
        return _progress_line(message, said, call.token)

    def caught_up(self, call: ForwardedCall) -> Iterator[Octets]:
        """What the host is told of the progress that was made while it did not wait, now that it does again."""
        while call.unheard:
            message = call.unheard.popleft()
            if line := _progress_line(message, members(message.params), call.token):
                yield line

    def wants_log(self, message: Notification, about: RequestId | None) -> bool:
        """Whether a request of the host's that waits asked to hear this log message."""
        try:
            said = members(message.params)
            level = mcp.LOG_LEVELS.index(msgspec.json.decode(said.get("level", Raw()), type=str))
        except (ValueError, UnicodeDecodeError):
            return False
        meant = self._by_id.values() if about is None else [call for call in [self.get(about)] if call]
        return any(call.waiting is not None and call.level is not None and call.level <= level for call in meant)


def _progress_line(message: Notification, said: dict[str, Raw], token: bytes) -> Octets | None:
    """The notification for a host that waits under this token; None where it asked for no progress."""
    if not token:
        return None
    if bytes(said["progressToken"]) == token:
        return message.line
    params = {**said, "progressToken": Raw(token)}
    return writing.notification(message.method, msgspec.json.encode(params)).line


def _token_key(token: bytes) -> RequestId | None:
    """Tokens are compared as ids are: by value, not by spelling."""
    try:
        return jsonrpc.request_id(token) if token else None
    except jsonrpc.NotAMessage:
        return None
