"""Cuts the bytes from a host into messages, in whatever pieces they arrive.

MCP's stdio transport delimits messages with newlines. When a server is slow, some hosts, Cline among them, start it a
second time and use the framing of the Language Server Protocol: a `Content-Length` header, a blank line, the message.
The first bytes show which framing a host uses; the bridge answers in the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = b"content-length:"
_LENGTH = rb"(?im)^content-length[ \t]*:[ \t]*(\d{1,10})[ \t]*\r?$"
_END_OF_HEAD = rb"\r?\n\r?\n"
_LONGEST_HEAD = 4096


class Overlong:
    """In place of a message that was longer than allowed. Its bytes were dropped as they came. `size` in bytes."""

    def __init__(self, size: int) -> None:
        self.size = size


class LineSplitter:
    """Cuts a byte stream into lines, without LF or CRLF. Blank lines are left out.

    The pieces of an unfinished line are joined when its end comes, so a line of 64 MB is copied once.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._held = 0
        self._dropping = False

    def feed(self, data: bytes) -> list[bytes | Overlong]:
        """Take what was read, and return the lines that are complete now, in order."""
        first, newline, rest = data.partition(b"\n")
        self._take(first)
        if not newline:
            return []
        lines: list[bytes | Overlong] = []
        self._finish(lines)
        *whole, last = rest.split(b"\n")
        for line in whole:
            self._take(line)
            self._finish(lines)
        self._take(last)
        return lines

    def end(self) -> list[bytes | Overlong]:
        """Return the last line, which has no newline."""
        lines: list[bytes | Overlong] = []
        self._finish(lines)
        return lines

    def _take(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > self._max_bytes:
            self._dropping = True
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def _finish(self, lines: list[bytes | Overlong]) -> None:
        if self._dropping:
            lines.append(Overlong(self._held))
        elif self._pieces:
            line = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            if line := line.strip(b" \t\r"):
                lines.append(line)
        self._pieces.clear()
        self._held = 0
        self._dropping = False


class Unframed:
    """In place of bytes that came where a `Content-Length` header was expected. `size` in bytes."""

    def __init__(self, size: int) -> None:
        self.size = size


class ContentLengthSplitter:
    """Cuts a byte stream into messages that each have a `Content-Length` header (LSP 3.17, Base Protocol)."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._length: int | None = None
        self._to_skip = 0

    def feed(self, data: bytes) -> list[Framed]:
        """Take what was read, and return the messages that are complete now, in order."""
        self._held += data
        messages: list[Framed] = []
        while self._take(messages):
            pass
        return messages

    def end(self) -> list[Framed]:
        """Return the rest, which is not a complete message."""
        return [Unframed(len(self._held))] if self._held.strip() else []

    def _take(self, messages: list[Framed]) -> bool:
        """Take one header or one message; False where it is not complete."""
        if self._to_skip:
            dropped = min(len(self._held), self._to_skip)
            del self._held[:dropped]
            self._to_skip -= dropped
            return dropped > 0
        if self._length is None:
            return self._take_head(messages)
        if len(self._held) < self._length:
            return False
        if message := bytes(self._held[: self._length]).strip():
            messages.append(message)
        del self._held[: self._length]
        self._length = None
        return True

    def _take_head(self, messages: list[Framed]) -> bool:
        end = re.search(_END_OF_HEAD, self._held)
        if end is None:
            if len(self._held) > _LONGEST_HEAD:
                messages.append(Unframed(len(self._held)))
                self._held.clear()
            return False
        head = bytes(self._held[: end.start()])
        del self._held[: end.end()]
        if (found := re.search(_LENGTH, head)) is None:
            messages.append(Unframed(len(head)))
        elif (length := int(found[1])) > self._max_bytes:
            messages.append(Overlong(length))
            self._to_skip = length
        else:
            self._length = length
        return True


Framed = bytes | Overlong | Unframed
"""A message from the host, or what is in its place where it cannot be read."""


class HostFraming:
    """Cuts the bytes from a host into messages; the first bytes show which framing it uses.

    `has_headers`: the host writes `Content-Length` headers, and expects them in what it reads.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._begun = b""
        self._splitter: LineSplitter | ContentLengthSplitter | None = None
        self.has_headers = False

    def feed(self, data: bytes) -> Sequence[Framed]:
        """Take what was read, and return the messages that are complete now, in order."""
        if self._splitter is not None:
            return self._splitter.feed(data)
        self._begun += data
        begins = self._begun.lstrip()[: len(_HEADER)].lower()
        if begins != _HEADER and _HEADER.startswith(begins):
            return []  # Both are possible.
        self.has_headers = begins == _HEADER
        begun, self._begun = self._begun, b""
        if self.has_headers:
            begun = begun.lstrip()
        self._splitter = ContentLengthSplitter(self._max_bytes) if self.has_headers else LineSplitter(self._max_bytes)
        return self._splitter.feed(begun)

    def end(self) -> Sequence[Framed]:
        """Return the rest at the end of the input."""
        if self._splitter is not None:
            return self._splitter.end()
        return [self._begun.strip()] if self._begun.strip() else []


def header_for(size: int) -> bytes:
    """The header of a message of `size` bytes, for a host that expects one."""
    return b"Content-Length: %d\r\n\r\n" % size
