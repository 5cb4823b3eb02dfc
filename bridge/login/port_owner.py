"""Which program listens on a port, so that the user knows what to end."""

from __future__ import annotations

import os
import re
from typing import Any

from bridge import PROGRAM
from bridge.protocol.sanitize import shown

UNKNOWN = "another program"

_LONGEST_NAME = 60


def describe_port_owner(port: int) -> str:
    """Return which program listens on the TCP `port` of this machine, such as `python3 (process 4711)`.

    It is "another program" if the system does not say. The call may take some tenths of a second, so make it in a
    thread. Raises nothing.
    """
    try:
        process = _listening_process(port)
        return UNKNOWN if process is None else _describe(process)
    except Exception:  # psutil may raise anything; the message works without a name too.
        return UNKNOWN


def _listening_process(port: int) -> int | None:
    import psutil

    def listens(connection: Any) -> bool:
        at = connection.laddr
        return bool(at) and at.port == port and connection.status == psutil.CONN_LISTEN

    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.pid and listens(connection):
                return int(connection.pid)
    except psutil.AccessDenied:
        # macOS gives the whole table only to root, but the user's own processes to the user.
        for process in psutil.process_iter():
            try:
                if any(map(listens, process.net_connections(kind="tcp"))):
                    return int(process.pid)
            except psutil.Error:
                continue
    return None


def _describe(number: int) -> str:
    import psutil

    if number == os.getpid():
        return f"this program (process {number})"
    try:
        process = psutil.Process(number)
        name = shown(process.name(), _LONGEST_NAME)
        if name != PROGRAM and _is_bridge(process):
            name = f"{PROGRAM}, run by {name}"
    except psutil.Error:
        name = ""
    return f"{name or UNKNOWN} (process {number})"


def _is_bridge(process: Any) -> bool:
    """Whether it is another copy of the bridge. Only the words that name the program are read, and none is shown."""
    import psutil

    try:
        words = process.cmdline()[:3]
    except psutil.Error:
        return False
    named = any(re.split(r"[/\\]", word)[-1].removesuffix(".exe") == PROGRAM for word in words)
    return named or words[1:3] == ["-m", "bridge"]
