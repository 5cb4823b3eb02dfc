"""The calls that a legacy server has not answered yet, and its notifications about them for a modern host.

A call may outlast the host's request that began it: where the server asks for input, the host's request is answered
with the question, and the host's retry waits for the result (MCP 2026-07-28, Multi Round-Trip Requests).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec
from msgspec import Raw

from bridge import PROGRAM
from bridge.protocol import jsonrpc, mcp, writing
from bridge.protocol.jsonrpc import Notification, Octets, Request, RequestId, Response
from bridge.protocol.writing import members
from bridge.translate.request_meta import ModernRequest

_MAX_MISSED = 32


class ForwardedCall:
    """A request of the host, from its arrival to its answer. `server_id` is its id for the server, 0 before it is sent.

    `waiting` is the host's request that waits for the answer; where there is none, `answer` stores an answer that came
    meanwhile, and `missed` the last progress. `level` and `token` are the log level and the progress token (as JSON) of
    the host's last request for it; `server_token` is the token that the server knows. `is_task`: it was sent as a task;
    `task_id` (as JSON) is empty until the server has named the task.
    """

    __slots__ = (
        "answer",
        "is_over",
        "is_task",
        "level",
        "method",
        "missed",
        "server_id",
        "server_token",
        "target",
        "task_id",
        "token",
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
        self.missed: deque[Notification] = deque(maxlen=_MAX_MISSED)
        self.is_task = False
        self.task_id = b""


class ForwardedCalls:
    """A table of the calls that were sent and have no answer."""

    def __init__(self) -> None:
        self._by_id: dict[RequestId, ForwardedCall] = {}
        self._by_token: dict[RequestId, ForwardedCall] = {}

    def __iter__(self) -> Iterator[ForwardedCall]:
        """The newest first."""
        return reversed(self._by_id.values())

    def get(self, about: RequestId) -> ForwardedCall | None:
        """The call with this id for the server."""
        return self._by_id.get(about)

    def enter(self, call: ForwardedCall, server_id: int) -> bytes:
        """Add a call that is sent now. Return the progress token to send with it, as JSON; empty for none.

        It is the host's own token, unless another call still has that, for which the host does not wait any more.
        """
        call.server_id = server_id
        self._by_id[server_id] = call
        key, token = _token_key(call.token), call.token
        if key is None:
            return b""
        if key in self._by_token:
            key = f"{PROGRAM}-{server_id}"
            token = msgspec.json.encode(key)
        call.server_token = key
        self._by_token[key] = call
        return token

    def move(self, call: ForwardedCall, server_id: int) -> None:
        """The server knows a call by another id from now on."""
        self._by_id.pop(call.server_id, None)
        call.server_id = server_id
        self._by_id[server_id] = call

    def remove(self, call: ForwardedCall) -> None:
        """The server answered a call, or its answer is not wanted any more."""
        self._by_id.pop(call.server_id, None)
        if call.server_token is not None:
            self._by_token.pop(call.server_token, None)

    def progress(self, message: Notification) -> Octets | None:
        """`notifications/progress` as the host gets it now; None where none of its unanswered requests is meant."""
        said = members(message.params)
        key = _token_key(bytes(said.get("progressToken", Raw())))
        call = self._by_token.get(key) if key is not None else None
        if call is None:
            return None
        if call.waiting is None:
            call.missed.append(message)
            return None
        return _progress_line(message, said, call.token)

    def missed_progress(self, call: ForwardedCall) -> Iterator[Octets]:
        """The progress that came while the host did not wait, as the host gets it now that it waits again."""
        while call.missed:
            message = call.missed.popleft()
            if line := _progress_line(message, members(message.params), call.token):
                yield line

    def wants_log(self, message: Notification, about: RequestId | None) -> bool:
        """Whether an unanswered request of the host asked for this log message."""
        try:
            said = members(message.params)
            level = mcp.LOG_LEVELS.index(msgspec.json.decode(said.get("level", Raw()), type=str))
        except (ValueError, UnicodeDecodeError):
            return False
        meant = self._by_id.values() if about is None else [call for call in [self.get(about)] if call]
        return any(call.waiting is not None and call.level is not None and call.level <= level for call in meant)


def _progress_line(message: Notification, said: dict[str, Raw], token: bytes) -> Octets | None:
    """The notification with the host's token; None where the host asked for no progress."""
    if not token:
        return None
    if bytes(said["progressToken"]) == token:
        return message.line
    params = {**said, "progressToken": Raw(token)}
    return writing.notification(message.method, msgspec.json.encode(params)).line


def _token_key(token: bytes) -> RequestId | None:
    """Tokens are compared as ids are, by value: `1` and `1.0` are the same."""
    try:
        return jsonrpc.request_id(token) if token else None
    except jsonrpc.NotAMessage:
        return None
