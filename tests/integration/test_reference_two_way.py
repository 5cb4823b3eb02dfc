"""What the reference server sends of its own accord: questions to the host, progress, logs, changes.

Where a mode cannot carry something by the standard, the test says what comes instead: a JSON answer has no
room for other messages, and without a session the host's reply could not find the question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import anyio
import pytest
from mcp import MCPError, types

from tests.support.hosts.reference_host import ROOTS, ReferenceHost, eventually, reference_host
from tests.support.servers.reference_features import LEVELS
from tests.support.servers.reference_process import (
    MODES,
    STATEFUL_JSON,
    STATEFUL_SSE,
    STATELESS_JSON,
    STATELESS_SSE,
    Mode,
    ReferenceProcess,
)
from tests.support.servers.reference_server import TEXT

pytestmark = pytest.mark.anyio
Reference = Callable[[Mode], ReferenceProcess]


def way(mode: Mode, *, standalone: bool) -> Any:
    """A mode, and whether the server uses the standing GET stream or the stream of the call."""
    return pytest.param(mode, standalone, id=f"{mode.name}-{'standing-stream' if standalone else 'in-call'}")


REACHING = [
    way(STATEFUL_SSE, standalone=False),
    way(STATEFUL_SSE, standalone=True),
    way(STATEFUL_JSON, standalone=True),
]
NOT_REACHING = [
    way(STATEFUL_JSON, standalone=False),
    way(STATELESS_SSE, standalone=False),
    way(STATELESS_SSE, standalone=True),
    way(STATELESS_JSON, standalone=False),
    way(STATELESS_JSON, standalone=True),
]
IN_ALL_MODES = pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
WITH_A_SESSION = pytest.mark.parametrize("mode", [mode for mode in MODES if mode.stateful], ids=lambda mode: mode.name)


async def ready(host: ReferenceHost, *, standalone: bool) -> ReferenceHost:
    if standalone:
        await host.listening()
    return host


@pytest.mark.parametrize(("mode", "standalone"), REACHING)
async def test_sampling_and_ping_come_to_the_host_and_its_answers_go_back(
    reference: Reference, mode: Mode, standalone: bool
) -> None:
    async with reference_host(reference(mode).url) as connected:
        host = await ready(connected, standalone=standalone)
        answer = await host.call("sample", prompt="Grüße", standalone=standalone)
        assert answer == {
            "role": "assistant",
            "content": {"type": "text", "text": "you said: Grüße"},
            "model": "none",
            "stopReason": "endTurn",
        }
        assert [asked.max_tokens for asked in host.samplings] == [17]
        assert await host.call("ping-host", standalone=standalone) == {}


@pytest.mark.parametrize(("mode", "standalone"), REACHING)
async def test_the_host_answers_an_elicitation_as_its_user_does(
    reference: Reference, mode: Mode, standalone: bool
) -> None:
    async with reference_host(reference(mode).url) as connected:
        host = await ready(connected, standalone=standalone)
        accepted = await host.call("elicit", message="Wie heißt du?", standalone=standalone)
        assert accepted == {"action": "accept", "content": {"name": "Zoë"}}
        refusals: tuple[Literal["decline", "cancel"], ...] = ("decline", "cancel")
        for action in refusals:
            host.elicitation = types.ElicitResult(action=action)
            assert await host.call("elicit", message="again?", standalone=standalone) == {"action": action}
        assert [asked.message for asked in host.elicitations] == ["Wie heißt du?", "again?", "again?"]
        form = host.elicitations[0]
        assert isinstance(form, types.ElicitRequestFormParams)
        assert form.requested_schema["properties"] == {"name": {"type": "string"}}


@pytest.mark.parametrize(("mode", "standalone"), REACHING)
async def test_the_server_learns_the_hosts_roots(reference: Reference, mode: Mode, standalone: bool) -> None:
    async with reference_host(reference(mode).url) as connected:
        host = await ready(connected, standalone=standalone)
        answer = await host.call("roots", standalone=standalone)
        assert answer == types.ListRootsResult(roots=ROOTS).model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.mark.parametrize(("mode", "standalone"), NOT_REACHING)
async def test_where_the_server_cannot_ask_its_error_passes_and_the_session_goes_on(
    reference: Reference, mode: Mode, standalone: bool
) -> None:
    async with reference_host(reference(mode).url) as host:
        for tool in ("sample", "elicit", "roots", "ping-host"):
            with pytest.raises(MCPError, match="no back-channel"):
                await host.call(tool, prompt="?", message="?", standalone=standalone)
        assert not host.samplings
        assert not host.elicitations
        assert await host.call("echo", still=1) == {"still": 1}


@IN_ALL_MODES
async def test_progress_comes_in_order_before_the_answer(reference: Reference, mode: Mode) -> None:
    steps: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total, message))

    async with reference_host(reference(mode).url) as host:
        result = await host.session.call_tool("slow", {"steps": 20}, progress_callback=note)
        assert result.structured_content == {"value": 20}
        # An answer in JSON has no room for progress: the server keeps it to itself.
        expected = [(n, 20, f"step {n}") for n in range(1, 21)] if mode.tells_in_calls else []
        assert steps == expected


@IN_ALL_MODES
async def test_the_log_level_goes_up_and_log_messages_come_down(reference: Reference, mode: Mode) -> None:
    async with reference_host(reference(mode).url) as host:
        level = types.SetLevelRequest(params=types.SetLevelRequestParams(level="warning"))
        await host.session.send_request(level, types.EmptyResult)
        assert await host.call("log", data={"é": [1]}) == 5
        expected = list(LEVELS[3:]) if mode.tells_in_calls else []
        await host.until(lambda: len(host.logs) >= len(expected), "log messages")
        assert [log.level for log in host.logs] == expected
        assert all(log.data == {"é": [1]} and log.logger == "reference" for log in host.logs)


@WITH_A_SESSION
async def test_changed_lists_are_told_on_the_standing_stream(reference: Reference, mode: Mode) -> None:
    async with reference_host(reference(mode).url) as host:
        await host.listening()
        await host.call("announce")
        await host.until(lambda: len(host.received(types.PromptListChangedNotification)) == 1, "all changes")
        assert len(host.received(types.ToolListChangedNotification)) == 1
        assert len(host.received(types.ResourceListChangedNotification)) == 1


@WITH_A_SESSION
async def test_a_subscribed_resource_is_told_until_it_is_not(reference: Reference, mode: Mode) -> None:
    async with reference_host(reference(mode).url) as host:
        await host.listening()
        assert await host.call("touch", uri=TEXT) is False
        subscribe = types.SubscribeRequest(params=types.SubscribeRequestParams(uri=TEXT))
        await host.session.send_request(subscribe, types.EmptyResult)
        assert await host.call("touch", uri=TEXT) is True
        await host.until(lambda: bool(host.received(types.ResourceUpdatedNotification)), "update")
        unsubscribe = types.UnsubscribeRequest(params=types.UnsubscribeRequestParams(uri=TEXT))
        await host.session.send_request(unsubscribe, types.EmptyResult)
        assert await host.call("touch", uri=TEXT) is False
        assert [update.params.uri for update in host.received(types.ResourceUpdatedNotification)] == [TEXT]


@IN_ALL_MODES
async def test_a_cancelled_call_ends_on_the_server_and_the_session_goes_on(reference: Reference, mode: Mode) -> None:
    key = f"cancelled-in-{mode.name}"

    async with reference_host(reference(mode).url) as host:

        async def reported(number: int) -> bool:
            return len(await host.call("blocks", key=key)) == number

        async with anyio.create_task_group() as calls:
            limit = 30 if mode.stateful else 0.5
            calls.start_soon(host.session.call_tool, "block", {"key": key, "limit": limit})
            await eventually(lambda: reported(1))
            calls.cancel_scope.cancel()
        await eventually(lambda: reported(2))
        # Without a session the server cannot tell which call is meant: it ends, or falls with its stream.
        ends = [["started", "cancelled"]] if mode.stateful else [["started", "cancelled"], ["started", "ended"]]
        assert await host.call("blocks", key=key) in ends
        assert await host.call("echo", still=1) == {"still": 1}
