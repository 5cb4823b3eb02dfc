"""Who holds a port: a person told of a taken port wants to know what to end."""

from __future__ import annotations

import os
import re
from typing import Any

from bridge import PROGRAM
from bridge.protocol.sanitize import shown

UNKNOWN = "another program"

_LONGEST_NAME = 60


def describe_port_owner(port: int) -> str:
    """Return who listens on the TCP `port` of this machine, such as `python3 (process 4711)`.

    It is "another program" where the system does not tell. Asks the system and may take some tenths of a
    second: call it in a thread. Raises nothing.
    """
    try:
        process = _listening_process(port)
        return UNKNOWN if process is None else _describe(process)
    except Exception:  # psutil raises whatever the platform thinks of; the sentence is only the kinder for a name.
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
        # macOS tells the whole table to root only, but each process of one's own to anybody.
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
        return f"this very program (process {number})"
    try:
        process = psutil.Process(number)
        name = shown(process.name(), _LONGEST_NAME)
        if name != PROGRAM and _is_bridge(process):
            name = f"{PROGRAM}, run by {name}"
    except psutil.Error:
        name = ""
    return f"{name or UNKNOWN} (process {number})"


def _is_bridge(process: Any) -> bool:
    """Whether it is a bridge like this one. Only the words that name the program are looked at, none is shown."""
    import psutil

    try:
        words = process.cmdline()[:3]
    except psutil.Error:
        return False
    named = any(re.split(r"[/\\]", word)[-1].removesuffix(".exe") == PROGRAM for word in words)
    return named or words[1:3] == ["-m", "bridge"]
