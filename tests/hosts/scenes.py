"""The servers that the bridge is pointed at, and the user who is asked to sign in.

| scenario | server | user | what has to come of it |
|---|---|---|---|
| `plain` | any may use it | | its tool is called |
| `at-once` | wants a token | consents as soon as the browser opens | its tool is called |
| `after-20-s` | wants a token | consents after 20 s | its tool is called, or the host is told what to do |
| `refused` | wants a token | refuses | the host is told so |
| `no-one` | wants a token | does nothing | the host is told what to do |
| `dead` | does not run | | the host is told so |
| `wrong-name` | has a host name that does not exist | | the host is told so |
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.running import write_browser
from tests.support.oauth.answers import Answer
from tests.support.oauth.authority import Authority
from tests.support.oauth.protected_server import ProtectedServer
from tests.support.ports import free_port
from tests.support.servers.fault_http import Exchange
from tests.support.servers.fault_server import Call, FaultServer

CONSENT_DELAY = 20.0
LOGIN_TIMEOUT = 30
"""Seconds a sign-in waits for a user who does nothing; the default would have each host wait five minutes."""


@dataclass(frozen=True)
class Scene:
    """One scenario, with its servers running."""

    url: str
    browser: Path
    record: Path
    """What the browser did."""
    told: re.Pattern[str]
    """What the host's user has to read where the tool cannot be called."""
    server: FaultServer | None = None
    authority: Authority | None = None
    arguments: tuple[str, ...] = ()
    """Options of the bridge."""

    def called(self) -> bool:
        """Whether the server's tool was called."""
        if self.server is None:
            return False
        calls = [request.message for request in self.server.seen("tools/call")]
        return any(call["params"]["name"] == "echo" for call in calls)

    def listed(self) -> bool:
        """Whether the server's tools were asked for."""
        return self.server is not None and bool(self.server.seen("tools/list"))

    def tabs(self) -> int:
        """How many times the browser was opened."""
        if not self.record.exists():
            return 0
        return sum("opened" in json.loads(line) for line in self.record.read_text().splitlines())

    def secrets(self) -> dict[str, str]:
        """What no host may be shown."""
        return self.authority.ledger.secrets if self.authority else {}


@contextlib.asynccontextmanager
async def scene(name: str, folder: Path) -> AsyncIterator[Scene]:
    """Run the servers of a scenario; `folder` takes the user's browser and what it did."""
    kind = "record" if name == "no-one" else "follow"
    browser = write_browser(folder, kind)
    record = folder / "browser.jsonl"
    if name == "dead":
        url = f"http://127.0.0.1:{free_port()}/mcp"
        yield Scene(url, browser, record, re.compile(r"connection was refused"))
    elif name == "wrong-name":
        yield Scene(
            "https://nope.invalid/mcp", browser, record, re.compile(r"the name nope\.invalid cannot be resolved")
        )
    elif name == "plain":
        async with FaultServer() as server:
            complete(server)
            yield Scene(server.url, browser, record, re.compile(r"(?!)"), server)
    else:
        async with Authority() as authority, ProtectedServer(authority) as server:
            complete(server)
            link = re.escape(authority.url("authorize"))
            told = f"{link}|mcp-remote-bridge login"
            arguments: tuple[str, ...] = ()
            if name == "refused":
                authority.denies = {"error": "access_denied", "error_description": "The user said no"}
                told = "access_denied|sign-in was refused"
            elif name == "after-20-s":
                # A host that keeps its first list can be told no more than that.
                told += "|is signed in to .*Its tools appear when"
                authority.always("authorize", _late(authority))
            elif name == "no-one":
                arguments = ("--login-timeout", str(LOGIN_TIMEOUT))
                told += f"|not finished within {LOGIN_TIMEOUT} seconds"
            yield Scene(server.url, browser, record, re.compile(told), server, authority, arguments)


def complete(server: FaultServer) -> None:
    """Have the server answer as the standard wants it where it makes things up: some hosts check."""

    async def nothing(call: Call) -> None:
        await call.json(call.reply({}))

    async def unknown(call: Call) -> None:
        await call.json(call.failure(-32601, "Method not found"))

    server.always("logging/setLevel", nothing)
    for method in ("prompts/list", "resources/list", "resources/templates/list", "server/discover"):
        server.always(method, unknown)


def _late(authority: Authority) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await asyncio.sleep(CONSENT_DELAY)
        await authority.behave(exchange)

    return answer
