"""A bridge at work for a person: started, its handshake answered, its calls checked."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping

from tests.support.oauth.user import Person
from tests.support.process.bridge_process import BridgeProcess, launch

SIGN_IN_DEADLINE = 20.0
"""Seconds for an answer behind which a person signs in: a cold start of several programs on a busy machine."""


@contextlib.asynccontextmanager
async def bridge_of(
    person: Person, url: str, *arguments: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[BridgeProcess]:
    """Run the bridge among this person's files and with this person's browser; nothing was said to it yet."""
    async with launch(url, *arguments, env=person.environment() | dict(env or {})) as bridge:
        yield bridge


async def greet(bridge: BridgeProcess) -> None:
    """The handshake and one call of a server with `tests.support.servers.reference_features`."""
    await bridge.initialize(deadline=SIGN_IN_DEADLINE)
    await works(bridge)


async def works(bridge: BridgeProcess) -> None:
    """One call, answered as it has to be."""
    said = {"to": "the protected server"}
    answer = await bridge.call("echo", deadline=SIGN_IN_DEADLINE, **said)
    assert answer.result["structuredContent"] == {"value": said}


async def leave(bridge: BridgeProcess) -> None:
    """Quit as a host does; the bridge ends well and in time."""
    bridge.close_stdin()
    assert await bridge.wait() == 0, bridge.stderr[-10:]


async def run_once(person: Person, url: str, *arguments: str, env: Mapping[str, str] | None = None) -> list[str]:
    """A bridge from its start to its end, with a call between; returns what it said on stderr."""
    async with bridge_of(person, url, *arguments, env=env) as bridge:
        await greet(bridge)
        await leave(bridge)
        return bridge.stderr
