"""Writes text to stderr without waiting for the host, which may not read it; lines that must be dropped are counted.

| stderr | who writes |
|---|---|
| is ready, and takes a text of that length whole (POSIX: `PIPE_BUF`, 4096 bytes on Linux, 512 on macOS) | the caller |
| is not ready; the text is longer; a pipe or file on Windows, where select takes sockets only | a thread |
| a console of Windows; a stream without a descriptor | the caller: the user reads it, or nothing can block |

The thread starts with the first text that needs it. While `MOST_WAITING` bytes wait, new lines are dropped until half
of them are written; then a line tells how many. The thread writes to the descriptor and not to the stream, because the
interpreter takes the stream's lock when it ends, and would wait for a stderr that is never read.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import TextIO

from bridge import PROGRAM

MOST_WAITING = 64 * 1024
"""How many bytes may wait before lines are dropped: as many as a pipe holds."""


class StderrLines:
    """Writes to the current `sys.stderr`. Any thread may call each method, and none raises anything."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # The first one stays here while it is being written.
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._dropped = 0
        self._is_full = False
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def write(self, text: str, *, is_kept: bool = False) -> None:
        """Write whole lines. Those that are `is_kept` are never dropped, however much waits."""
        stream = sys.stderr
        if stream is None:  # A Windows program without a console has none.
            return
        # It may be closed or broken; then the text is lost, and nothing else happens.
        with suppress(Exception), self._changed:
            descriptor = _descriptor_of(stream)
            if descriptor is None:
                stream.write(text)
                stream.flush()
                return
            data = _encoded(text, stream)
            if not self._waiting and _takes_at_once(descriptor, len(data)):
                data = data[os.write(descriptor, data) :]
                if data:  # Another process that shares the descriptor made it non-blocking.
                    self._add(descriptor, data)
            elif (self._is_full or self._size + len(data) > MOST_WAITING) and not is_kept:
                self._is_full = True
                self._dropped += 1
            else:
                self._tell_of_dropped(descriptor)
                self._add(descriptor, data)

    def close(self, seconds: float) -> None:
        """Wait until all is written, but at most so long; a thread that is still writing then is left running."""
        with self._changed:
            self._is_closed = True
            if self._waiting:
                self._tell_of_dropped(self._waiting[0][0])
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting, seconds)

    def _add(self, descriptor: int, data: bytes) -> None:
        self._waiting.append((descriptor, data))
        self._size += len(data)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _tell_of_dropped(self, descriptor: int) -> None:
        if self._dropped:
            lines = f"{self._dropped} lines" if self._dropped > 1 else "1 line"
            text = f"{PROGRAM}: warning: {lines} dropped because stderr was not read{os.linesep}"
            self._dropped = 0
            self._add(descriptor, text.encode("ascii"))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                descriptor, data = self._waiting[0]
            with suppress(OSError, ValueError):
                _write_all(descriptor, data)
            with self._changed:
                if self._is_full and self._size - len(data) <= MOST_WAITING // 2:
                    self._is_full = False
                    self._tell_of_dropped(descriptor)
                self._waiting.popleft()
                self._size -= len(data)
                self._changed.notify_all()


def _descriptor_of(stream: TextIO) -> int | None:
    """The descriptor to write to; None where the stream itself has to be used."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return None
    # A console takes characters, not bytes, and the stream writes those.
    return None if sys.platform == "win32" and stream.isatty() else descriptor


def _encoded(text: str, stream: TextIO) -> bytes:
    return text.replace("\n", os.linesep).encode(stream.encoding or "utf-8", stream.errors or "backslashreplace")


def _takes_at_once(descriptor: int, size: int) -> bool:
    """Whether a text of this size can be written without waiting (POSIX, write and select). Raises OSError."""
    if sys.platform == "win32" or size > select.PIPE_BUF:
        return False
    return bool(select.select([], [descriptor], [], 0)[1])


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
