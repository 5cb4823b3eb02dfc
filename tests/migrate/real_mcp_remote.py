"""npm `mcp-remote` as a process, signed in by a user."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.oauth.user import until, visit
from tests.support.process.node import require_node, require_package
from tests.support.waits import stretched

SECONDS = 30.0
_KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "NODE_COMPILE_CACHE")


def script() -> Path:
    """The file that Node runs."""
    return require_package("mcp-remote", "dist/proxy.js")


@contextlib.asynccontextmanager
async def running(home: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run it for a user with this home folder, who has no browser."""
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    env |= {"HOME": str(home), "USERPROFILE": str(home), "BROWSER": "/no/browser"}
    process = await asyncio.create_subprocess_exec(
        str(require_node()),
        str(script()),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=env,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def sign_in(home: Path, *arguments: str) -> None:
    """Sign in as a user does: open the link that it shows, and wait until it has kept the tokens."""
    async with running(home, *arguments) as process:
        async with asyncio.timeout(stretched(SECONDS)):
            link = await _link(process)
        await visit(link)
        await until(lambda: list(home.rglob("*_tokens.json")), "tokens of mcp-remote", SECONDS)


async def _link(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = ""
    async for line in process.stderr:
        said += line.decode(errors="replace")
        if found := re.search(r"by visiting:\s+(http\S+)\s", said):
            return found[1]
    raise AssertionError(f"mcp-remote ended without a link: {said[-2000:]}")
