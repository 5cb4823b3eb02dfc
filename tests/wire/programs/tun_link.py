"""A link that takes time, as TCP itself sees it: `python -m tests.wire.programs.tun_link SECONDS`.

For a network namespace of its own (Linux). What is sent to a port of `FAR` comes to the same port of `NEAR`, which is
this machine, so many seconds later, and the answers as much later back: a TUN device whose packets come back late with
their addresses exchanged. A relay cannot do that, for the kernel that it runs on confirms every byte at once; here
SYN, FIN and confirmations take their time too, and what a connection's end confirms is what had come at the other side.

Says `up` when it is, and ends with its input. Only the standard library is needed here.
"""

from __future__ import annotations

import collections
import fcntl
import os
import select
import socket
import struct
import sys
import time

NEAR, FAR = "10.77.0.1", "10.77.0.2"
_MASK = "255.255.255.252"
_DEVICE = b"far0"
_MOST_AT_ONCE = 64
_LONGEST = 65535

# linux/if_tun.h, linux/sockios.h, linux/if.h
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 1, 0x1000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
_IFF_UP = 1


def open_link() -> int:
    """Make the device, set the namespace's own addresses up, and return the device's descriptor. Raises OSError."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22s", _DEVICE, _IFF_TUN | _IFF_NO_PI, b""))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for request, address in ((_SIOCSIFADDR, NEAR), (_SIOCSIFNETMASK, _MASK)):
            told = struct.pack("16sHH4s8s", _DEVICE, socket.AF_INET, 0, socket.inet_aton(address), b"")
            fcntl.ioctl(sock, request, told)
        for name in (b"lo", _DEVICE):
            had = fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("16sH14s", name, 0, b""))
            flags = struct.unpack("16sH14s", had)[1] | _IFF_UP
            fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14s", name, flags, b""))
    return device


def carry(device: int, delay: float) -> None:
    """Bring every packet back after `delay` seconds, until the input ends."""
    under_way: collections.deque[tuple[float, bytes]] = collections.deque()
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        ready, _, _ = select.select([device, sys.stdin], [], [], wait)
        if sys.stdin in ready:
            return
        if device in ready:
            for packet in _packets(device):
                under_way.append((time.monotonic() + delay, packet))
        while under_way and under_way[0][0] <= time.monotonic():
            os.write(device, under_way.popleft()[1])


def _packets(device: int) -> list[bytes]:
    """Those that are there, with their addresses exchanged: of IPv4, whose checksums stay the same by that."""
    packets = []
    for _ in range(_MOST_AT_ONCE):
        try:
            packet = os.read(device, _LONGEST)
        except BlockingIOError:
            break
        if packet[0] >> 4 == 4:
            packets.append(packet[:12] + packet[16:20] + packet[12:16] + packet[20:])
    return packets


if __name__ == "__main__":
    opened = open_link()
    sys.stdout.write("up\n")
    sys.stdout.flush()
    carry(opened, float(sys.argv[1]))
