"""Programs in Linux namespaces (unshare(1)), which end with them: whether they can be made, and running one."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.waits import stretched

_PROBE_LIMIT = stretched(20.0)
_ROOT = Path(__file__).parents[3]


def why_not(probe: Sequence[str], what: str) -> str:
    """Why there is no `what` here; empty where the command `probe` prints "up"."""
    if sys.platform != "linux":
        return f"{what} needs Linux"
    if shutil.which("unshare") is None:
        return "there is no `unshare` here (util-linux)"
    done = subprocess.run(
        probe,
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PROBE_LIMIT,
        check=False,
    )
    if done.returncode == 0 and done.stdout == "up\n":
        return ""
    said = next(iter(done.stderr.splitlines()[-1:]), f"exit code {done.returncode}")
    return f"{what} is not permitted here: {said}"


async def output_of(command: Sequence[str], limit: float) -> str:
    """What the command prints within `limit` seconds; fails with the end of its stderr."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(limit):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode(errors="replace")[-6000:]
    return out.decode()
