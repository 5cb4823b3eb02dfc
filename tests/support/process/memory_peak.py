"""A process that asks a server several things at once and says how much memory that took at its peak: Linux only.

`python -m tests.support.process.memory_peak URL COUNT` prints the sizes of what came, and the peak in bytes.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
from pathlib import Path

from bridge.remote.connecting import Route, origin_of
from bridge.remote.connections import Connections
from bridge.remote.exchanges import Remote, RemoteRequest
from bridge.session.events import BodyReceived, Event, EventReceived, ExchangeFailed


def peak() -> int:
    """The most memory this process has had, in bytes. Not `ru_maxrss`: that counts what the parent had at the fork."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


async def ask(url: str, count: int) -> list[int]:
    """Ask so many things at once; return the sizes of what came, and -1 for what failed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    sizes: list[int] = []

    def emit(event: Event) -> None:
        if isinstance(event, BodyReceived):
            sizes.append(len(event.body))
        elif isinstance(event, EventReceived):
            sizes.append(len(event.event.data or b""))
        elif isinstance(event, ExchangeFailed):
            sizes.append(-1)

    async def clear() -> None:
        pass

    remote = Remote(url, (), Connections(Route(origin_of(url), None, tls), 60), emit=emit, clear=clear)
    await asyncio.gather(*(remote.run(RemoteRequest(number, b"GET", ())) for number in range(1, count + 1)))
    return sizes


if __name__ == "__main__":
    came = asyncio.run(ask(sys.argv[1], int(sys.argv[2])))
    print(json.dumps({"sizes": came, "peak": peak()}))  # noqa: T201 - this is what it is for
