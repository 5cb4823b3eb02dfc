"""Ending a connection so that its peer is sent a reset (RST), on every event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys


def reset(writer: asyncio.StreamWriter) -> None:
    """Reset a connection at once, as a server does that closes with something unread, or a program that crashes."""
    sock = writer.get_extra_info("socket")
    at_once = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    with contextlib.suppress(OSError):  # It may have been reset already.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()
    if not isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop):
        # A Proactor's transport shuts the connection down before it closes it: its end would come before the reset.
        sock._sock.close()
