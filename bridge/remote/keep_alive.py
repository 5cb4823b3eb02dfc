"""Socket options that let the system find a dead peer within about a minute, without waking the process.

On an idle connection TCP keep-alive does it: probes after 30 s, then every 10 s, and the third without an answer ends
the connection. While sent data is not confirmed, systems send no probes; they repeat the data for much longer (Linux: a
quarter of an hour, `tcp_retries2`). Each system has another option for that case.

| system | idle, interval, count | unconfirmed data | source |
|---|---|---|---|
| Linux | TCP_KEEPIDLE, _KEEPINTVL, _KEEPCNT | TCP_USER_TIMEOUT, milliseconds | `tcp(7)`, `linux/tcp.h` |
| macOS | TCP_KEEPALIVE, _KEEPINTVL, _KEEPCNT | TCP_RXT_CONNDROPTIME, seconds | xnu, `netinet/tcp.h`, `tcp_timer.c` |
| Windows | TCP_KEEPIDLE, _KEEPINTVL, _KEEPCNT | TCP_MAXRT, seconds | `ws2ipdef.h`; IPPROTO_TCP Socket Options |

The numbers are from the systems' headers, for Python knows only some of them. Other systems get what Python knows.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import NamedTuple


class Option(NamedTuple):
    """An option of IPPROTO_TCP, and its value."""

    name: str
    number: int
    value: int


_IDLE, _INTERVAL, _COUNT = 30, 10, 3
_UNCONFIRMED = 60

_BY_SYSTEM = {
    "linux": (
        Option("TCP_KEEPIDLE", 4, _IDLE),
        Option("TCP_KEEPINTVL", 5, _INTERVAL),
        Option("TCP_KEEPCNT", 6, _COUNT),
        Option("TCP_USER_TIMEOUT", 18, _UNCONFIRMED * 1000),
    ),
    "darwin": (
        Option("TCP_KEEPALIVE", 0x10, _IDLE),
        Option("TCP_KEEPINTVL", 0x101, _INTERVAL),
        Option("TCP_KEEPCNT", 0x102, _COUNT),
        Option("TCP_RXT_CONNDROPTIME", 0x80, _UNCONFIRMED),
    ),
    "win32": (
        Option("TCP_KEEPIDLE", 3, _IDLE),
        Option("TCP_KEEPINTVL", 17, _INTERVAL),
        Option("TCP_KEEPCNT", 16, _COUNT),
        Option("TCP_MAXRT", 5, _UNCONFIRMED),
    ),
}
_NAMES = {"TCP_KEEPIDLE": _IDLE, "TCP_KEEPINTVL": _INTERVAL, "TCP_KEEPCNT": _COUNT}


def options(platform: str) -> tuple[Option, ...]:
    """The options for a system, named as in `sys.platform`."""
    known = _BY_SYSTEM.get(platform)
    if known is not None:
        return known
    return tuple(Option(name, getattr(socket, name), value) for name, value in _NAMES.items() if hasattr(socket, name))


def watch_over(sock: socket.socket, platform: str = sys.platform) -> None:
    """Let the system find a dead peer, and send data without delay (TCP_NODELAY).

    Without an option that the system lacks or forbids, a dead peer is only found later.
    """
    wanted = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    wanted += [(socket.IPPROTO_TCP, tcp.number, tcp.value) for tcp in options(platform)]
    for option in wanted:
        with contextlib.suppress(OSError):
            sock.setsockopt(*option)
