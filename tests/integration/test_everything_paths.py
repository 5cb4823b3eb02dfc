"""The main paths against npm's `server-everything`: the TypeScript package's view of both HTTP transports."""

from __future__ import annotations

import json
from collections.abc import Callable

import anyio
import pytest
from mcp import MCPError, types

from tests.support.hosts.reference_host import DEADLINE, ReferenceHost, eventually, reference_host
from tests.support.servers.everything import Transport
from tests.support.waits import stretched

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("transport", ["streamableHttp", "sse"])]
Everything = Callable[[Transport], str]


async def said(host: ReferenceHost, tool: str, **arguments: object) -> str:
    """Call a tool and return the text it answered."""
    result = await host.session.call_tool(tool, dict(arguments))
    assert not result.is_error, result
    return "\n".join(part.text for part in result.content if isinstance(part, types.TextContent))


async def conditional_tools(host: ReferenceHost) -> None:
    """Wait for the tools the server adds once it knows what the host can do, just after the handshake."""

    async def there() -> bool:
        return "get-roots-list" in {tool.name for tool in (await host.session.list_tools()).tools}

    await eventually(there)


async def test_tools_are_listed_and_called(everything_url: Everything, transport: Transport) -> None:
    async with reference_host(everything_url(transport)) as host:
        answered = host.session.initialize_result
        assert answered is not None
        assert answered.server_info.name == "mcp-servers/everything"
        assert {"echo", "get-sum"} <= {tool.name for tool in (await host.session.list_tools()).tools}
        assert await host.session.send_ping() == types.EmptyResult()
        assert await said(host, "echo", message="grüezi \U0001f9ed") == "Echo: grüezi \U0001f9ed"
        assert await said(host, "get-sum", a=2, b=40) == "The sum of 2 and 40 is 42."
        weather = await host.session.call_tool("get-structured-content", {"location": "Chicago"})
        assert weather.structured_content is not None
        assert weather.structured_content["conditions"] == "Light rain / drizzle"
        picture = await host.session.call_tool("get-tiny-image", {})
        assert "image" in {part.type for part in picture.content}


async def test_errors_come_as_the_server_made_them(everything_url: Everything, transport: Transport) -> None:
    async with reference_host(everything_url(transport)) as host:
        wrong = await host.session.call_tool("get-sum", {"a": "two"})
        assert wrong.is_error
        with pytest.raises(MCPError) as unknown:
            await host.session.send_request(types.Request(method="no/such", params=None), types.EmptyResult)
        assert unknown.value.code == types.METHOD_NOT_FOUND
        assert await said(host, "echo", message="still") == "Echo: still"


async def test_resources_prompts_and_completion(everything_url: Everything, transport: Transport) -> None:
    async with reference_host(everything_url(transport)) as host:
        assert (await host.session.list_resources()).resources
        assert (await host.session.list_resource_templates()).resource_templates
        text = (await host.session.read_resource("demo://resource/dynamic/text/7")).contents[0]
        assert isinstance(text, types.TextResourceContents)
        assert text.text.startswith("Resource 7: This is a plaintext resource")
        blob = (await host.session.read_resource("demo://resource/dynamic/blob/7")).contents[0]
        assert isinstance(blob, types.BlobResourceContents)
        assert "args-prompt" in {prompt.name for prompt in (await host.session.list_prompts()).prompts}
        asked = await host.session.get_prompt("args-prompt", {"city": "Zürich", "state": "ZH"})
        assert asked.messages[0].content == types.TextContent(type="text", text="What's weather in Zürich, ZH?")
        completed = await host.session.complete(
            types.PromptReference(type="ref/prompt", name="completable-prompt"),
            {"name": "department", "value": "S"},
        )
        assert completed.completion.values == ["Sales", "Support"]


async def test_progress_comes_before_the_answer(everything_url: Everything, transport: Transport) -> None:
    steps: list[tuple[float, float | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total))

    async with reference_host(everything_url(transport)) as host:
        done = await host.session.call_tool(
            "trigger-long-running-operation", {"duration": 0.2, "steps": 4}, progress_callback=note
        )
        assert not done.is_error
        assert steps == [(n, 4) for n in range(1, 5)]


async def test_the_server_asks_the_host(everything_url: Everything, transport: Transport) -> None:
    async with reference_host(everything_url(transport)) as host:
        await conditional_tools(host)
        assert "you said: Resource trigger-sampling-request context: Grüße" in await said(
            host, "trigger-sampling-request", prompt="Grüße", maxTokens=17
        )
        assert [asked.max_tokens for asked in host.samplings] == [17]
        accepted = await said(host, "trigger-elicitation-request")
        assert "- Name: Zoë" in accepted
        host.elicitation = types.ElicitResult(action="decline")
        declined = await said(host, "trigger-elicitation-request")
        assert json.loads(declined.partition("Raw result:")[2]) == {"action": "decline"}
        # These are asked for outside of any call, on the standing stream.
        roots = await said(host, "get-roots-list")
        assert "1. Häuser\n   URI: file:///home/anna/houses" in roots


async def test_subscribed_resources_and_logs_are_told(everything_url: Everything, transport: Transport) -> None:
    uri = "demo://resource/dynamic/text/1"
    async with reference_host(everything_url(transport)) as host:
        # The server logs that it has the roots: from then on the standing stream is known to be open.
        await host.until(lambda: any("Roots updated: 2" in str(log.data) for log in host.logs), "roots log")
        subscribe = types.SubscribeRequest(params=types.SubscribeRequestParams(uri=uri))
        await host.session.send_request(subscribe, types.EmptyResult)
        await host.until(lambda: any(uri in str(log.data) for log in host.logs), "log of the subscription")
        await said(host, "toggle-subscriber-updates")
        await host.until(lambda: bool(host.received(types.ResourceUpdatedNotification)), "update")
        assert host.received(types.ResourceUpdatedNotification)[0].params.uri == uri
        level = types.SetLevelRequest(params=types.SetLevelRequestParams(level="emergency"))
        assert await host.session.send_request(level, types.EmptyResult) == types.EmptyResult()


async def test_a_cancelled_call_holds_up_nothing(everything_url: Everything, transport: Transport) -> None:
    async with reference_host(everything_url(transport)) as host:
        async with anyio.create_task_group() as calls:
            started = anyio.Event()

            async def note(progress: float, total: float | None, message: str | None) -> None:
                started.set()

            async def call() -> None:
                arguments = {"duration": 60, "steps": 600}
                await host.session.call_tool("trigger-long-running-operation", arguments, progress_callback=note)

            calls.start_soon(call)
            with anyio.fail_after(stretched(DEADLINE)):
                await started.wait()
            calls.cancel_scope.cancel()
        assert await said(host, "echo", message="next") == "Echo: next"


async def test_fifty_calls_at_once_get_each_its_own_answer(everything_url: Everything, transport: Transport) -> None:
    answers: dict[int, str] = {}
    async with reference_host(everything_url(transport)) as host:

        async def call(number: int) -> None:
            answers[number] = await said(host, "get-sum", a=number, b=1000)

        async with anyio.create_task_group() as calls:
            for number in range(50):
                calls.start_soon(call, number)
    assert answers == {n: f"The sum of {n} and 1000 is {n + 1000}." for n in range(50)}


async def test_a_host_that_restarts_is_served_again(everything_url: Everything, transport: Transport) -> None:
    for name in ("first", "second"):
        async with reference_host(everything_url(transport)) as host:
            assert await said(host, "echo", message=name) == f"Echo: {name}"
            left = anyio.current_time()
        assert anyio.current_time() - left < stretched(2)
