"""Checks the sockets of a user's session: the message bus, the displays, and the runtime folder.

A path or address from another process is used only after these checks: a socket that another user has put in place of
the user's bus would receive the user's secrets.
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
# One address of one transport, without escaped characters (D-Bus Specification, "Server Addresses").
# Other transports start programs (unixexec:) or use the network (tcp:).
_ADDRESS = r"unix:(path|abstract)=([A-Za-z0-9_/.*-]{1,100})(?:,guid=[0-9a-f]{32})?"
_DISPLAY = r"([A-Za-z0-9.-]{0,253}):([0-9]{1,5})(?:\.[0-9]{1,3})?"
_X_SOCKET = "/tmp/.X11-unix/X"  # noqa: S108 - where every X server has it


def bus_address(value: str, user: int) -> str:
    """Return `value` if it is the address of a message bus of `user` that accepts connections; else "".

    A socket in the file system must belong to the user. On Linux, the process that listens must belong to the user too.
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
    """The address of the user's bus in a runtime folder, where systemd puts it; "" without one."""
    return bus_address(f"unix:path={folder}/bus", user)


def runtime_folder(value: str, user: int) -> str:
    """Return `value` if it is a folder of `user` that others cannot open (XDG Base Directory); else ""."""
    if not Path(value).is_absolute():
        return ""
    with contextlib.suppress(OSError, ValueError):
        found = os.lstat(value)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == user and not stat.S_IMODE(found.st_mode) & 0o077:
            return value
    return ""


def x_display(value: str) -> str:
    """Return `value` if it names an X display; one on this machine must accept connections. Else ""."""
    found = re.fullmatch(_DISPLAY, value)
    if not found:
        return ""
    if found[1]:
        return value  # On another machine, as with SSH forwarding; it is not tested here.
    path = f"{_X_SOCKET}{found[2]}"
    return value if _accepts_connections(path) or _accepts_connections(f"\0{path}") else ""


def wayland_display(value: str, runtime: str, user: int) -> str:
    """Return `value` if it names a socket of `user`, in the runtime folder, that accepts connections; else ""."""
    if not re.fullmatch(r"[A-Za-z0-9._/-]{1,100}", value) or not (runtime or Path(value).is_absolute()):
        return ""
    path = os.path.join(runtime, value)  # noqa: PTH118 - an absolute value replaces the folder
    return value if _is_own_socket(path, user) and _accepts_connections(path) else ""


def _is_own_socket(path: str, user: int) -> bool:
    with contextlib.suppress(OSError, ValueError):
        found = os.stat(path)  # noqa: PTH116 - a string, checked by its pattern
        return stat.S_ISSOCK(found.st_mode) and found.st_uid == user
    return False


def _accepts_connections(place: str) -> bool:
    try:
        with _connected(place):
            return True
    except OSError:
        return False


def _listener(place: str) -> int | None:
    """The id of the user whose process listens; None if the system does not tell; -1 if none listens."""
    try:
        with _connected(place) as connection:
            if sys.platform != "linux":
                return None
            data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            return int(struct.unpack("3i", data)[1])
    except OSError:
        return -1


def _connected(place: str) -> socket.socket:
    """Connect to a Unix socket. A name that begins with a zero byte is an abstract socket. Raises OSError."""
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
