"""Calls around an idle limit over a link as long as an ocean, and what came of each: `python -m ... WANTED`.

For a network namespace of its own, which `tests/wire/far.py` makes. `WANTED` is JSON, and what came is printed so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from bridge.remote.proxy import Proxy
from tests.wire.caller import Caller
from tests.wire.equipment import Site
from tests.wire.far import FarCall, Wanted
from tests.wire.origin import Origin, serving
from tests.wire.paths import TOOL
from tests.wire.programs import tun_link
from tests.wire.programs.brief_server import Brief
from tests.wire.programs.tun_link import FAR, NEAR
from tests.wire.running import running
from tests.wire.table import all_equipment


def main() -> None:
    wanted = Wanted(**json.loads(sys.argv[1]))
    with link(wanted.delay):
        calls = asyncio.run(process_calls(wanted) if wanted.process else all_calls(wanted))
    sys.stdout.write(json.dumps([asdict(call) for call in calls]))


@contextlib.contextmanager
def link(delay: float) -> Iterator[None]:
    """The link, from when it is up."""
    command = [sys.executable, "-m", tun_link.__name__, str(delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield


async def all_calls(wanted: Wanted) -> list[FarCall]:
    """A call after each pause, each by a connection of its own, all at the same time."""
    async with server(wanted) as (port, ran, proxied):
        url, proxy = f"http://{FAR}:{port}", None
        if proxied:
            url, proxy = proxied, Proxy(url)
        return list(await asyncio.gather(*(call_twice(url, proxy, pause, ran) for pause in wanted.pauses)))


async def call_twice(url: str, proxy: Proxy | None, pause: float, ran: Callable[[str], int]) -> FarCall:
    """Call, pause, and call again; tells of the second call."""
    async with Caller(url, proxy=proxy) as caller:
        assert (await caller.post("/length")).status == 200
        await asyncio.sleep(pause)
        called = await caller.post("/length")
        answered = called.started is not None and called.started.status == 200
        return FarCall(pause, answered, called.is_in_doubt, ran(called.mark), called.told())


async def process_calls(wanted: Wanted) -> list[FarCall]:
    """A call after each pause, one after the other, by the bridge's own process."""
    from tests.support.process.bridge_process import launch  # It takes a second, and the others do without.

    async with server(wanted) as (port, _, _), launch(f"http://{FAR}:{port}/mcp", "--allow-http") as bridge:
        await bridge.initialize()
        calls = []
        for pause in wanted.pauses:
            await bridge.request("tools/list")
            await asyncio.sleep(pause)
            line = await bridge.call(TOOL, pause=pause)
            answered = "result" in line.value
            kind = None if answered else line.kind
            calls.append(FarCall(pause, answered, kind == "outcome-unknown", int(answered), line.raw.decode()[:900]))
        return calls


@contextlib.asynccontextmanager
async def server(wanted: Wanted) -> AsyncIterator[tuple[int, Callable[[str], int], str]]:
    """What is called: its port, how often it ran what bears a mark, and the URL behind it where it is a proxy."""
    if not wanted.equipment:
        marks: list[str] = []
        listening = await asyncio.get_running_loop().create_server(lambda: Brief(wanted.limit, marks), NEAR, 0)
        try:
            yield listening.sockets[0].getsockname()[1], marks.count, ""
        finally:
            listening.close()
        return
    row = next(row for row in all_equipment() if row.name == wanted.equipment)
    certificates = Path(wanted.certificates)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "both.pem")
    with serving(context) as origin, running(row, site(origin, certificates, Path(wanted.installed))) as equipment:

        def ran(mark: str) -> int:
            return (equipment.ran() if row.serves else origin.ran).count(mark)

        behind = f"http://127.0.0.1:{origin.port}" if wanted.door.startswith("proxy") else ""
        yield equipment.site.ports[wanted.door], ran, behind


def site(origin: Origin, certificates: Path, installed: Path) -> Site:
    """Everything of this namespace, which no one else can reach."""
    return Site(
        folder=Path(),
        ports={},
        origin=origin.port,
        origin_tls=origin.tls_port,
        closed=0,
        certificates=certificates,
        installed=installed,
        node=Path(),
        node_modules=Path(),
        address="0.0.0.0",
    )


if __name__ == "__main__":
    main()
