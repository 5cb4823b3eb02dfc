"""Server-Sent Events, decoded as they arrive (WHATWG HTML, 9.2.6 Interpreting an event stream).

Two differences from the standard, both for MCP: an event without data is also returned when it has an id or a retry
time (servers send such events so that the stream can be resumed), and the buffer has a limit. Values stay bytes: the
data is JSON, which is passed on as it is.

A large event is in memory once. As soon as the name of the field is known, its data goes line by line into one buffer,
and that buffer becomes the event's data. A line costs no more than its bytes: a million empty `data` lines are a
million newlines.
"""

from __future__ import annotations

import codecs

import msgspec

from bridge.protocol.jsonrpc import Octets

_DATA = b"data:"
_MOST_DIGITS = 18
_LONGEST_OTHER = 1 << 20
_DIGITS = frozenset(b"0123456789")


class EventTooLarge(ValueError):
    """An event is larger than allowed."""


class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One event. `data` is None where the event had none; `id` is None where it had none; `retry` in milliseconds."""

    type: bytes = b"message"
    data: Octets | None = None
    id: bytes | None = None
    retry: int | None = None


class EventStreamDecoder:
    """Takes the bytes of one event stream, in any pieces, and returns its events."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._tail = bytearray()
        self._is_in_data = False
        self._skip_newline = False
        self._head = b""
        self._started = False
        self._type = b""
        self._data: Octets | None = None
        self._id: bytes | None = None
        self._retry: int | None = None

    @property
    def held(self) -> int:
        """The number of bytes that are buffered for the unfinished event."""
        return len(self._tail) + len(self._data or b"") + len(self._type) + len(self._id or b"")

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
        if self._is_in_data or self._tail:
            piece, newline, chunk = chunk.partition(b"\n")
            if not self._end_line(piece, is_whole=bool(newline)):
                return []
        lines = chunk.split(b"\n")
        tail = lines.pop()
        events: list[ServerSentEvent] = []
        for line in lines:
            if line:
                self._field(line)
            else:
                self._dispatch(events)
        if tail:
            self._begin_line(tail)
        self._check_size()
        return events

    def _with_plain_newlines(self, chunk: bytes) -> bytes:
        """Turn CR and CRLF into LF. A CRLF may be split between two chunks."""
        if self._skip_newline and chunk:
            self._skip_newline = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._skip_newline = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _begin_line(self, part: bytes) -> None:
        """A part of a line came. Data goes into its final buffer; any other line is buffered until it is complete."""
        if len(part) <= len(_DATA) or not part.startswith(_DATA):
            self._tail = bytearray(part)
            return
        self._open_data(part[len(_DATA) :].removeprefix(b" "))
        if not isinstance(self._data, bytearray):
            self._data = bytearray(self._data or b"")
        self._is_in_data = True

    def _end_line(self, piece: bytes, *, is_whole: bool) -> bool:
        """Continue a line of which a part came. Return whether it is complete now."""
        if self._is_in_data:
            assert isinstance(self._data, bytearray)  # noqa: S101 - `_begin_line` made it one
            self._data += piece
        elif is_whole:
            line, self._tail = bytes(self._tail + piece), bytearray()
            self._field(line)
        elif len(self._tail) <= len(_DATA):
            line, self._tail = bytes(self._tail + piece), bytearray()
            self._begin_line(line)
        else:
            self._tail += piece
            if len(self._tail) > _LONGEST_OTHER:
                raise EventTooLarge(f"a line that is not data is larger than {_LONGEST_OTHER} bytes")
        self._check_size()
        if is_whole:
            self._is_in_data = False
        return is_whole

    def _open_data(self, value: bytes) -> None:
        """Begin a `data` line. A single one stays as it is; several share a buffer."""
        if self._data is None:
            self._data = value
            return
        if not isinstance(self._data, bytearray):
            self._data = bytearray(self._data)
        self._data += b"\n"
        self._data += value

    def _check_size(self) -> None:
        if self.held > self._max_bytes:
            raise EventTooLarge(f"an event is larger than {self._max_bytes} bytes")

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._open_data(value)
        elif name == b"event":
            self._type = value
        elif name == b"id":
            if b"\0" not in value:
                self._id = value
        elif name == b"retry" and value and _DIGITS.issuperset(value):
            self._retry = int(value[-_MOST_DIGITS:])

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        data = self._data
        if data is not None and len(data) > self._max_bytes:
            self._check_size()
        if data is not None or self._id is not None or self._retry is not None:
            events.append(ServerSentEvent(self._type or b"message", data or None, self._id, self._retry))
        self._type = b""
        self._data = self._id = self._retry = None
