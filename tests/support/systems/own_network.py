"""A network of a program's own (Linux): addresses that look public, and a name service that says what a test wants.

`run_within` starts a program in namespaces for network, mounts and processes, which end with it; there `set_up` puts
addresses on the loopback device, and `NameService` is the one that the system's resolver asks. Nothing of it is seen
outside.
"""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from tests.support.systems import namespaces
from tests.support.waits import stretched

PROBE = "probe.own-network.example"
_TTL = 0

# linux/sockios.h, linux/if.h
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
_IFF_UP = 1

# RFC 1035 4.1
_HEADER = struct.Struct(">6H")
_IS_ANSWER, _NO_SUCH_NAME = 0x8180, 3
_A, _INTERNET = 1, 1


@functools.cache
def why_not() -> str:
    """What this system does not have or permit; empty where such a network can be made."""
    return namespaces.why_not(command(__name__), "a network with a name service of its own")


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module in namespaces of its own."""
    own = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return [*own, *user, sys.executable, "-m", module, *arguments]


async def run_within(module: str, limit: float) -> str:
    """What the module prints. Skips the test where there is no such network; fails with what it said on stderr."""
    import pytest  # The program itself has no need of it.

    if why := await asyncio.to_thread(why_not):
        pytest.skip(why)
    return await namespaces.output_of(command(module), stretched(limit))


def set_up(addresses: Iterable[str]) -> None:
    """Put IPv4 addresses on the loopback device, and have the resolver ask 127.0.0.1. Raises OSError.

    The table of hosts has `localhost` only, for what else runs there.
    """
    import fcntl  # Not on Windows, where this is never called.

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        had = fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("16sH14s", b"lo", 0, b""))
        flags = struct.unpack("16sH14s", had)[1] | _IFF_UP
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags, b""))
        for number, address in enumerate(addresses):
            for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.255")):
                told = struct.pack("16sHH4s8s", b"lo:%d" % number, socket.AF_INET, 0, socket.inet_aton(value), b"")
                fcntl.ioctl(sock, request, told)
    folder = Path(tempfile.mkdtemp())
    for name, text in (
        ("resolv.conf", "nameserver 127.0.0.1\noptions attempts:1 timeout:2\n"),
        ("hosts", "127.0.0.1 localhost\n"),
    ):
        (folder / name).write_text(text)
        bind = ["mount", "--bind", str(folder / name), f"/etc/{name}"]
        done = subprocess.run(bind, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(done.stderr.strip())
    shutil.rmtree(folder)


class NameService(asyncio.DatagramProtocol):
    """Answers A questions by `says(name)`: IPv4 addresses, None for a name that is not known. Use `start`."""

    def __init__(self, says: Callable[[str], list[str] | None]) -> None:
        self.asked: list[str] = []
        self._says = says
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        """Listen where the resolver asks."""
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 53))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question, name, kind = _read_question(data)
        found = self._says(name)
        answers = [
            # The name is the question's, by a pointer to it.
            struct.pack(">HHHIH", 0xC00C, _A, _INTERNET, _TTL, 4) + socket.inet_aton(address)
            for address in (found or [])
            if kind == _A
        ]
        if kind == _A:
            self.asked.append(name)
        flags = _IS_ANSWER | (_NO_SUCH_NAME if found is None else 0)
        head = _HEADER.pack(int.from_bytes(data[:2]), flags, 1, len(answers), 0, 0)
        assert self._transport is not None
        self._transport.sendto(head + question + b"".join(answers), addr)


def _read_question(data: bytes) -> tuple[bytes, str, int]:
    """The question's bytes, its name and its type."""
    labels, at = [], _HEADER.size
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    return data[_HEADER.size : at + 5], ".".join(labels), int.from_bytes(data[at + 1 : at + 3])


async def _probe() -> None:
    set_up(["8.8.8.8"])
    await NameService(lambda name: ["8.8.8.8"] if name == PROBE else None).start()
    found = await asyncio.get_running_loop().getaddrinfo(PROBE, 80, type=socket.SOCK_STREAM)
    if [entry[4][0] for entry in found] != ["8.8.8.8"]:
        raise OSError("the resolver asks another name service")


if __name__ == "__main__":
    asyncio.run(_probe())
    sys.stdout.write("up\n")
