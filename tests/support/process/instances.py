"""Copies of the bridge as desktop hosts start them: several at once, each in a process group of its own.

A host ends a copy in any of the `ENDINGS`, and most do within seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping

from tests.support.oauth.site import Site
from tests.support.process.bridge_process import BridgeProcess, Line
from tests.support.revisions import Wire
from tests.support.waits import stretched

COPIES = 5
"""How many a host starts for one server at most."""

SLOW = 40.0
"""Seconds for what several processes do side by side on a small machine."""

ENDINGS = ("closed-stdin", "terminated", "killed", *(() if sys.platform == "win32" else ("group-killed",)))


@contextlib.asynccontextmanager
async def start_copy(
    site: Site,
    *arguments: str,
    url: str | None = None,
    env: Mapping[str, str] | None = None,
    wire: Wire | None = None,
    as_program: bool = False,
) -> AsyncIterator[BridgeProcess]:
    """Start one copy for the site's person, who is waited for as by default. `wire` checks what passes to its host.

    `as_program` is for what the system shows of a process (`fork_server`).
    """
    extra = (
        site.variables()
        | {"MCP_BRIDGE_PATIENCE": f"{stretched(2):g}", "MCP_BRIDGE_ANSWER_WITHIN": f"{stretched(8):g}"}
        | dict(env or {})
    )
    started = site.person.launch(
        url or site.server.url, *arguments, env=extra, wire=wire, own_session=True, as_program=as_program
    )
    async with started as copy:
        with site.watched(copy):
            try:
                yield copy
            except BaseException as error:
                error.add_note(f"stderr of the copy: {copy.stderr[-30:]}")
                raise


@contextlib.asynccontextmanager
async def start_copies(
    site: Site, count: int = COPIES, *arguments: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[list[BridgeProcess]]:
    """Start several copies at the same moment."""
    async with contextlib.AsyncExitStack() as stack:
        starting = [stack.enter_async_context(start_copy(site, *arguments, env=env)) for _ in range(count)]
        yield list(await asyncio.gather(*starting))


async def end_copy(copy: BridgeProcess, ending: str) -> None:
    """End a copy in one of the `ENDINGS`, and wait until it is gone."""
    copy.may_break_off = True
    process = copy.process
    if ending == "closed-stdin":
        copy.close_stdin()
    elif ending == "terminated":
        process.terminate()
    elif ending == "killed" or sys.platform == "win32":
        process.kill()
    else:
        assert ending == "group-killed", ending
        os.killpg(process.pid, signal.SIGKILL)
    await copy.wait(5)


async def tool_names(copy: BridgeProcess, deadline: float = SLOW) -> list[str]:
    """The tools that the server has, as a host that heeds `list_changed` gets to know them."""
    while True:
        listed = await copy.request("tools/list", deadline=deadline)
        names = names_in(listed)
        if names != ["sign_in"]:
            return names
        await copy.receive("notifications/tools/list_changed", deadline)


def names_in(listed: Line) -> list[str]:
    """The names in the answer to `tools/list`."""
    return [tool["name"] for tool in listed.result["tools"]]


def text_in(called: Line) -> str:
    """The text of a tool's result."""
    return "\n".join(part["text"] for part in called.result["content"] if part["type"] == "text")


async def works(copy: BridgeProcess, deadline: float = SLOW) -> None:
    """Open the session, if that is to be done yet, list the tools of the server and call one."""
    await copy.initialize(deadline=deadline)
    await serves(copy, deadline)


async def serves(copy: BridgeProcess, deadline: float = SLOW) -> None:
    """In a session that is open: the tools of the server are listed, and one is called."""
    names = await tool_names(copy, deadline)
    assert "echo" in names, names
    assert "sign_in" not in names
    answer = await copy.call("echo", deadline=deadline, said="hello")
    assert "hello" in text_in(answer)
