"""Takes a lock in a process of its own, says so, and keeps it until its input ends."""

import asyncio
import sys
from pathlib import Path

from bridge.store.locks import ProcessLocks


async def hold(folder: Path, name: str) -> None:
    async with ProcessLocks(folder, lambda _: None).hold(name, 20):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(hold(Path(sys.argv[1]), sys.argv[2]))
