"""Newline-delimited framing (MCP, stdio transport): bytes in, lines out, whatever the pieces they come in."""

from __future__ import annotations


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
