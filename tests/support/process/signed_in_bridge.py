"""A bridge at work for a person: started, its handshake answered, its calls checked."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.oauth.user import Person
from tests.support.process.bridge_process import BridgeProcess

SIGN_IN_DEADLINE = 20.0
"""Seconds for an answer behind which a person signs in: a cold start of several programs on a busy machine."""


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
    async with person.launch(url, *arguments, env=env) as bridge:
        await greet(bridge)
        await leave(bridge)
        return bridge.stderr
