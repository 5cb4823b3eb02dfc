"""The host's requests that have no answer yet, and the batches they came in."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.protocol import mcp, messages
from bridge.protocol.jsonrpc import Octets, Request, RequestId
from bridge.session.cursor import Cursor
from bridge.session.session_state import Exchange
from bridge.session.timers import Timer

_MAX_TOOLS = 10_000
_MAX_CALLS = 4096
_MAX_BYTES = 512 * 1024 * 1024


class Batch:
    """Answers that are sent together in one array, when the last one is there (MCP 2025-03-26, Batching)."""

    def __init__(self, expected: int, answers: list[Octets]) -> None:
        self._expected = expected
        self._delivery = answers

    def add(self, answer: Octets | None) -> bytes | None:
        """Add an answer, or None for a request that gets none; returns the line when the batch is complete."""
        self._expected -= 1
        if answer is not None:
            self._delivery.append(answer)
        return self.line() if self._expected <= 0 else None

    def line(self) -> bytes | None:
        """The answers so far as one line, or None if there are none."""
        return b"[%b]" % b",".join(self._delivery) if self._delivery else None


class Call:
    """One request from the host, until it is answered.

    | attribute | what it is |
    |---|---|
    | `ids` | the ids that an answer may carry: the host's, and the id it was last sent with if that is another |
    | `version`, `headers` | the revision that the request names, and the headers that follow from the request itself |
    | `exchange` | the HTTP request that is in progress for it |
    | `cursor` | the place in the stream that answers it |
    | `session_id` | the session that the response to `initialize` named |
    | `sends`, `sent_at` | how many times it was sent, and when it was sent last |
    | `attempts` | the number of tries in a row that failed |
    | `cuts` | how many times the connection was lost after it was sent |
    | `renewals` | in how many new sessions it was sent again |
    | `waited` | for how many seconds in all `Retry-After` was obeyed |
    | `retry_until` | when the bridge stops trying to reach the server |
    | `trouble` | what went wrong last, as a sentence |
    | `timer` | the timer for the next try, or for an answer on another stream |
    | `deadline`, `progress_token` | the timer of `--request-timeout`, and the token whose progress restarts it |
    | `lookup` | the look for a cached answer |
    | `is_early` | it was last sent while the gate was ajar |
    | `is_mended` | it was sent again with headers that the server had missed |
    """

    __slots__ = (
        "attempts",
        "batch",
        "cursor",
        "cuts",
        "deadline",
        "exchange",
        "headers",
        "ids",
        "is_early",
        "is_mended",
        "lookup",
        "number",
        "progress_token",
        "renewals",
        "request",
        "retry_until",
        "sends",
        "sent_at",
        "session_id",
        "timer",
        "trouble",
        "version",
        "waited",
    )

    def __init__(self, number: int, request: Request, batch: Batch | None, cursor: Cursor) -> None:
        self.number = number
        self.request = request
        self.ids: tuple[RequestId, ...] = (request.id,)
        self.batch = batch
        self.exchange: Exchange | None = None
        self.attempts = 0
        self.cuts = 0
        self.headers: tuple[tuple[bytes, bytes], ...] = ()
        self.version = ""
        self.is_early = False
        self.is_mended = False
        self.sends = 0
        self.sent_at = 0.0
        self.trouble = ""
        self.renewals = 0
        self.retry_until: float | None = None
        self.waited = 0.0
        self.cursor = cursor
        self.session_id: bytes | None = None
        self.progress_token = b""
        self.lookup: Exchange | None = None
        self.timer: Timer | None = None
        self.deadline: Timer | None = None


class Calls:
    """The calls in progress, by the host's ids. The server's own requests are never in here, whatever their ids.

    `resumable`: whether the server's streams can be resumed.
    """

    def __init__(self, *, resumable: bool = True) -> None:
        self._resumable = resumable
        self._by_id: dict[RequestId, Call] = {}
        self._by_alias: dict[RequestId, Call] = {}
        self._last_number = 0
        self._bytes = 0
        self._repeatable_tools: dict[str, bool] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._by_id.values()))

    def __contains__(self, id_: RequestId) -> bool:
        return id_ in self._by_id

    @property
    def is_full(self) -> bool:
        """Whether there are too many calls, or their bytes are too many, to take another one."""
        return len(self._by_id) >= _MAX_CALLS or self._bytes >= _MAX_BYTES

    def enter(self, request: Request, batch: Batch | None) -> Call:
        """Begin a call. Its id must not be in use."""
        self._last_number += 1
        self._bytes += len(request.line)
        call = Call(self._last_number, request, batch, Cursor(resumable=self._resumable))
        self._by_id[request.id] = call
        return call

    def get(self, id_: RequestId | None) -> Call | None:
        """The call with this id, or this alias."""
        return None if id_ is None else self._by_id.get(id_) or self._by_alias.get(id_)

    def alias(self, call: Call, id_: RequestId) -> None:
        """Note that a call was sent with another id than the host's. This replaces its earlier alias."""
        self._forget_alias(call)
        call.ids = (call.request.id, id_)
        self._by_alias[id_] = call

    def _forget_alias(self, call: Call) -> None:
        for id_ in call.ids[1:]:
            self._by_alias.pop(id_, None)

    def is_open(self, call: Call) -> bool:
        """Whether a call has no answer yet, and was not cancelled."""
        return self._by_id.get(call.request.id) is call

    def remove(self, call: Call) -> bool:
        """End a call; returns False if it had ended before."""
        if not self.is_open(call):
            return False
        del self._by_id[call.request.id]
        self._forget_alias(call)
        self._bytes -= len(call.request.line)
        return True

    def learn_tools(self, hints: dict[str, bool]) -> None:
        """Note which tools say that calling them twice does no harm. Each page of a list adds to the others."""
        self._repeatable_tools.update(hints)
        if len(self._repeatable_tools) > _MAX_TOOLS:
            self._repeatable_tools = hints

    def is_repeatable(self, request: Request) -> bool:
        """Whether a request may be sent again although the server may have run it."""
        if request.method == mcp.TOOLS_CALL:
            return self._repeatable_tools.get(messages.named(request.params), False)
        return request.method in mcp.IDEMPOTENT_METHODS
