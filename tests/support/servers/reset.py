"""Ending a connection so that its peer is sent a reset (RST), on every event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys

_TURNS = 10


def reset(writer: asyncio.StreamWriter, turns: int = _TURNS) -> None:
    """Reset a connection at once, as a server does that closes with something unread, or a program that crashes.

    What was written before has been handed to the system by then: a Proactor's transport does that a turn later.
    """
    loop = asyncio.get_running_loop()
    is_proactor = not isinstance(loop, asyncio.SelectorEventLoop)
    if is_proactor and turns and writer.transport.get_write_buffer_size():
        loop.call_soon(reset, writer, turns - 1)
        return
    sock = writer.get_extra_info("socket")
    at_once = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    with contextlib.suppress(OSError):  # It may have been reset already.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()
    if is_proactor:
        # Its transport shuts the connection down before it closes it: its end would come before the reset.
        sock._sock.close()
