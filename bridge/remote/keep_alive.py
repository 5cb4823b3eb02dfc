"""Socket options by which the system itself finds a dead peer within about a minute, without waking the process.

Keep-alive finds one on an idle connection: asked after 30 s, then every 10 s, and given up after 3 questions. While
something was sent and is not confirmed no system asks so, and sends it again for much longer (Linux: a quarter of an
hour, `tcp_retries2`); each has another option for that.

| system | idle, interval, count | unconfirmed data | source |
|---|---|---|---|
| Linux | TCP_KEEPIDLE, _KEEPINTVL, _KEEPCNT | TCP_USER_TIMEOUT, milliseconds | `tcp(7)`, `linux/tcp.h` |
| macOS | TCP_KEEPALIVE, _KEEPINTVL, _KEEPCNT | TCP_RXT_CONNDROPTIME, seconds | xnu, `netinet/tcp.h`, `tcp_timer.c` |
| Windows | TCP_KEEPIDLE, _KEEPINTVL, _KEEPCNT | TCP_MAXRT, seconds | `ws2ipdef.h`; IPPROTO_TCP Socket Options |

The numbers are the systems' own, for Python knows only some of them. Any other system gets what Python knows of it.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import NamedTuple


class Option(NamedTuple):
    """An option of IPPROTO_TCP, and the value it is given."""

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
    """The options of a system, named as `sys.platform` names it."""
    known = _BY_SYSTEM.get(platform)
    if known is not None:
        return known
    return tuple(Option(name, getattr(socket, name), value) for name, value in _NAMES.items() if hasattr(socket, name))


def watch_over(sock: socket.socket, platform: str = sys.platform) -> None:
    """Have the system find out when the peer is dead; and send at once what is to be sent (TCP_NODELAY).

    An option that a system lacks, or forbids here, costs only speed in finding a dead peer.
    """
    wanted = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    wanted += [(socket.IPPROTO_TCP, option.number, option.value) for option in options(platform)]
    for one in wanted:
        with contextlib.suppress(OSError):
            sock.setsockopt(*one)
