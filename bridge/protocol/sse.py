"""Server-Sent Events, decoded as they come (WHATWG HTML, 9.2.6 Interpreting an event stream).

Two departures, both for MCP: an event without data is still told when it carries an id or a retry time (a server primes
resumption with them), and what is buffered has a limit. Values stay bytes: the data is JSON that is passed on as it is.
"""

from __future__ import annotations

import codecs

import msgspec

_MOST_DIGITS = 18
_DIGITS = frozenset(b"0123456789")


class EventTooLarge(ValueError):
    """An event is larger than allowed."""


class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One event. `data` is None where the event had none; `id` is None where it had none; `retry` in milliseconds."""

    type: bytes = b"message"
    data: bytes | None = None
    id: bytes | None = None
    retry: int | None = None


class EventStreamDecoder:
    """Takes the bytes of one event stream in any pieces and returns its events."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._tail: list[bytes] = []
        self._tail_size = 0
        self._skip_newline = False
        self._head = b""
        self._started = False
        self._type = b""
        self._data: list[bytes] = []
        self._data_size = 0
        self._id: bytes | None = None
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that this chunk completes. Raises `EventTooLarge`."""
        if not self._started:
            chunk = self._head + chunk
            if len(chunk) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(chunk):
                self._head = chunk
                return []
            self._started = True
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        chunk = self._with_plain_newlines(chunk)
        first, newline, rest = chunk.partition(b"\n")
        self._hold(first)
        if not newline:
            return []
        events: list[ServerSentEvent] = []
        lines = rest.split(b"\n")
        lines[:0] = [b"".join(self._tail)]
        last = lines.pop()
        self._tail.clear()
        self._tail_size = 0
        for line in lines:
            if line:
                self._field(line)
            else:
                self._dispatch(events)
        self._hold(last)
        return events

    def _with_plain_newlines(self, chunk: bytes) -> bytes:
        """Turn CR and CRLF into LF; a CRLF may be cut between two chunks."""
        if self._skip_newline and chunk:
            self._skip_newline = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._skip_newline = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._tail.append(piece)
            self._tail_size += len(piece)
            self._check_size()

    def _check_size(self) -> None:
        if self._tail_size + self._data_size > self._max_bytes:
            raise EventTooLarge(f"an event is larger than {self._max_bytes} bytes")

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._data_size += len(value)
            self._check_size()
        elif name == b"event":
            self._type = value
        elif name == b"id":
            if b"\0" not in value:
                self._id = value
        elif name == b"retry" and value and _DIGITS.issuperset(value):
            self._retry = int(value[-_MOST_DIGITS:])

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        data = b"\n".join(self._data) if self._data else None
        if data is not None or self._id is not None or self._retry is not None:
            events.append(ServerSentEvent(self._type or b"message", data or None, self._id, self._retry))
        self._reset()

    def _reset(self) -> None:
        self._type = b""
        self._data = []
        self._data_size = 0
        self._id = None
        self._retry = None
