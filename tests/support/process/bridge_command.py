"""The bridge's commands for people, as somebody runs them in a terminal or from a script: lines in, lines out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from tests.support.oauth.site import Site
from tests.support.process.bridge_process import ROOT, command, environment, let_go_of, start_bridge
from tests.support.process.fork_server import ForkedProcess
from tests.support.servers.fault_http import DEADLINE, Bell
from tests.support.waits import stretched


class Command:
    """A running command. Made by `start_command`."""

    def __init__(self, process: asyncio.subprocess.Process | ForkedProcess) -> None:
        self.process = process
        self.out = ""
        self.err = ""
        self._bell = Bell()
        self._closed = 0
        assert process.stdout is not None
        assert process.stderr is not None
        self._tasks = [
            asyncio.create_task(self._read(process.stdout, "out")),
            asyncio.create_task(self._read(process.stderr, "err")),
        ]

    @property
    def said(self) -> str:
        """All it wrote so far."""
        return self.out + self.err

    async def says(self, text: str, deadline: float = DEADLINE) -> None:
        """Wait for a text on stdout or stderr."""
        await self._bell.until(lambda: text in self.said or self._closed == 2, f"{text!r}", deadline)
        assert text in self.said, f"it ended without {text!r}: {self.said[-2000:]}"

    async def says_more_than(self, length: int, deadline: float = DEADLINE) -> None:
        """Wait until it has written more than so many characters."""
        await self._bell.until(lambda: len(self.said) > length or self._closed == 2, "another word", deadline)
        assert len(self.said) > length, f"it ended without another word: {self.said[-2000:]}"

    async def type(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()

    def close_stdin(self) -> None:
        """End of input, as `< /dev/null` has it."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def wait(self, deadline: float = DEADLINE) -> int:
        """Wait for its end and all it said; returns the exit code."""
        try:
            async with asyncio.timeout(stretched(deadline)):
                code = await self.process.wait()
                await asyncio.gather(*self._tasks)
        except TimeoutError:
            raise AssertionError(f"still running after {deadline} s: {self.said[-2000:]}") from None
        return code

    async def end(self) -> None:
        """Kill it if it runs, and let go of its pipes."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        let_go_of(self.process)

    async def _read(self, stream: asyncio.StreamReader, name: str) -> None:
        while data := await stream.read(1 << 16):
            # A person sees the same whatever ends a line; one that came in two pieces is joined first.
            setattr(self, name, (getattr(self, name) + data.decode(errors="replace")).replace("\r\n", "\n"))
            self._bell.ring()
        self._closed += 1
        self._bell.ring()


@contextlib.asynccontextmanager
async def start_command(
    site: Site, *words: str, env: Mapping[str, str] | None = None, stdin: int = asyncio.subprocess.PIPE
) -> AsyncIterator[Command]:
    """Run `mcp-remote-bridge` with these words among the files of the site's person."""
    own = environment(site.person.home, site.variables("info") | dict(env or {}))
    process: asyncio.subprocess.Process | ForkedProcess
    if stdin == asyncio.subprocess.PIPE:
        process = await start_bridge(words, own)
    else:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command(*words), stdin=stdin, stdout=pipe, stderr=pipe, env=own, cwd=ROOT
        )
    running = Command(process)
    try:
        yield running
    finally:
        await running.end()
    assert "Traceback" not in running.said, running.said
    for secret, kind in site.secrets.items():
        assert secret not in running.said, f"{kind} shown by {words[0]}"


async def run_command(site: Site, *words: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run it to its end with nothing on its stdin; returns the exit code and all it said."""
    async with start_command(site, *words, env=env) as running:
        running.close_stdin()
        code = await running.wait(20)
        return code, running.said
