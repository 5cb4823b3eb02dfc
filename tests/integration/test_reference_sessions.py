"""A session's life with the reference server: leaving, returning, broken streams, a server that restarts."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from mcp import types

from tests.support.hosts.reference_host import discovering_host, reference_host
from tests.support.servers.reference_process import (
    MODES,
    STATEFUL_JSON,
    STATEFUL_SSE,
    STATELESS_JSON,
    Mode,
    ReferenceProcess,
    reference_process,
)
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio
Reference = Callable[[Mode], ReferenceProcess]
WITH_A_SESSION = pytest.mark.parametrize("mode", [STATEFUL_SSE, STATEFUL_JSON], ids=lambda mode: mode.name)


@WITH_A_SESSION
async def test_a_host_that_leaves_ends_its_session_and_one_that_returns_gets_a_new_one(
    reference: Reference, mode: Mode
) -> None:
    server = reference(mode)
    sessions: list[str] = []
    for _ in range(2):
        async with reference_host(server.url) as host:
            await host.listening()
            sessions.append(await host.call("session"))
            left = anyio.current_time()
        # The reference client kills what has not left within two seconds of the end of its input.
        assert anyio.current_time() - left < stretched(2)
    assert sessions[0] != sessions[1]
    for session in sessions:
        journal = await server.journal(session)
        assert [entry["status"] for entry in journal if entry["method"] == "DELETE"] == [200]
        assert [entry["status"] for entry in journal if entry["method"] == "GET"] == [200]
        assert {entry["status"] for entry in journal if entry["method"] == "POST"} == {200, 202}


@WITH_A_SESSION
async def test_two_hosts_on_one_server_do_not_hear_each_other(reference: Reference, mode: Mode) -> None:
    url = reference(mode).url
    async with reference_host(url) as one, reference_host(url) as other:
        await one.listening()
        await other.listening()
        assert await one.call("session") != await other.call("session")
        await one.call("announce")
        await one.until(lambda: bool(one.received(types.PromptListChangedNotification)), "change")
        answer = await other.call("sample", prompt="for the other", standalone=True)
        assert answer["content"]["text"] == "you said: for the other"
        # The question came after the change on the server, so a stray change would have been there by now.
        assert not other.received(types.PromptListChangedNotification)
        assert not one.samplings


async def test_a_stream_the_server_closes_is_resumed_and_nothing_comes_twice(reference: Reference) -> None:
    server = reference(STATEFUL_SSE)
    steps: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async with reference_host(server.url) as host:
        session = await host.call("session")
        result = await host.session.call_tool("drop", {"times": 3, "pause": 0.15}, progress_callback=note)
        assert result.structured_content == {"value": "resumed"}
        assert steps == [1, 2, 3]
        journal = await server.journal(session)
        assert any("last-event-id" in entry["headers"] for entry in journal if entry["method"] == "GET")
        assert await host.call("echo", still=1) == {"still": 1}


@WITH_A_SESSION
async def test_a_server_that_restarts_is_met_again_without_the_host_noticing(mode: Mode) -> None:
    with reference_process(mode) as first:
        port = first.port
        async with reference_host(first.url) as host:
            await host.listening()
            await host.session.list_tools()
            session = await host.call("session")
            first.process.kill()
            first.process.wait(stretched(5))
            with reference_process(mode, port) as second:
                # Six requests meet the lost session at once; it is begun again once.
                async with anyio.create_task_group() as calls:
                    for number in range(6):
                        calls.start_soon(host.session.call_tool, "echo", {"number": number})
                assert await host.call("session") not in {session, None}
                opened = [e for e in await second.journal() if e["status"] == 200 and e["method"] == "POST"]
                # The stamped `initialize` names its method in a header, as no request in a session does.
                assert [e["headers"].get("mcp-method") for e in opened].count("initialize") == 1
                await host.listening()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
async def test_a_host_that_asks_for_the_next_revision_first_ends_up_with_one_that_works(
    reference: Reference, mode: Mode
) -> None:
    async with discovering_host(reference(mode).url) as client:
        result = await client.call_tool("echo", {"asked": "discover"})
        assert result.structured_content == {"value": {"asked": "discover"}}


@pytest.mark.parametrize("mode", [STATEFUL_SSE, STATELESS_JSON], ids=lambda mode: mode.name)
@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
async def test_each_revision_is_negotiated_by_the_host(reference: Reference, mode: Mode, version: str) -> None:
    server = reference(mode)
    async with reference_host(server.url, version=version) as host:
        assert await host.call("echo", version=version) == {"version": version}
        session = await host.call("session")
        if mode is STATEFUL_SSE:
            posts = [e for e in await server.journal(session) if e["method"] == "POST"]
            # The handshake cannot carry the version it is about to settle, only the one it asks for.
            assert posts[0]["headers"].get("mcp-protocol-version", version) == version
            if version >= "2025-06-18":
                assert {e["headers"].get("mcp-protocol-version") for e in posts[1:]} == {version}
