"""The sockets of a user's session: the message bus, the displays, and the folder most of them are in.

What another process names is believed only after a look at it: a socket that a stranger has put in place of the user's
bus would be handed the user's secrets.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import struct
import sys
from pathlib import Path

_SECONDS = 1.0
# One address of one kind, with nothing in it that would have to be escaped (D-Bus Specification, "Server Addresses").
# Other transports start programs (unixexec:) or leave the machine (tcp:).
_ADDRESS = r"unix:(path|abstract)=([A-Za-z0-9_/.*-]{1,100})(?:,guid=[0-9a-f]{32})?"
_DISPLAY = r"([A-Za-z0-9.-]{0,253}):([0-9]{1,5})(?:\.[0-9]{1,3})?"
_X_SOCKET = "/tmp/.X11-unix/X"  # noqa: S108 - where every X server has it


def bus_address(value: str, user: int) -> str:
    """Return `value` where it is the address of a message bus of `user` that takes connections; else "".

    A bus in the file system has to belong to the user; of any, Linux tells who listens there.
    """
    found = re.fullmatch(_ADDRESS, value)
    if not found:
        return ""
    place = f"\0{found[2]}" if found[1] == "abstract" else found[2]
    if found[1] == "path" and not _is_own_socket(place, user):
        return ""
    owner = _listener(place)
    return value if owner == user or (owner is None and found[1] == "path") else ""


def bus_in(folder: str, user: int) -> str:
    """The address of the user's bus in a runtime folder, where systemd has it; "" where there is none."""
    return bus_address(f"unix:path={folder}/bus", user)


def runtime_folder(value: str, user: int) -> str:
    """Return `value` where it is a folder of `user` that nobody else can look into (XDG Base Directory); else ""."""
    if not Path(value).is_absolute():
        return ""
    with contextlib.suppress(OSError, ValueError):
        found = os.lstat(value)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == user and not stat.S_IMODE(found.st_mode) & 0o077:
            return value
    return ""


def x_display(value: str) -> str:
    """Return `value` where it names an X display: one on this machine has to take connections; else ""."""
    found = re.fullmatch(_DISPLAY, value)
    if not found:
        return ""
    if found[1]:
        return value  # Another machine's, as SSH forwards it. Whether it answers shows when it is used.
    path = f"{_X_SOCKET}{found[2]}"
    return value if _takes_connections(path) or _takes_connections(f"\0{path}") else ""


def wayland_display(value: str, runtime: str, user: int) -> str:
    """Return `value` where it names a socket of `user` that takes connections, in the runtime folder; else ""."""
    if not re.fullmatch(r"[A-Za-z0-9._/-]{1,100}", value) or not (runtime or Path(value).is_absolute()):
        return ""
    path = os.path.join(runtime, value)  # noqa: PTH118 - an absolute value stands for itself
    return value if _is_own_socket(path, user) and _takes_connections(path) else ""


def _is_own_socket(path: str, user: int) -> bool:
    with contextlib.suppress(OSError, ValueError):
        found = os.stat(path)  # noqa: PTH116 - a string, checked by its pattern
        return stat.S_ISSOCK(found.st_mode) and found.st_uid == user
    return False


def _takes_connections(place: str) -> bool:
    try:
        with _connected(place):
            return True
    except OSError:
        return False


def _listener(place: str) -> int | None:
    """The user who listens there; None where the system does not tell; -1 where nobody does."""
    try:
        with _connected(place) as connection:
            if sys.platform != "linux":
                return None
            data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            return int(struct.unpack("3i", data)[1])
    except OSError:
        return -1


def _connected(place: str) -> socket.socket:
    """A connection to a Unix socket; a name that begins with a zero byte is an abstract one. Raises OSError."""
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise OSError("this system has no Unix sockets")
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(_SECONDS)
        connection.connect(place)
    except BaseException:
        connection.close()
        raise
    return connection
