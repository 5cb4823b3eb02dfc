"""Where a message of the host's begins and ends: bytes in, messages out, whatever the pieces they come in.

MCP's stdio transport delimits messages by newlines. Some hosts, Cline among them, start a second copy of a server that
was slow and speak the framing of the Language Server Protocol to it: a `Content-Length` header, a blank line, the
message. Which one a host speaks shows in its first bytes, and it is answered in the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = b"content-length:"
_LENGTH = rb"(?im)^content-length[ \t]*:[ \t]*(\d{1,10})[ \t]*\r?$"
_END_OF_HEAD = rb"\r?\n\r?\n"
_LONGEST_HEAD = 4096


class Overlong:
    """Stands for a line that was longer than allowed; its bytes were dropped as they came. `size` in bytes."""

    def __init__(self, size: int) -> None:
        self.size = size


class LineSplitter:
    """Cuts a byte stream into lines without their ends (LF or CRLF); blank lines are left out.

    The pieces of an unfinished line are kept apart until its end comes, so a 64 MB line costs one join.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._held = 0
        self._dropping = False

    def feed(self, data: bytes) -> list[bytes | Overlong]:
        """Take what was read and return the lines that are now whole, in order."""
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
        """Return the last line, which had no end."""
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
    """Stands for bytes where a `Content-Length` header was expected and none came. `size` in bytes."""

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
        """Take what was read and return the messages that are now whole, in order."""
        self._held += data
        messages: list[Framed] = []
        while self._take(messages):
            pass
        return messages

    def end(self) -> list[Framed]:
        """Return what is left, which is no whole message."""
        return [Unframed(len(self._held))] if self._held.strip() else []

    def _take(self, messages: list[Framed]) -> bool:
        """Take one head or one message; False where more has to come first."""
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
"""A message of the host's, or what stands for one that cannot be read."""


class HostFraming:
    """Cuts the host's bytes into messages; the first bytes show how it delimits them.

    `has_headers`: it writes `Content-Length` headers, and expects them in what it reads.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._begun = b""
        self._splitter: LineSplitter | ContentLengthSplitter | None = None
        self.has_headers = False

    def feed(self, data: bytes) -> Sequence[Framed]:
        """Take what was read and return the messages that are now whole, in order."""
        if self._splitter is not None:
            return self._splitter.feed(data)
        self._begun += data
        begins = self._begun.lstrip()[: len(_HEADER)].lower()
        if begins != _HEADER and _HEADER.startswith(begins):
            return []  # It may be either.
        self.has_headers = begins == _HEADER
        begun, self._begun = self._begun, b""
        if self.has_headers:
            begun = begun.lstrip()
        self._splitter = ContentLengthSplitter(self._max_bytes) if self.has_headers else LineSplitter(self._max_bytes)
        return self._splitter.feed(begun)

    def end(self) -> Sequence[Framed]:
        """Return what is left at the end of the input."""
        if self._splitter is not None:
            return self._splitter.end()
        return [self._begun.strip()] if self._begun.strip() else []


def header_for(size: int) -> bytes:
    """The head of a message of so many bytes, for a host that expects one."""
    return b"Content-Length: %d\r\n\r\n" % size
